"""The tables of the job queue in pacs.db, and opening that database."""

from __future__ import annotations

from pathlib import Path
from sqlite3 import Connection as SQLiteConnection
from typing import Any

from filelock import FileLock
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Engine,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    insert,
    inspect,
    make_url,
    select,
)

from pacs_tui.errors import StorageError

VERSION = 1
"""Counted up when a table changes."""

BUSY_SECONDS = 30
"""How long a writer waits for another before it gives up."""

metadata = MetaData()

queue = Table(
    "queue",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("schema_version", Integer, nullable=False),
    Column("changes", Integer, nullable=False),
    comment="One row. `changes` counts every committed change, so that a poller reads one number.",
)

job = Table(
    "job",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("source", Text, nullable=False),
    Column("destination", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("total", Integer, nullable=False),
    Column("sent", Integer, nullable=False, default=0),
    Column("verified", Integer, nullable=False, default=0),
    Column("created", Float, nullable=False),
    Column("started", Float),
    Column("finished", Float),
    Column("rate", Float),
    Column("worker", Text, nullable=False, default=""),
    Column("lease", Float, comment="Until when its worker holds it; NULL where nobody does."),
    Column("attempts", Integer, nullable=False, default=0, comment="Claims so far: with `worker`, who may write."),
    Column("lost", Integer, nullable=False, default=0, comment="Leases that ran out since it was enqueued or retried."),
    Column("cancel", Boolean, nullable=False, default=False, comment="Somebody asked its worker to stop."),
    Column("code", Text, nullable=False, default=""),
    Column("reason", Text, nullable=False, default=""),
    Column("facts", Text, nullable=False, default="[]", comment="JSON: pairs of name and value."),
    Index("job_by_state", "state", "id"),
    sqlite_autoincrement=True,
)

target = Table(
    "target",
    metadata,
    Column("job", ForeignKey("job.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("level", String(8), nullable=False),
    Column("patient_id", Text, nullable=False),
    Column("study_uid", String(64), nullable=False),
    Column("series_uid", String(64), nullable=False),
    Column("instance_uids", Text, nullable=False, comment="Joined by backslashes, as in an identifier."),
    sqlite_with_rowid=False,
)

item = Table(
    "item",
    metadata,
    Column("job", ForeignKey("job.id"), primary_key=True),
    Column("sop_instance", String(64), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("study_uid", String(64), nullable=False),
    Column("series_uid", String(64), nullable=False),
    Column("sop_class", String(64), nullable=False),
    Column("verified", Boolean, nullable=False, default=False),
    sqlite_with_rowid=False,
)

log = Table(
    "event",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job", ForeignKey("job.id"), nullable=False),
    Column("time", Float, nullable=False),
    Column("text", Text, nullable=False),
    Index("event_by_job", "job", "id"),
    sqlite_autoincrement=True,
)


def open_database(url: str) -> Engine:
    """An engine on the queue's database, with its tables made if it is new.

    Raises StorageError where the file is of a newer version than this program. Several processes may open it at once.
    """
    address = make_url(url)
    if address.get_backend_name() != "sqlite":
        engine = create_engine(address)
        _make(engine)
        return engine
    if not address.database or address.database == ":memory:":
        raise StorageError(f"The job queue is shared by processes and needs a file, not {url!r}.")
    path = Path(address.database)
    engine = create_engine(address, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})
    event.listen(engine, "connect", _set_up_connection)
    event.listen(engine, "begin", _begin)
    path.parent.mkdir(parents=True, exist_ok=True)
    # SQLite answers "locked" at once when two processes switch a new file to WAL, whatever the busy timeout says.
    with FileLock(path.with_name(path.name + ".opening"), timeout=BUSY_SECONDS):
        _make(engine)
    return engine


def _set_up_connection(connection: SQLiteConnection, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions of its own: _begin does
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin(connection: Connection) -> None:
    # A transaction that reads and then writes would fail instead of waiting if another wrote in between.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _make(engine: Engine) -> None:
    if not inspect(engine).has_table(queue.name):
        with engine.execution_options(writes=True).begin() as connection:
            metadata.create_all(connection)
            connection.execute(insert(queue).values(id=1, schema_version=VERSION, changes=0))
    with engine.connect() as connection:
        found = connection.execute(select(queue.c.schema_version)).scalar_one()
    if found != VERSION:
        raise StorageError(
            f"The job queue {engine.url.database} has version {found}, this program knows {VERSION}: update pacs-tui."
        )
