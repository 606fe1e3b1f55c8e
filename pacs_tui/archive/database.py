"""The engine under the index: the one place that knows SQLite from other databases."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError

from pacs_tui.errors import SettingsError

BUSY_SECONDS = 10.0
"""How long a foreign program may hold the database before a store fails, unless settings say otherwise."""
_WAL_PAGES = 4000
"""Pages of the log before they are copied home: 16 MB."""
_CACHE_KIB = 8192


def file_of(url: str) -> Path | None:
    """The file of an SQLite database, None for every other one; SettingsError for a bad URL."""
    try:
        address = make_url(url)
    except ArgumentError as error:
        raise SettingsError(f"The archive's index is no database URL that works here: {error}") from error
    named = address.get_backend_name() == "sqlite" and address.database not in (None, "", ":memory:")
    return Path(str(address.database)).absolute() if named else None


def connect(url: str, durable: bool = True, busy_seconds: float = BUSY_SECONDS) -> Engine:
    """An engine whose LIKE respects case, and whose commits survive a power cut if `durable`.

    SettingsError for a bad URL.
    """
    try:
        address = make_url(url)
        if address.get_backend_name() != "sqlite":
            return create_engine(address, pool_size=8, max_overflow=-1, pool_pre_ping=True)
    except (ArgumentError, ImportError) as error:
        raise SettingsError(f"The archive's index is no database URL that works here: {error}") from error
    if not address.database or address.database == ":memory:":
        raise SettingsError("The archive's index needs a file: several threads share it, and it has to last.")
    Path(address.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(address, pool_size=8, max_overflow=-1)

    def prepare(connection: sqlite3.Connection, _record: Any) -> None:
        # The driver must not begin transactions by itself: it would leave DDL outside and start writes as readers.
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout={round(busy_seconds * 1000)}",
            "journal_mode=WAL",
            f"synchronous={'FULL' if durable else 'NORMAL'}",
            f"wal_autocheckpoint={_WAL_PAGES}",
            f"cache_size=-{_CACHE_KIB}",
            "foreign_keys=ON",
            "case_sensitive_like=ON",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _begin_sqlite(connection: Connection) -> None:
    # A reader that turns into a writer is refused when somebody else wrote meanwhile, so writers say so at once.
    immediate = connection.get_execution_options().get("pacs_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


class DriverFailed(SQLAlchemyError):
    """What the driver raised where we used it without SQLAlchemy."""


class Outage(DriverFailed):
    """The database cannot be used now: locked, full, damaged or gone. What was to be written is not to blame."""


def is_outage(error: Exception) -> bool:
    """True where trying the same work in smaller parts is no use."""
    return isinstance(error, (Outage, OperationalError, OSError))


@contextmanager
def translating(engine: Engine) -> Iterator[None]:
    """Errors of the driver leave the block as SQLAlchemyError."""
    try:
        yield
    except engine.dialect.loaded_dbapi.Error as error:
        blameless = (engine.dialect.loaded_dbapi.IntegrityError, engine.dialect.loaded_dbapi.DataError)
        kind = DriverFailed if isinstance(error, blameless) else Outage
        raise kind(str(error)) from error


class Writer:
    """The one who writes: threads of this process take turns, and with SQLite processes do too."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = Lock()
        self._file = -1
        self._path = f"{engine.url.database}.turn" if engine.dialect.name == "sqlite" else ""

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection whose transaction may write; rolled back unless the block commits it."""
        with self._lock, self._turn(), self._engine.connect() as connection:
            writing = connection.execution_options(pacs_writes=True)
            # begun here: what runs on the driver's own cursor begins nothing
            writing.begin()
            yield writing

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """The kernel wakes the next process at once; SQLite's own waiting polls, up to 100 ms apart."""
        if not self._path:
            yield
            return
        if self._file < 0:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
