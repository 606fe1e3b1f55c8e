"""The index: which instances which area holds. Every thread may call it; writers of one moment share a transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Engine, Row, func, insert, select, update

from pacs_tui.archive import database
from pacs_tui.archive.answering import Rows
from pacs_tui.archive.arrival import Arrival, Conflict, Fate, Result
from pacs_tui.archive.commits import After, Commits
from pacs_tui.archive.files import file_name
from pacs_tui.archive.keys import unsupported
from pacs_tui.archive.query import SOURCES, columns_of, shaped, statement
from pacs_tui.archive.schema import area, conflict, instance, intake, migrate, series, study, uid
from pacs_tui.archive.statements import Statements
from pacs_tui.archive.writing import Batch
from pacs_tui.model.find import FindAnswer, FindRequest
from pacs_tui.model.level import Level
from pacs_tui.model.transfer import Target
from pacs_tui.settings import Area

_UIDS = 500
"""Instances looked up by one statement of a retrieve."""
_sop_class = uid.alias("sop_class")
_transfer_syntax = uid.alias("transfer_syntax")
_FOUND = (
    study.c.study_instance_uid,
    _sop_class.c.uid,
    instance.c.sop_instance_uid,
    _transfer_syntax.c.uid,
    instance.c.content,
)
_PLACE = (
    study.c.study_date,
    study.c.id,
    series.c.series_number,
    series.c.id,
    instance.c.instance_number,
    instance.c.id,
)


@dataclass(frozen=True, slots=True)
class Counts:
    """What one area holds."""

    ae_title: str
    studies: int
    series: int
    instances: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Found:
    """An instance the index knows, and the name of its file."""

    study_uid: str
    sop_class: str
    sop_instance: str
    transfer_syntax: str
    file: str


class Index:
    """The archive's index.db. Failures of the database come as SQLAlchemyError; archive.py knows what they mean."""

    def __init__(self, url: str, durable: bool = True, busy_seconds: float = database.BUSY_SECONDS) -> None:
        """`durable`: commits survive a power cut. `busy_seconds`: how long a foreign program may hold the file."""
        self._engine: Engine = database.connect(url, durable, busy_seconds)
        self._writer = database.Writer(self._engine)
        self._statements = Statements(self._engine.dialect)
        self._uids: dict[str, int] = {}
        self._commits = Commits(self._write)
        self._durable = durable
        self._looking = Lock()
        self._look: Connection | None = None

    def open(self, areas: Sequence[Area]) -> dict[str, int]:
        """Bring the tables up to date and write the areas down; AE title to area number."""
        with self._writer.transaction() as connection:
            migrate(connection)
            numbers = {each.ae_title: _area(connection, each) for each in areas}
            connection.commit()
        return numbers

    def close(self) -> None:
        """Commit what is owed and let the connections go; those in use by an answer go with it."""
        self._commits.close()
        if self._look is not None:
            self._look.close()
        self._engine.dispose()
        self._writer.close()

    # ------------------------------------------------------------------ writing

    @property
    def waiting(self) -> int:
        """Arrivals that are not committed yet."""
        return self._commits.waiting

    def add(self, arrival: Arrival, after: After) -> Result:
        """Write an instance down together with what other threads bring; `after` is called once it is committed.

        That is before this returns, but for a new instance of an index that is not durable: some 50 ms later.
        """
        if not self._durable and self._is_new(arrival):
            self._commits.post(arrival, after)
            return Result(Fate.NEW)
        return self._commits.add(arrival, after)

    def _is_new(self, arrival: Arrival) -> bool:
        """True when nothing is known or owed under this UID."""
        if self._commits.content_posted(arrival.area_id, arrival.sop_instance) is not None:
            return False
        wanted = {"uid": arrival.sop_instance, "area_id": arrival.area_id}
        with database.translating(self._engine), self._looking:
            if self._look is None:
                self._look = self._engine.connect()
                # a transaction would see for ever what it saw first
                self._look.connection.rollback()
            cursor = self._look.connection.cursor()
            return self._statements.find_instance.run(cursor, wanted).fetchone() is None

    def flush(self) -> None:
        """What was stored before is found after."""
        self._commits.flush(retry=False)

    def add_all(self, arrivals: Sequence[Arrival]) -> Sequence[Result]:
        """Write instances down in one transaction of their own."""
        return self._write(arrivals)

    def _write(self, arrivals: Sequence[Arrival]) -> Sequence[Result]:
        with database.translating(self._engine), self._writer.transaction() as connection:
            try:
                batch = Batch(connection, self._statements, self._uids)
                results = [self._one(batch, arrival) for arrival in arrivals]
                batch.finish()
                connection.commit()
            except BaseException:
                # one that met an I/O error or a damaged file may go on failing when both are mended
                connection.invalidate()
                raise
        self._uids |= batch.new_uids
        return results

    def _one(self, batch: Batch, arrival: Arrival) -> Result:
        result = batch.add(arrival)
        if result.fate in (Fate.DIFFERENT, Fate.REPLACED):
            kept = result.fate is Fate.DIFFERENT
            aside = file_name(arrival.sop_instance, arrival.content if kept else result.before)
            batch.list_conflict(Conflict(
                arrival.area_id, "content" if kept else "replaced", arrival.sop_instance, result.before.hex(),
                arrival.content.hex(), arrival.calling, aside, arrival.received,
            ))  # fmt: skip
        return result

    # ------------------------------------------------------------------ asking

    def find(
        self, request: FindRequest, area_id: int, cap: int, strict: bool = True, fuzzy: bool = False
    ) -> FindAnswer:
        """Answer a query (PS3.4 C.4.1); Refused (A900) at once, rows when they are asked for.

        `strict` and `fuzzy` are those of query.statement.
        """
        self.flush()
        rows = Rows(self._engine, statement(request, area_id, strict=strict, fuzzy=fuzzy), cap)
        return FindAnswer(columns_of(request), shaped(request, rows), bool(unsupported(request)), rows.interrupt)

    def targets(self, target: Target, area_id: int) -> list[Found]:
        """The instances of a target by study date, series number and instance number."""
        conditions = [
            column == value
            for column, value in (
                (study.c.area_id, area_id),
                (study.c.patient_id, target.patient_id),
                (study.c.study_instance_uid, target.study_uid),
                (series.c.series_instance_uid, target.series_uid),
            )
            if value != ""
        ]
        uids = sorted(set(target.instance_uids))
        parts = [uids[i : i + _UIDS] for i in range(0, len(uids), _UIDS)] or [[]]
        source = (
            SOURCES[Level.IMAGE]
            .join(_sop_class, _sop_class.c.id == instance.c.sop_class_id)
            .join(_transfer_syntax, _transfer_syntax.c.id == instance.c.transfer_syntax_id)
        )
        rows: list[Row[Any]] = []
        self.flush()
        with self._engine.connect() as connection:
            for part in parts:
                one_of = [instance.c.sop_instance_uid.in_(part)] if part else []
                query = select(*_FOUND, *_PLACE).select_from(source).where(*conditions, *one_of)
                rows += connection.execute(query).all()
        rows.sort(key=_place)
        return [Found(row[0], row[1], row[2], row[3], file_name(row[2], row[4])) for row in rows]

    def counts(self) -> list[Counts]:
        """What every area holds, in the order they were first opened."""
        query = (
            select(
                area.c.ae_title,
                func.count(study.c.id),
                func.coalesce(func.sum(study.c.number_of_study_related_series), 0),
                area.c.instances,
                area.c.bytes,
            )
            .select_from(area.outerjoin(study, study.c.area_id == area.c.id))
            .group_by(area.c.id, area.c.ae_title, area.c.instances, area.c.bytes)
            .order_by(area.c.id)
        )
        with self._engine.connect() as connection:
            return [Counts(title, *map(int, numbers)) for title, *numbers in connection.execute(query)]

    def held_bytes(self, area_id: int) -> int:
        """Bytes of the instances an area holds."""
        with self._engine.connect() as connection:
            return int(connection.scalar(select(area.c.bytes).where(area.c.id == area_id)) or 0)

    def intake(self, since: int) -> list[tuple[str, int, int, int]]:
        """(AE title, day as YYYYMMDD, instances, bytes) of every day from `since` on."""
        query = (
            select(area.c.ae_title, intake.c.day, intake.c.instances, intake.c.bytes)
            .join(area, area.c.id == intake.c.area_id)
            .where(intake.c.day >= since)
            .order_by(intake.c.day, area.c.id)
        )
        with self._engine.connect() as connection:
            return [(str(t), int(d), int(n), int(b)) for t, d, n, b in connection.execute(query)]

    def conflicts(self, limit: int = 1000) -> list[tuple[str, Conflict]]:
        """AE title and contradiction, youngest first."""
        columns = [conflict.c[name] for name in Conflict.__slots__]
        query = (
            select(area.c.ae_title, *columns)
            .join(area, area.c.id == conflict.c.area_id)
            .order_by(conflict.c.id.desc())
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return [(str(title), Conflict(*rest)) for title, *rest in connection.execute(query)]

    def contents(self, area_id: int) -> Iterator[tuple[str, str, int]]:
        """(SOP Instance UID, file name, bytes) of every instance of an area."""
        query = select(instance.c.sop_instance_uid, instance.c.content, instance.c.size).where(
            instance.c.area_id == area_id
        )
        with self._engine.connect() as connection:
            for sop_instance, content, size in connection.execution_options(yield_per=1000).execute(query):
                yield sop_instance, file_name(sop_instance, content), size


def _area(connection: Connection, wanted: Area) -> int:
    """The number of an area, its folders brought up to date."""
    folders = {"sta": str(wanted.sta.absolute()), "lta": str(wanted.lta.absolute()) if wanted.lta else None}
    changed = connection.execute(update(area).where(area.c.ae_title == wanted.ae_title).values(folders))
    if not changed.rowcount:
        connection.execute(insert(area).values(ae_title=wanted.ae_title, instances=0, bytes=0, **folders))
    number: int = connection.execute(select(area.c.id).where(area.c.ae_title == wanted.ae_title)).scalar_one()
    return number


def _place(row: Row[Any]) -> tuple[Any, ...]:
    """Where a row of _FOUND and _PLACE stands; without a number at the end."""
    date, study_id, series_number, series_id, number, instance_id = row[len(_FOUND) :]
    return (date, study_id, *_last(series_number), series_id, *_last(number), instance_id)


def _last(number: int | None) -> tuple[bool, int]:
    return (number is None, number or 0)
