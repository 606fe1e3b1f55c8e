"""`pacs-tui send`: send files, then ask the node whether it holds them."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pacs_tui.errors import Exit, NetworkError, StorageError, UsageError
from pacs_tui.model.job import PlannedInstance
from pacs_tui.model.transfer import Held

if TYPE_CHECKING:
    from pacs_tui.cli.output import Output
    from pacs_tui.station import Station


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("send", help="send files to a node (C-STORE) and verify that they arrived")
    parser.add_argument("node", help="name of the node that shall have them")
    parser.add_argument("file", nargs="+", type=Path, help="DICOM files, or folders of them")
    parser.add_argument("--no-verify", action="store_true", help="do not ask the node afterwards")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, station: Station, output: Output) -> Exit:
    """One line per file; 0 only when the node was asked and holds every instance."""
    found = list(_instances(args.file, output))
    if not found:
        raise UsageError("There is no DICOM file among what was named.")
    peer = station.peer(args.node)
    kept: list[Held] = []
    for number, (held, sent) in enumerate(zip(found, peer.send(found), strict=True), 1):
        output.progress(number, len(found), "sent")
        if sent.kept:
            kept.append(held)
        output.record(
            {"file": str(held.path), "sop_instance": sent.sop_instance, "status": f"{sent.status:04X}",
             "comment": sent.comment},
            f"{'sent   ' if sent.kept else 'refused'}  {sent.status:04X}  {held.path}"
            + (f"  {sent.comment}" if sent.comment else ""),
        )  # fmt: skip
    output.progress_done()
    if args.no_verify:
        output.say(f"{len(kept)} of {len(found)} sent, not verified.")
        return Exit.UNVERIFIED if len(kept) == len(found) else Exit.PARTIAL
    return _verify(args.node, kept, len(found), station, output)


def _verify(node: str, kept: Sequence[Held], total: int, station: Station, output: Output) -> Exit:
    from pacs_tui.dimse.part10 import study_and_series
    from pacs_tui.routing.verification import Verification

    planned = [PlannedInstance(*study_and_series(held.path), held.sop_instance, held.sop_class) for held in kept]
    verification = Verification(station.peer(node), planned, threading.Event())
    try:
        for _ in verification.watch(station.settings.verify_seconds, len(planned)):
            pass
    except NetworkError as error:
        output.fail(error)
        output.say(f"unverified: {node} cannot be asked what it holds.")
        return Exit.UNVERIFIED
    output.say(f"{'verified' if verification.seen == total else 'partial'} {verification.seen}/{total}")
    return Exit.OK if verification.seen == total else Exit.PARTIAL


def _instances(paths: Sequence[Path], output: Output) -> Iterator[Held]:
    from pacs_tui.dimse.part10 import read_held

    for path in paths:
        if not path.exists():
            raise UsageError(f"{path} does not exist.")
        inside = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in inside:
            try:
                yield read_held(file)
            except StorageError as error:
                if not path.is_dir():
                    raise
                output.say(f"left out: {error}")
