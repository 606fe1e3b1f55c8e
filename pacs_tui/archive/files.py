"""Instances as files of one area: received beside their final place, and moved there whole.

    <sta>/incoming/<process>/<number>     being received; nobody reads it
    <sta>/3f/a2/3fa2...                   a Part 10 file, named by a digest of its SOP Instance UID

A UID never becomes part of a path: the digest is all that a sender can influence.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Sequence
from io import FileIO
from itertools import count
from pathlib import Path

from filelock import FileLock, Timeout

_MODE = 0o640
_FOLDER_MODE = 0o750
_VECTOR = 512
"""Buffers handed to one writev; the kernel takes at most 1024."""


def file_name(sop_instance: str) -> str:
    """The name of an instance's file: 160 bits of BLAKE2b over its UID, in hex."""
    return hashlib.blake2b(sop_instance.encode("ascii", "replace"), digest_size=20).hexdigest()


class Files:
    """The files of one area. Every method raises OSError as it comes; the caller knows what it means."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._incoming = self.root / "incoming"
        self._own = self._incoming / uuid.uuid4().hex
        self._alive = FileLock(self._own / "alive", thread_local=False)
        self._numbers = count()

    def open(self) -> None:
        """Make the folders, and remove what a process that is gone had half received."""
        self._incoming.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        with FileLock(self._incoming / "sweep"):
            for folder in self._incoming.iterdir():
                if folder.is_dir() and _abandoned(folder):
                    shutil.rmtree(folder, ignore_errors=True)
            self._own.mkdir(mode=_FOLDER_MODE, exist_ok=True)
            self._alive.acquire(timeout=0)

    def close(self) -> None:
        """Remove this process's folder and all that is left in it."""
        self._alive.release()
        shutil.rmtree(self._own, ignore_errors=True)

    def path(self, name: str) -> Path:
        """Where the file of this name (file_name) lies or will lie."""
        return self.root / name[:2] / name[2:4] / name

    def receive(self) -> Partial:
        """A new, empty file that is not visible yet."""
        return Partial(self._own / str(next(self._numbers)))


class Partial:
    """One file on its way: write, settle, publish; or discard at any moment."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = FileIO(path, "xb", opener=_create)
        self._published: Path | None = None
        self.size = 0

    def write(self, chunks: Sequence[bytes | memoryview]) -> None:
        """Append the chunks, all of them."""
        for first in range(0, len(chunks), _VECTOR):
            views = [memoryview(chunk).cast("B") for chunk in chunks[first : first + _VECTOR]]
            while views:
                written = os.writev(self._file.fileno(), views)
                self.size += written
                views = _after(views, written)

    def settle(self) -> None:
        """The bytes are on the disk when this returns."""
        os.fdatasync(self._file.fileno())
        self._file.close()

    def publish(self, path: Path) -> None:
        """Give the settled file its final name, in a way that a power cut does not undo."""
        try:
            os.rename(self._path, path)
        except FileNotFoundError:
            _make_folders(path.parent)
            os.rename(self._path, path)
        self._published = path
        _sync_folder(path.parent)

    def withdraw(self) -> None:
        """Take a published file back: its row could not be committed."""
        if self._published:
            self._published.unlink(missing_ok=True)
            self._published = None

    def discard(self) -> None:
        """Remove what is not published; does nothing the second time, and raises nothing."""
        try:
            self._file.close()
            if not self._published:
                self._path.unlink(missing_ok=True)
        except OSError:
            pass  # The sweep of the next start finds it.


def _create(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, _MODE)


def _after(views: list[memoryview], written: int) -> list[memoryview]:
    """What a short write left over."""
    for index, view in enumerate(views):
        if written < len(view):
            return [view[written:], *views[index + 1 :]]
        written -= len(view)
    return []


def _make_folders(folder: Path) -> None:
    """Both fan-out folders, each entered durably in the one above by whoever makes it."""
    for each in (folder.parent, folder):
        try:
            each.mkdir(mode=_FOLDER_MODE)
        except FileExistsError:
            continue
        _sync_folder(each.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _abandoned(folder: Path) -> bool:
    """True when the process that received into this folder is gone: its lock went with it."""
    try:
        with FileLock(folder / "alive", timeout=0):
            return True
    except (Timeout, OSError):
        return False
