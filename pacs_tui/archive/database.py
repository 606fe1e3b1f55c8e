"""The engine under the index: the one place that knows SQLite from other databases."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from pacs_tui.errors import SettingsError

BUSY_MILLISECONDS = 30_000


def connect(url: str) -> Engine:
    """An engine whose commits survive a power cut and whose LIKE respects case. SettingsError for a bad URL."""
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
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A connection whose transaction may write; rolled back unless the block commits it."""
    with engine.connect().execution_options(pacs_writes=True) as connection:
        yield connection


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # The driver must not begin transactions by itself: it would leave DDL outside and start writes as readers.
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout={BUSY_MILLISECONDS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "case_sensitive_like=ON",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    # A reader that turns into a writer is refused when somebody else wrote meanwhile, so writers say so at once.
    immediate = connection.get_execution_options().get("pacs_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
