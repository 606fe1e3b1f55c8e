"""`pacs-tui get`: fetch instances into a folder."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pacs_tui.cli import targets
from pacs_tui.errors import Exit, Refused, StorageError
from pacs_tui.model.transfer import StoreRequest, is_uid

if TYPE_CHECKING:
    from pacs_tui.cli.output import Output
    from pacs_tui.station import Station

_OUT_OF_RESOURCES = 0xA700


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("get", help="fetch instances into a folder (C-GET)")
    parser.add_argument("node", help="name of the node that holds them")
    targets.add_arguments(parser)
    parser.add_argument("--to", metavar="FOLDER", type=Path, default=Path(), help="where the files go (default: here)")
    parser.add_argument("--replace", action="store_true", help="write over files that exist")
    parser.set_defaults(run=run)


class Folder:
    """Receives instances as `<SOP Instance UID>.dcm`, Part 10, the data set as it came."""

    def __init__(self, folder: Path, replace: bool) -> None:
        self._folder = folder
        self._replace = replace
        self.written: list[Path] = []
        self.kept: list[Path] = []
        self.failure: StorageError | None = None

    def receive(self, request: StoreRequest) -> _File | _Kept:
        if not is_uid(request.sop_instance):
            raise Refused("not a UID", "", status=0x0117)
        path = self._folder / f"{request.sop_instance}.dcm"
        if path.exists() and not self._replace:
            return _Kept(path, self.kept)
        return _File(path, request.part10_header(), self)


class _Kept:
    """An instance whose file exists already: what comes is let go, and the peer need not hear of it."""

    def __init__(self, path: Path, kept: list[Path]) -> None:
        self._path, self._kept = path, kept

    def write(self, chunks: Sequence[bytes | memoryview]) -> None:
        """Nothing is written."""

    def commit(self, attributes: Mapping[str, str]) -> int:
        self._kept.append(self._path)
        return 0

    def abort(self) -> None:
        """Nothing was begun."""


class _File:
    def __init__(self, path: Path, header: bytes, folder: Folder) -> None:
        self._path, self._folder = path, folder
        self._partial = path.with_name(f".{path.name}.{os.getpid()}.part")
        with self._local():
            # unbuffered: a full disk is met where it is written, never again at close
            self._file = self._partial.open("wb", buffering=0)
            self._file.write(header)

    def write(self, chunks: Sequence[bytes | memoryview]) -> None:
        with self._local():
            for chunk in chunks:
                rest = memoryview(chunk)
                while rest:
                    rest = rest[self._file.write(rest) :]

    def commit(self, attributes: Mapping[str, str]) -> int:
        with self._local():
            self._file.close()
            self._partial.replace(self._path)
        self._folder.written.append(self._path)
        return 0

    def abort(self) -> None:
        self._file.close()
        self._partial.unlink(missing_ok=True)

    @contextmanager
    def _local(self) -> Iterator[None]:
        """Our own disk's failure: told to the peer as a status, and kept for the administrator in our own words."""
        try:
            yield
        except OSError as error:
            self._partial.unlink(missing_ok=True)
            sentence = f"{self._path} cannot be written: {error.strerror}. Choose another folder with --to."
            self._folder.failure = StorageError(sentence)
            raise Refused(sentence, "", status=_OUT_OF_RESOURCES) from None


def run(args: argparse.Namespace, station: Station, output: Output) -> Exit:
    """One line per file; exit code 5 when the node could not send everything."""
    wanted = targets.targets(args)
    try:
        args.to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{args.to} cannot be made: {error.strerror}. Choose another folder with --to.") from None
    folder = Folder(args.to, args.replace)
    failed = 0
    peer = station.peer(args.node)
    for target in wanted:
        shown = len(folder.written)
        try:
            for progress in peer.get(target, folder.receive):
                output.progress(progress.completed, progress.completed + progress.remaining, "fetched")
                failed = failed + progress.failed if not progress.pending else failed
        except Refused:
            # the peer only repeats what we told it when the disk is ours
            if folder.failure is None:
                raise
        finally:
            output.progress_done()
            for path in folder.written[shown:]:
                output.record({"file": str(path)}, str(path))
        if folder.failure is not None:
            raise folder.failure
    if folder.kept:
        output.say(f"{len(folder.kept)} files exist already and were kept; --replace writes over them.")
    if not folder.written and not folder.kept:
        output.say(f"{args.node} sent nothing.")
        return Exit.PARTIAL if failed else Exit.NOT_FOUND
    output.say(f"{len(folder.written)} fetched into {args.to}.")
    return Exit.PARTIAL if failed else Exit.OK
