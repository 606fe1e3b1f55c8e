"""The index: which instances which area holds. Every thread may call it; one at a time writes."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from pacs_tui.archive import database
from pacs_tui.archive.query import SOURCES, columns_of, statement
from pacs_tui.archive.schema import area, instance, migrate, series, study
from pacs_tui.archive.writing import Writing
from pacs_tui.errors import Refused
from pacs_tui.model.find import FindAnswer, FindRequest
from pacs_tui.model.level import Level
from pacs_tui.model.transfer import Target
from pacs_tui.settings import Area

_log = logging.getLogger(__name__)
_CHUNK = 200
"""Rows fetched at once while a query is answered."""
_UIDS = 500
"""Instances looked up by one statement of a retrieve."""
_FOUND = (
    study.c.study_instance_uid,
    instance.c.sop_class_uid,
    instance.c.sop_instance_uid,
    instance.c.available_transfer_syntax_uid,
    instance.c.file,
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

    def __init__(self, url: str) -> None:
        self._engine: Engine = database.connect(url)
        # SQLite lets one transaction write; waiting here is fair and wakes at once, waiting there polls.
        self._writing = Lock()

    def open(self, areas: Sequence[Area]) -> dict[str, int]:
        """Bring the tables up to date and write the areas down; AE title to area number."""
        with self._writing, database.writing(self._engine) as connection:
            migrate(connection)
            numbers = {each.ae_title: _area(connection, each) for each in areas}
            connection.commit()
        return numbers

    def close(self) -> None:
        """Let the connections go; those in use by an answer go with it."""
        self._engine.dispose()

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """One transaction, alone; undone unless it is committed in the block."""
        with self._writing, database.writing(self._engine) as connection:
            yield Writing(connection)

    def find(self, request: FindRequest, area_id: int) -> FindAnswer:
        """Answer a query (PS3.4 C.4.1); Refused (A900) at once, rows when they are asked for."""
        return FindAnswer(columns_of(request), self._rows(statement(request, area_id)))

    def _rows(self, query: Select[Any]) -> Iterator[Sequence[str]]:
        """Rows as the cursor gives them; its connection is this generator's own and goes back when it is dropped."""
        try:
            with self._engine.connect().execution_options(yield_per=_CHUNK) as connection:
                yield from connection.execute(query)
        except SQLAlchemyError as error:
            _log.error("a query failed: %s", error)
            raise Refused("The archive's index cannot be read.", "status:C-FIND:C000", status=0xC000) from error

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
        rows: list[Row[Any]] = []
        with self._engine.connect() as connection:
            for part in parts:
                one_of = [instance.c.sop_instance_uid.in_(part)] if part else []
                query = select(*_FOUND, *_PLACE).select_from(SOURCES[Level.IMAGE]).where(*conditions, *one_of)
                rows += connection.execute(query).all()
        rows.sort(key=_place)
        return [Found(*row[: len(_FOUND)]) for row in rows]

    def counts(self) -> list[Counts]:
        """What every area holds, in the order they were first opened."""
        query = (
            select(
                area.c.ae_title,
                func.count(study.c.id),
                func.coalesce(func.sum(study.c.number_of_study_related_series), 0),
                func.coalesce(func.sum(study.c.number_of_study_related_instances), 0),
                func.coalesce(func.sum(study.c.bytes), 0),
            )
            .select_from(area.outerjoin(study, study.c.area_id == area.c.id))
            .group_by(area.c.id, area.c.ae_title)
            .order_by(area.c.id)
        )
        with self._engine.connect() as connection:
            return [Counts(title, *map(int, numbers)) for title, *numbers in connection.execute(query)]


def _area(connection: Connection, wanted: Area) -> int:
    """The number of an area, its folders brought up to date."""
    folders = {"sta": str(wanted.sta.absolute()), "lta": str(wanted.lta.absolute()) if wanted.lta else None}
    changed = connection.execute(update(area).where(area.c.ae_title == wanted.ae_title).values(folders))
    if not changed.rowcount:
        connection.execute(insert(area).values(ae_title=wanted.ae_title, **folders))
    number: int = connection.execute(select(area.c.id).where(area.c.ae_title == wanted.ae_title)).scalar_one()
    return number


def _place(row: Row[Any]) -> tuple[Any, ...]:
    """Where a row of _FOUND and _PLACE stands; without a number at the end."""
    date, study_id, series_number, series_id, number, instance_id = row[len(_FOUND) :]
    return (date, study_id, *_last(series_number), series_id, *_last(number), instance_id)


def _last(number: int | None) -> tuple[bool, int]:
    return (number is None, number or 0)
