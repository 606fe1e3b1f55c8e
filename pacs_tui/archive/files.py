"""Instances as files of one area: received beside their final place, and linked there whole.

    <sta>/incoming/<process>/<number>     being received; nobody reads it
    <sta>/3f/3fa2...-9c41...              a Part 10 file, named by digests of its SOP Instance UID and of its data set
    <sta>/quarantine/3fa2...-77b0...      a second copy with other content, or one that gave way

A UID never becomes part of a path: the digest is all that a sender can influence. Two contents under one UID are two
files, and the same content is the same file, so that making a file visible never takes another away. The name in
`incoming` stays until the row is committed: what a crash leaves tells by its two names that it was whole.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

from filelock import FileLock, Timeout

_MODE = 0o640
_FOLDER_MODE = 0o750
_VECTOR = 512
"""Buffers handed to one writev; the kernel takes at most 1024."""


def file_name(sop_instance: str, content: bytes) -> str:
    """The name of an instance's file: 128 bits of BLAKE2b over its UID, and 64 of its data set's digest, in hex."""
    return f"{hashlib.blake2b(sop_instance.encode('ascii', 'replace'), digest_size=16).hexdigest()}-{content[:8].hex()}"


class Files:
    """The files of one area. Every method raises OSError as it comes; the caller knows what it means."""

    def __init__(self, root: Path, durable: bool = True) -> None:
        """`durable`: what `publish` returns from survives a power cut."""
        self.root = root.absolute()
        self.durable = durable
        self._top = str(self.root)
        self._incoming = self.root / "incoming"
        self._quarantine = self.root / "quarantine"
        self._own = self._incoming / uuid.uuid4().hex
        self._alive = FileLock(self._own / "alive", thread_local=False)
        self._numbers = count()
        self._folders: set[str] = set()

    def open(self) -> None:
        """Make the folders this process needs."""
        for folder in (self._incoming, self._quarantine):
            folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        with self._sweeping():
            self._own.mkdir(mode=_FOLDER_MODE, exist_ok=True)
            self._alive.acquire(timeout=0)
        # a process that died may have made some of them and not synced their names
        self._folders = {str(folder) for folder in self.root.iterdir() if len(folder.name) == 2}
        self.sync(self._top)

    def close(self) -> None:
        """Remove this process's folder, but for what has two names: its row is owed, and the next start enters it."""
        with suppress(OSError):
            for entry in self._own.iterdir():
                if entry.stat().st_nlink == 1:
                    entry.unlink()
            self._own.rmdir()
        self._alive.release()

    def _sweeping(self) -> FileLock:
        return FileLock(self._incoming / "sweep")

    def abandoned(self) -> Iterator[Path]:
        """What processes that are gone had not committed; each is removed when the next is asked for.

        A file with two names was received whole and is visible; one with a single name was not, and is left out.
        """
        with self._sweeping():
            for folder in list(self._incoming.iterdir()):
                if folder == self._own or not folder.is_dir() or not _ended(folder):
                    continue
                for entry in folder.iterdir():
                    if entry.name != "alive" and entry.stat().st_nlink > 1:
                        yield entry
                shutil.rmtree(folder, ignore_errors=True)

    def path(self, name: str) -> Path:
        """Where the file of this name (file_name) lies or will lie."""
        return self.root / name[:2] / name

    def receive(self) -> Partial:
        """A new, empty file that is not visible yet."""
        return Partial(f"{self._own}/{next(self._numbers)}", self)

    def names(self) -> Iterator[tuple[str, int]]:
        """Name and bytes of every visible file."""
        for folder in sorted(self.root.iterdir()):
            if len(folder.name) == 2 and folder.is_dir():
                with os.scandir(folder) as entries:
                    for entry in entries:
                        yield entry.name, entry.stat().st_size

    def quarantine(self, name: str) -> None:
        """Move a visible file to the quarantine, in a way that a power cut does not undo."""
        source = self.path(name)
        try:
            os.rename(source, self._quarantine / name)
        except FileNotFoundError:
            return
        self.sync(self._quarantine)
        self.sync(source.parent)

    def sync(self, folder: str | Path) -> None:
        """Make the names in a folder durable."""
        if self.durable:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def folder(self, name: str) -> str:
        """The folder of a visible file, made if need be and itself entered durably."""
        folder = f"{self._top}/{name[:2]}"
        if folder not in self._folders:
            # another process may have made it, and not be as far as its sync
            with suppress(FileExistsError):
                os.mkdir(folder, _FOLDER_MODE)
            self.sync(self._top)
            self._folders.add(folder)
        return folder


