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


_NUMBER = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only where the column is called INTEGER."""
_TEXT = String().with_variant(String(collation="C"), "postgresql")
"""Compared by code points everywhere: the bounds of matching and the order of answers rely on it."""
_OTHER_GROUPS = ("patient_name_ideographic", "patient_name_phonetic")
"""At the end of the indexes that answers come in the order of: a name anywhere is found without reading the rows."""
INDIRECT = {"SOPClassUID": "sop_class_id"}
"""Attributes of an instance that are kept as a number of the table `uid`: a million rows repeat a few of them."""


def _columns(attributes: tuple[Attribute, ...]) -> Iterator[Column[Any]]:
    """One column for each attribute, and those that matching compares beside it (values.py)."""
    for attribute in attributes:
        if attribute.level is Level.IMAGE and attribute.keyword in INDIRECT:
            continue
        for suffix, sample in FORMS[attribute.vr].columns("").items():
            kind = Integer() if sample is None else _TEXT
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
    Column("instances", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
)
"""`instances` and `bytes` are what the area holds now."""

intake = Table(
    "intake",
    metadata,
    Column("area_id", ForeignKey("area.id"), primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("instances", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
)
"""What arrived on a day (YYYYMMDD, UTC), whatever became of it later."""

uid = Table(
    "uid",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uid", String, nullable=False, unique=True),
)
"""SOP classes and transfer syntaxes."""

patient = Table(
    "patient",
    metadata,
    Column("id", _NUMBER, primary_key=True),
    Column("area_id", ForeignKey("area.id"), nullable=False),
    *_columns(stored_at(Level.PATIENT)),
    Column("number_of_patient_related_studies", Integer, nullable=False),
    Column("number_of_patient_related_series", Integer, nullable=False),
    Column("number_of_patient_related_instances", Integer, nullable=False),
    UniqueConstraint("patient_id", "issuer_of_patient_id", "area_id"),
    Index("patient_by_name", "patient_name_alphabetic", "patient_id", "id", "area_id", *_OTHER_GROUPS),
    Index("patient_by_ideographic", "patient_name_ideographic"),
    Index("patient_by_phonetic", "patient_name_phonetic"),
)
"""A Patient ID and its issuer; what else is said of the patient is what the youngest study says."""

study = Table(
    "study",
    metadata,
    Column("id", _NUMBER, primary_key=True),
    Column("area_id", ForeignKey("area.id"), nullable=False),
    Column("patient_key", ForeignKey("patient.id"), nullable=False),
    *_columns(stored_at(Level.PATIENT, Level.STUDY)),
    Column("modalities_in_study", String, nullable=False),
    Column("sop_classes_in_study", String, nullable=False),
    Column("number_of_study_related_series", Integer, nullable=False),
    Column("number_of_study_related_instances", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    # No index begins with the area: without statistics SQLite takes an area for few rows and sorts them all.
    UniqueConstraint("study_instance_uid", "area_id"),
    Index("study_by_date", "study_date", "study_time", "id", "area_id", "patient_name_alphabetic", *_OTHER_GROUPS),
    Index("study_of_patient", "patient_key"),
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
    Column("id", _NUMBER, primary_key=True),
    Column("study_id", ForeignKey("study.id"), nullable=False),
    *_columns(stored_at(Level.SERIES)),
    Column("number_of_series_related_instances", Integer, nullable=False),
    UniqueConstraint("series_instance_uid", "study_id"),
    Index("series_of_study", "study_id", "series_number"),
)

instance = Table(
    "instance",
    metadata,
    Column("id", _NUMBER, primary_key=True),
    Column("area_id", ForeignKey("area.id"), nullable=False),
    Column("series_id", ForeignKey("series.id"), nullable=False),
    Column("sop_class_id", ForeignKey("uid.id"), nullable=False),
    Column("transfer_syntax_id", ForeignKey("uid.id"), nullable=False),
    *_columns(stored_at(Level.IMAGE)),
    Column("content", LargeBinary, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("received", BigInteger, nullable=False),
    UniqueConstraint("sop_instance_uid", "area_id"),
    Index("instance_of_series", "series_id", "instance_number"),
)
"""`content` is the BLAKE3 digest of the data set, which with the UID names the Part 10 file (files.py); `size` are the
bytes of that file, `received` the second (Unix time) of its arrival."""

conflict = Table(
    "conflict",
    metadata,
    Column("id", _NUMBER, primary_key=True),
    Column("area_id", ForeignKey("area.id"), nullable=False),
    Column("kind", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("held", String, nullable=False),
    Column("came", String, nullable=False),
    Column("calling", String, nullable=False),
    Column("file", String, nullable=False),
    Column("received", BigInteger, nullable=False),
    UniqueConstraint("subject", "kind", "held", "came", "area_id"),
)
"""What contradicts what is held, once each: `content` (an instance, its second copy in quarantine as `file`),
`replaced` (an instance, its first copy in quarantine), `patient` (one Patient ID, two people), `study` (one study,
two Patient IDs)."""


def _first_tables(connection: Connection) -> None:
    metadata.create_all(connection)


STEPS: tuple[tuple[str, Callable[[Connection], None]], ...] = (("tables of the first release", _first_tables),)
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
    for number, name in connection.execute(select(step.c.number, step.c.name).order_by(step.c.number)):
        if STEPS[number - 1][0] != name:
            raise StorageError(
                "The archive's index was made by a version before the first release: move it away, and "
                "`pacs-tui archive rebuild` makes it anew from the files."
            )
    for number, (name, change) in enumerate(STEPS[done:], done + 1):
        change(connection)
        connection.execute(insert(step).values(number=number, name=name))
