"""Tables of index.db, and the steps that led to them. Portable SQL; SQLite's own ways are in database.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    func,
    insert,
    select,
)

from pacs_tui.archive.attributes import Attribute, stored_at
from pacs_tui.archive.values import FORMS
from pacs_tui.errors import StorageError
from pacs_tui.model.level import Level

metadata = MetaData()


def _columns(attributes: tuple[Attribute, ...]) -> Iterator[Column[Any]]:
    """One column for each attribute, and those that matching compares beside it (values.py)."""
    for attribute in attributes:
        for suffix, sample in FORMS[attribute.vr].columns("").items():
            kind = Integer() if sample is None else String()
            yield Column(attribute.column + suffix, kind, nullable=sample is None)


step = Table(
    "step",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("name", String, nullable=False),
)

area = Table(
    "area",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("ae_title", String, nullable=False, unique=True),
    Column("sta", String, nullable=False),
    Column("lta", String),
)

study = Table(
    "study",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("area_id", ForeignKey("area.id"), nullable=False),
    *_columns(stored_at(Level.PATIENT, Level.STUDY)),
    Column("modalities_in_study", String, nullable=False),
    Column("sop_classes_in_study", String, nullable=False),
    Column("number_of_study_related_series", Integer, nullable=False),
    Column("number_of_study_related_instances", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    # No index begins with the area: without statistics SQLite takes an area for few rows and sorts them all.
    UniqueConstraint("study_instance_uid", "area_id"),
    Index("study_by_date", "study_date", "study_time_key", "id", "area_id"),
    Index("study_by_patient", "patient_id", "area_id"),
    Index("study_by_accession", "accession_number", "area_id"),
    Index("study_by_alphabetic", "patient_name_alphabetic", "area_id"),
    Index("study_by_ideographic", "patient_name_ideographic", "area_id"),
    Index("study_by_phonetic", "patient_name_phonetic", "area_id"),
)
"""Carries the patient's attributes, modalities and counts, so that a C-FIND of studies joins nothing.

What the archive derives is named as the attribute that asks for it (attributes.DERIVED); backslashes join sets.
"""

series = Table(
    "series",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("study_id", ForeignKey("study.id"), nullable=False),
    *_columns(stored_at(Level.SERIES)),
    Column("number_of_series_related_instances", Integer, nullable=False),
    UniqueConstraint("study_id", "series_instance_uid"),
    Index("series_by_uid", "series_instance_uid"),
)

instance = Table(
    "instance",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("area_id", ForeignKey("area.id"), nullable=False),
    Column("series_id", ForeignKey("series.id"), nullable=False),
    *_columns(stored_at(Level.IMAGE)),
    Column("available_transfer_syntax_uid", String, nullable=False),
    Column("file", String, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("size", BigInteger, nullable=False),
    UniqueConstraint("sop_instance_uid", "area_id"),
    Index("instance_by_series", "series_id", "instance_number"),
)
"""`file` is the name of the Part 10 file (files.py), `content` the SHA-256 of its data set, `size` its bytes."""


def _first_tables(connection: Connection) -> None:
    metadata.create_all(connection, tables=[area, study, series, instance])


STEPS: tuple[tuple[str, Callable[[Connection], None]], ...] = (("first tables", _first_tables),)
"""Appended to, never changed: what has run somewhere stays as it was."""


def migrate(connection: Connection) -> None:
    """Bring the index up to date; a step and its record are committed together by the caller's transaction.

    StorageError when the index was written by a newer version: it is left alone.
    """
    metadata.create_all(connection, tables=[step])
    done = connection.scalar(select(func.coalesce(func.max(step.c.number), 0))) or 0
    if done > len(STEPS):
        raise StorageError(
            f"The archive's index is at schema step {done}, this version of pacs-tui knows {len(STEPS)}: "
            "start the version that wrote it, or a newer one."
        )
    for number, (name, change) in enumerate(STEPS[done:], done + 1):
        change(connection)
        connection.execute(insert(step).values(number=number, name=name))
