"""Disks that fill up and are emptied again, and folders that turn read-only."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

_MEGABYTE = 1 << 20
_SIZE = 24 * _MEGABYTE


def mount(*words: str) -> bool:
    """Run mount(8); False where we may not."""
    return subprocess.run(["mount", *words], capture_output=True).returncode == 0


class Disk(Protocol):
    """What a test fills."""

    def fill(self, pid: int, leave: int = 0) -> None:
        """Let the process find `leave` bytes free, at most a page more."""

    def empty(self, pid: int) -> None:
        """Let it find room again."""


class Small:
    """A file system of its own."""

    def __init__(self, folder: Path) -> None:
        self._ballast = folder / "ballast"

    def fill(self, pid: int, leave: int = 0) -> None:
        with self._ballast.open("wb", buffering=0) as file:
            with suppress(OSError):
                while file.write(bytes(_MEGABYTE)) == _MEGABYTE:
                    pass
            state = os.statvfs(self._ballast)
            file.truncate(max(0, file.tell() + state.f_bavail * state.f_frsize - leave))
        if not leave:
            # the last pages one by one
            with self._ballast.open("ab", buffering=0) as file, suppress(OSError):
                while True:
                    file.write(bytes(4096))

    def empty(self, pid: int) -> None:
        self._ballast.unlink()


class Limited:
    """Where we may not mount: a process that may not make any file longer than what is left."""

    def fill(self, pid: int, leave: int = 0) -> None:
        _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (leave, most))

    def empty(self, pid: int) -> None:
        _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, most))


@contextmanager
def small(folder: Path) -> Iterator[Disk]:
    """24 MB mounted at the folder; or a limit, where that is forbidden."""
    folder.mkdir(parents=True)
    if not mount("-t", "tmpfs", "-o", f"size={_SIZE}", "faults", str(folder)):
        yield Limited()
        return
    try:
        yield Small(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def read_only(folder: Path) -> Iterator[bool]:
    """The folder takes no change for the length of the block; False where we may not do that."""
    if not mount("--bind", str(folder), str(folder)):
        yield False
        return
    try:
        assert mount("-o", "remount,bind,ro", str(folder))
        assert os.statvfs(folder).f_flag & os.ST_RDONLY
        yield True
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
