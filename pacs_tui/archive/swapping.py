"""A rebuilt index takes the place of the old one, whatever moment the power goes.

    index.db.rebuilding    being made
    index.db.rebuilt       complete and on the disk: from here on it is the index
    index.db.before        the one it replaced, with its log

A log of SQLite's beside a database it does not belong to would be played into it, so the old one leaves with its log
before the new one takes the name.
"""

from __future__ import annotations

import os
from pathlib import Path

REBUILDING, REBUILT, BEFORE = ".rebuilding", ".rebuilt", ".before"
_BESIDE = ("-wal", "-shm", "-journal")


def named(index: Path, suffix: str) -> Path:
    """The file beside the index."""
    return index.with_name(index.name + suffix)


def pending(index: Path) -> bool:
    """True where a rebuild was complete and its last step was not."""
    return named(index, REBUILT).exists()


def finish(index: Path, keep: bool = True) -> None:
    """Put `index.db.rebuilt` in place, the old one aside (or away, unless `keep`); whoever calls has it alone.

    May be called again after a crash at any moment. OSError.
    """
    if not pending(index):
        return
    before = named(index, BEFORE)
    if index.exists():
        if before.exists():
            discard(before)
        if keep:
            # the log first: without it the old index lacks its last commits, and the new one is there already
            if named(index, "-wal").exists():
                os.replace(named(index, "-wal"), named(before, "-wal"))
            os.replace(index, before)
    discard(index)
    sync(index.parent)
    os.replace(named(index, REBUILT), index)
    sync(index.parent)


def discard(index: Path) -> None:
    """Remove a database with all that SQLite keeps beside it."""
    for path in (*(named(index, suffix) for suffix in _BESIDE), index, named(index, ".turn")):
        path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """What a file or folder holds survives a power cut once this returns."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
