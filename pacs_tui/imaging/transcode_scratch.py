"""A bounded folder for files that live as long as they are being sent."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pacs_tui.errors import PictureError, StorageError

_LOCK = "lock"


class Scratch:
    """Files of at most so many megabytes together, in a folder of this process, which goes when the process does.

    Several processes may share the folder above: each holds a lock on its own, and sweeps those nobody holds.
    """

    def __init__(self, folder: Path, megabytes: int) -> None:
        """Nothing is made before the first file."""
        self._parent = folder
        self._most = megabytes << 20
        self._used = 0
        self._number = 0
        self._changed = threading.Condition()
        self._folder: Path | None = None
        self._held = -1

    @contextmanager
    def room(self, size: int, seconds: float) -> Iterator[Path]:
        """A name for a file of `size` bytes, deleted on leaving; waits until there is room.

        PictureError where it never fits or there was none in that time, StorageError where the folder cannot be made.
        """
        path = self._reserve(size, seconds)
        try:
            yield path
        finally:
            with contextlib.suppress(OSError):
                path.unlink()
            with self._changed:
                self._used -= size
                self._changed.notify_all()

    def close(self) -> None:
        """Delete the folder."""
        with self._changed:
            folder, self._folder = self._folder, None
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(self._held)

    def _reserve(self, size: int, seconds: float) -> Path:
        if size > self._most:
            raise PictureError(f"It needs {size >> 20} MB of scratch space; {self._most >> 20} MB are allowed.")
        deadline = time.monotonic() + seconds
        with self._changed:
            while self._used + size > self._most:
                if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    raise PictureError(f"There was no scratch space for it in {seconds:g} s.")
            if self._folder is None:
                try:
                    self._folder = self._made()
                except OSError as error:
                    raise StorageError(f"{self._parent} cannot be used: {error.strerror or error}.") from error
            self._used += size
            self._number += 1
            return self._folder / f"{self._number}.dcm"

    def _made(self) -> Path:
        self._parent.mkdir(parents=True, exist_ok=True)
        # One process at a time: a folder between its making and its lock looks like one that was left behind.
        with (self._parent / _LOCK).open("ab") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            for left in self._parent.iterdir():
                if left.is_dir() and (descriptor := _locked(left)) is not None:
                    shutil.rmtree(left, ignore_errors=True)
                    os.close(descriptor)
            folder = Path(tempfile.mkdtemp(dir=self._parent))
            held = _locked(folder)
            assert held is not None
            self._held = held
            return folder


def _locked(folder: Path) -> int | None:
    """The lock of a folder, None where another process has it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