class Partial:
    """One file on its way: write, settle, publish, settled; or discard at any moment."""

    __slots__ = ("_fd", "_files", "_path", "_published", "modified", "size")

    def __init__(self, path: str, files: Files) -> None:
        self._path = path
        self._files = files
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
        self._published = ""
        self.size = 0
        self.modified = 0
        """Unix time of the last write, once it is settled: a rebuild finds the same."""

    def write(self, chunks: Sequence[bytes | memoryview]) -> None:
        """Append the chunks, all of them."""
        if len(chunks) <= _VECTOR:
            written = os.writev(self._fd, chunks)
            self.size += written
            if written == sum(map(len, chunks)):
                return
            self._write_rest(chunks, written)
            return
        for first in range(0, len(chunks), _VECTOR):
            self.write(chunks[first : first + _VECTOR])

    def _write_rest(self, chunks: Sequence[bytes | memoryview], written: int) -> None:
        rest = memoryview(b"".join(chunks))[written:]
        while rest:
            done = os.write(self._fd, rest)
            self.size += done
            rest = rest[done:]

    def settle(self) -> None:
        """The bytes are on the disk when this returns, where the area is durable."""
        if self._files.durable:
            os.fdatasync(self._fd)
        self.modified = int(os.fstat(self._fd).st_mtime)
        self._close()

    def publish(self, name: str) -> None:
        """Give the settled file its final name, durably also where another association entered it a moment ago."""
        folder = self._files.folder(name)
        final = f"{folder}/{name}"
        self._enter(folder, final)
        self._published = final
        self._files.sync(folder)

    def _enter(self, folder: str, final: str) -> None:
        while True:
            try:
                self._link(folder, final)
                return
            except FileExistsError:
                try:
                    self._share(final)
                    return
                except FileNotFoundError:
                    # somebody moved it to the quarantine between the two
                    continue

    def _share(self, final: str) -> None:
        """Make the two names those of one file again: what a crash leaves has to be found."""
        whole = os.stat(final).st_size == self.size
        kept, given = (final, self._path) if whole else (self._path, final)
        # a remnant that lost its tail gives way to the whole; beside it first, so that ours is never without a name
        beside = f"{self._path}+"
        os.link(kept, beside)
        os.replace(beside, given)

    def _link(self, folder: str, final: str) -> None:
        try:
            os.link(self._path, final)
        except FileNotFoundError:
            # somebody removed the empty folder
            os.makedirs(folder, _FOLDER_MODE, exist_ok=True)
            os.link(self._path, final)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EOPNOTSUPP):
                raise
            # a file system without hard links: the name moves, and a crash before the commit leaves a stray file
            os.rename(self._path, final)
            self._path = ""

    def settled(self, committed: bool) -> None:
        """Committed: the name in `incoming` goes. Else nobody knows, and both names stay for the next start."""
        if committed and self._path and not os.path.exists(self._published):
            # it stood there when we came, and gave way to other content before our row did to it
            os.link(self._path, self._published)
        if committed or not self._published:
            self.discard()
        self._close()
        self._path = self._published = ""

    def discard(self) -> None:
        """Remove what is not published; does nothing the second time, and raises nothing."""
        try:
            self._close()
            if self._path:
                os.unlink(self._path)
        except OSError:
            pass  # The sweep of the next start finds it.
        self._path = ""

    def _close(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)


def _ended(folder: Path) -> bool:
    """True when the process that received into this folder is gone: its lock went with it."""
    try:
        with FileLock(folder / "alive", timeout=0):
            return True
    except (Timeout, OSError):
        return False
