"""One instance into the index: its row, and what it adds to its series and study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, bindparam, insert, select, update

from pacs_tui.archive import values
from pacs_tui.archive.attributes import Attribute, stored_at
from pacs_tui.archive.files import file_name
from pacs_tui.archive.schema import instance, series, study
from pacs_tui.model.level import Level

_STUDY_ATTRIBUTES = stored_at(Level.PATIENT, Level.STUDY)
_SERIES_ATTRIBUTES = stored_at(Level.SERIES)
_INSTANCE_ATTRIBUTES = stored_at(Level.IMAGE)


class _Parent:
    """How the row of a study or series is found and made; building a statement costs more than running it."""

    def __init__(self, table: Table, attributes: tuple[Attribute, ...], within: str, uid: str, **start: Any) -> None:
        self.table = table
        self.attributes = attributes
        self.within = within
        self.uid = uid
        self.start = start
        self.add = insert(table)
        self.find = select(table).where(table.c[within] == bindparam("within"), table.c[uid] == bindparam("uid"))


_STUDY = _Parent(
    study, _STUDY_ATTRIBUTES, "area_id", "study_instance_uid", modalities_in_study="", sop_classes_in_study="",
    number_of_study_related_series=0, number_of_study_related_instances=0, bytes=0,
)  # fmt: skip
_SERIES = _Parent(
    series, _SERIES_ATTRIBUTES, "study_id", "series_instance_uid", number_of_series_related_instances=0
)  # fmt: skip
_ADD_INSTANCE = insert(instance)
_FIND_INSTANCE = select(instance.c.content).where(
    instance.c.area_id == bindparam("area_id"), instance.c.sop_instance_uid == bindparam("uid")
)
_GROW_SERIES = (
    update(series)
    .where(series.c.id == bindparam("key"))
    .values(number_of_series_related_instances=series.c.number_of_series_related_instances + 1)
)
_GROW_STUDY = (
    update(study)
    .where(study.c.id == bindparam("key"))
    .values(
        number_of_study_related_series=study.c.number_of_study_related_series + bindparam("more_series"),
        number_of_study_related_instances=study.c.number_of_study_related_instances + 1,
        bytes=study.c.bytes + bindparam("more_bytes"),
        modalities_in_study=bindparam("modalities"),
        sop_classes_in_study=bindparam("sop_classes"),
    )
)


@dataclass(frozen=True, slots=True)
class Arrival:
    """An instance that has arrived whole: what the index writes down about it."""

    header: Mapping[str, str]
    """Keyword to text; its UIDs have been checked."""
    transfer_syntax: str
    content: bytes
    """SHA-256 of the data set."""
    size: int


class Writing:
    """An open transaction of the index."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, area_id: int, arrival: Arrival) -> bytes | None:
        """Write an instance down; when its UID is known in this area, change nothing and return its content digest."""
        row = values.row(_INSTANCE_ATTRIBUTES, arrival.header)
        known = self._connection.scalar(_FIND_INSTANCE, {"area_id": area_id, "uid": row["sop_instance_uid"]})
        if known is not None:
            return bytes(known)
        of_study = {**values.row(_STUDY_ATTRIBUTES, arrival.header), "area_id": area_id}
        old_study, _ = self._parent(_STUDY, of_study)
        of_series = {**values.row(_SERIES_ATTRIBUTES, arrival.header), "study_id": old_study["id"]}
        old_series, first = self._parent(_SERIES, of_series)
        self._connection.execute(
            _ADD_INSTANCE,
            {
                **row,
                "area_id": area_id,
                "series_id": old_series["id"],
                "available_transfer_syntax_uid": arrival.transfer_syntax,
                "file": file_name(str(row["sop_instance_uid"])),
                "content": arrival.content,
                "size": arrival.size,
            },
        )
        self._connection.execute(_GROW_SERIES, {"key": old_series["id"]})
        self._connection.execute(
            _GROW_STUDY,
            {
                "key": old_study["id"],
                "more_series": int(first),
                "more_bytes": arrival.size,
                "modalities": _with(old_study["modalities_in_study"], str(of_series["modality"])),
                "sop_classes": _with(old_study["sop_classes_in_study"], str(row["sop_class_uid"])),
            },
        )
        return None

    def commit(self) -> None:
        """Every instance added is durable when this returns."""
        self._connection.commit()

    def _parent(self, parent: _Parent, new: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
        """The study or series an instance belongs to, with its blanks filled, and whether it had to be made."""
        keys = {"within": new[parent.within], "uid": new[parent.uid]}
        row = self._connection.execute(parent.find, keys).mappings().first()
        if row is None:
            key = self._connection.execute(parent.add, {**new, **parent.start}).inserted_primary_key
            return {**parent.start, "id": key[0] if key else None}, True
        found = dict(row)
        filled = values.filled(parent.attributes, found, new)
        if filled:
            table = parent.table
            self._connection.execute(update(table).where(table.c.id == found["id"]).values(filled))
        return found, False


def _with(joined: str, value: str) -> str:
    """A set of texts joined by backslashes, in order, with one more."""
    return "\\".join(sorted({*joined.split("\\"), value} - {""}))
