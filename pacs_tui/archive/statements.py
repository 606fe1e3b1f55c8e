"""The statements of the store path, in Core, compiled once for the database at hand."""

from __future__ import annotations

from sqlalchemy import Dialect, Table, bindparam, insert, select, update

from pacs_tui.archive.attributes import Attribute, stored_at
from pacs_tui.archive.prepared import Prepared
from pacs_tui.archive.schema import INDIRECT, area, instance, intake, patient, series, study, uid
from pacs_tui.model.level import Level

STUDY_START = {
    "modalities_in_study": "", "sop_classes_in_study": "", "number_of_study_related_series": 0,
    "number_of_study_related_instances": 0, "bytes": 0,
}  # fmt: skip
SERIES_START = {"number_of_series_related_instances": 0}
PATIENT_START = {
    "number_of_patient_related_studies": 0, "number_of_patient_related_series": 0,
    "number_of_patient_related_instances": 0,
}  # fmt: skip
PATIENT_ATTRIBUTES = stored_at(Level.PATIENT)
STUDY_ATTRIBUTES = stored_at(Level.PATIENT, Level.STUDY)
SERIES_ATTRIBUTES = stored_at(Level.SERIES)
INSTANCE_ATTRIBUTES = tuple(a for a in stored_at(Level.IMAGE) if a.keyword not in INDIRECT)


class Parent:
    """How rows of patients, studies and series are found, made and grown."""

    def __init__(
        self, table: Table, dialect: Dialect, attributes: tuple[Attribute, ...], keys: tuple[str, ...],
        start: dict[str, object], grown: dict[str, str], plain: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        """`keys` find a row, `grown` names the counts a batch adds to by their columns, `plain` are columns it sets."""
        self.table = table
        self.attributes = attributes
        self.start = start
        self.columns = tuple(table.c.keys())
        self.find = Prepared(select(table).where(*(table.c[k] == bindparam(k) for k in keys)), dialect)
        self.add = Prepared(insert(table).returning(table.c.id), dialect, [c for c in self.columns if c != "id"])
        more = {c: table.c[c] + bindparam(f"more_{name}") for c, name in grown.items()}
        set_to: dict[str, object] = {c: bindparam(f"set_{c}") for c in plain}
        self.grow = Prepared(update(table).where(table.c.id == bindparam("key")).values({**more, **set_to}), dialect)


class Statements:
    """Everything a batch runs for each instance, study, series and patient."""

    def __init__(self, dialect: Dialect) -> None:
        self.find_instance = Prepared(
            select(instance.c.id, instance.c.content).where(
                instance.c.sop_instance_uid == bindparam("uid"), instance.c.area_id == bindparam("area_id")
            ),
            dialect,
        )
        self.add_instance = Prepared(
            insert(instance), dialect, [column.key for column in instance.c if column.key != "id"]
        )
        self.find_uid = Prepared(select(uid.c.id).where(uid.c.uid == bindparam("wanted")), dialect)
        self.add_uid = Prepared(insert(uid).returning(uid.c.id), dialect, ["uid"])
        self.patient = Parent(
            patient, dialect, PATIENT_ATTRIBUTES, ("patient_id", "issuer_of_patient_id", "area_id"),
            {**PATIENT_START}, dict(zip(PATIENT_START, ("studies", "series", "instances"), strict=True)),
        )  # fmt: skip
        self.study = Parent(
            study, dialect, STUDY_ATTRIBUTES, ("study_instance_uid", "area_id"), {**STUDY_START},
            {"number_of_study_related_series": "series", "number_of_study_related_instances": "instances",
             "bytes": "bytes"},
            ("modalities_in_study", "sop_classes_in_study"),
        )  # fmt: skip
        self.series = Parent(
            series, dialect, SERIES_ATTRIBUTES, ("series_instance_uid", "study_id"), {**SERIES_START},
            {"number_of_series_related_instances": "instances"},
        )  # fmt: skip
        self.grow_area = Prepared(
            update(area).where(area.c.id == bindparam("key")).values(
                instances=area.c.instances + bindparam("more_instances"), bytes=area.c.bytes + bindparam("more_bytes")
            ),
            dialect,
        )  # fmt: skip
        self.grow_intake = Prepared(
            update(intake).where(intake.c.area_id == bindparam("key"), intake.c.day == bindparam("on_day")).values(
                instances=intake.c.instances + bindparam("more_instances"),
                bytes=intake.c.bytes + bindparam("more_bytes"),
            ),
            dialect,
        )  # fmt: skip
        self.add_intake = Prepared(insert(intake), dialect, ["area_id", "day", "instances", "bytes"])
