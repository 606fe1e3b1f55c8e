"""Is the file of the index what a database of ours can be: asked before SQLite opens it, and of what SQLite says."""

from __future__ import annotations

import sqlite3
import struct
from pathlib import Path

from pacs_tui.errors import StorageError

_MAGIC = b"SQLite format 3\0"
_HEADER = 100


def check(index: Path) -> bool:
    """True for an index that can be opened, False where there is none yet; StorageError for a damaged one."""
    try:
        with index.open("rb") as file:
            header = file.read(_HEADER)
        size = index.stat().st_size
        log = index.with_name(f"{index.name}-wal")
        logged = log.exists() and log.stat().st_size > 0
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StorageError(f"{index} cannot be read: {error.strerror}.") from error
    if not size:
        return False
    if len(header) < _HEADER or not header.startswith(_MAGIC):
        raise damaged(index)
    page, changed, pages, valid = struct.unpack(">16xH6xII60xI", header[:96])
    # with a log beside it a part of the pages may not have come home yet (SQLite file format 1.3)
    if not logged and changed == valid and size < pages * (65536 if page == 1 else page):
        raise damaged(index)
    return True


def damaged(index: Path) -> StorageError:
    """What an administrator is told."""
    return StorageError(
        f"{index}: index damaged: run `pacs-tui archive rebuild`, which makes it anew from the files of the areas."
    )


def lost(index: Path, area: str) -> StorageError:
    """The same for an index that is gone or empty beside an area with instances."""
    return StorageError(
        f"{index} is missing or empty, but area {area} holds instances: run `pacs-tui archive rebuild`, which makes "
        "the index anew from the files."
    )


def tells_of_damage(error: BaseException | None) -> bool:
    """True where SQLite says that the file is no database, or a malformed one."""
    while error is not None:
        code = getattr(error, "sqlite_errorcode", None)
        if isinstance(error, sqlite3.Error) and code is not None and code & 0xFF in (11, 26):
            return True
        error = error.__cause__ or getattr(error, "orig", None)
    return False
