"""Instances into the index: their rows, and what they add to their series, study, patient and area.

A `Batch` is what one transaction writes. Each patient, study and series is read once in it and grown once at its end,
so that a hundred slices of one series cost a hundred short inserts.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, insert, select, update

from pacs_tui.archive import values
from pacs_tui.archive.arrival import Arrival, Conflict, Fate, Result, tags_of
from pacs_tui.archive.attributes import Attribute
from pacs_tui.archive.removing import remove
from pacs_tui.archive.schema import conflict
from pacs_tui.archive.statements import INSTANCE_ATTRIBUTES, Parent, Statements

_PERSON = ("patient_name_alphabetic", "patient_birth_date", "patient_sex")
"""What two studies of one Patient ID have to agree on."""
_DAY = 86_400
_IDENTITY = frozenset(("PatientID", "IssuerOfPatientID"))
"""Never filled in later: it decides whose study it is."""


@dataclass(slots=True)
class _State:
    """A patient, study or series in the course of a batch."""

    parent: Parent
    key: int
    row: dict[str, Any]
    blanks: dict[int, Attribute]
    """Attributes nothing is known of yet, by tag."""
    filled: dict[str, Any] = field(default_factory=dict)
    plain: dict[str, set[str]] = field(default_factory=dict)
    above: _State | None = None
    studies: int = 0
    series: int = 0
    instances: int = 0
    bytes: int = 0
    """What is added to the counts."""


class Batch:
    """The arrivals of one transaction; `finish` before it is committed."""

    def __init__(self, connection: Connection, statements: Statements, uids: dict[str, int]) -> None:
        """`uids` are numbers of the table `uid` known to be committed; `new_uids` holds what this batch learnt."""
        self._connection = connection
        self._cursor = connection.connection.cursor()
        self._statements = statements
        self._uids = uids
        self.new_uids: dict[str, int] = {}
        self._states: dict[tuple[object, ...], _State] = {}
        self._areas: dict[tuple[int, int], list[int]] = {}

    def add(self, arrival: Arrival) -> Result:
        """Write an instance down, unless its UID is known in its area and it is not to be replaced."""
        known = self._statements.find_instance.run(
            self._cursor, {"uid": arrival.sop_instance, "area_id": arrival.area_id}
        ).fetchone()
        fate, before = Fate.NEW, b""
        if known is not None:
            before = bytes(known[1])
            if before == arrival.content:
                return Result(Fate.KNOWN, before)
            if not arrival.replace:
                return Result(Fate.DIFFERENT, before)
            self.finish()
            remove(self._connection, known[0])
            fate = Fate.REPLACED
        study = self._study(arrival)
        series = self._series(arrival, study)
        self._statements.add_instance.run(self._cursor, {
            **values.row(INSTANCE_ATTRIBUTES, arrival.header), "area_id": arrival.area_id, "series_id": series.key,
            "sop_class_id": self._uid(arrival.sop_class), "transfer_syntax_id": self._uid(arrival.transfer_syntax),
            "content": arrival.content, "size": arrival.size, "received": arrival.received,
        })  # fmt: skip
        self._grow(arrival, study, series)
        return Result(fate, before)

    def finish(self) -> None:
        """Write what the arrivals add to the rows above them."""
        for state in self._states.values():
            grown: dict[str, object] = {
                "more_studies": state.studies, "more_series": state.series, "more_instances": state.instances,
                "more_bytes": state.bytes, **{f"set_{c}": "\\".join(sorted(names)) for c, names in state.plain.items()},
            }  # fmt: skip
            state.parent.grow.run(self._cursor, {**grown, "key": state.key})
            if state.filled:
                table = state.parent.table
                self._connection.execute(update(table).where(table.c.id == state.key).values(state.filled))
        for (area_id, days), (instances, size) in self._areas.items():
            day = time.strftime("%Y%m%d", time.gmtime(days * _DAY))
            counts = {"key": area_id, "more_instances": instances, "more_bytes": size}
            self._statements.grow_area.run(self._cursor, counts)
            if not self._statements.grow_intake.run(self._cursor, {**counts, "on_day": int(day)}).rowcount:
                self._statements.add_intake.run(
                    self._cursor, {"area_id": area_id, "day": int(day), "instances": instances, "bytes": size}
                )
        self._states, self._areas = {}, {}

    def list_conflict(self, found: Conflict) -> None:
        """Note a contradiction, once however often it comes."""
        table = conflict.c
        same = (
            table.area_id == found.area_id, table.kind == found.kind, table.subject == found.subject,
            table.held == found.held, table.came == found.came,
        )  # fmt: skip
        if self._connection.execute(select(table.id).where(*same)).first() is None:
            row = {name: getattr(found, name) for name in Conflict.__slots__}
            self._connection.execute(insert(conflict).values(row))

    # ------------------------------------------------------------------ rows above

    def _study(self, arrival: Arrival) -> _State:
        parent = self._statements.study
        key = ("study", arrival.area_id, arrival.study_uid)
        state = self._found(parent, key, {"study_instance_uid": arrival.study_uid, "area_id": arrival.area_id})
        if state is None:
            row = {**values.row(parent.attributes, arrival.header), "area_id": arrival.area_id}
            patient = self._patient(arrival, row)
            state = self._made(parent, key, {**row, "patient_key": patient.key})
            state.above = patient
            patient.studies += 1
        else:
            self._fill(state, arrival.header)
            self._check_identity(state, arrival)
        if not state.plain:
            state.plain = {column: _split(state.row[column]) for column in _SETS}
        return state

    def _series(self, arrival: Arrival, study: _State) -> _State:
        parent = self._statements.series
        key = ("series", study.key, arrival.series_uid)
        state = self._found(parent, key, {"series_instance_uid": arrival.series_uid, "study_id": study.key})
        if state is None:
            row = {**values.row(parent.attributes, arrival.header), "study_id": study.key}
            state = self._made(parent, key, row)
            study.series += 1
            self._patient_of(study).series += 1
        else:
            self._fill(state, arrival.header)
        return state

    def _patient(self, arrival: Arrival, row: Mapping[str, Any]) -> _State:
        """The patient of a new study: found by ID and issuer, and brought up to what this study says."""
        parent = self._statements.patient
        wanted = {"patient_id": row["patient_id"], "issuer_of_patient_id": row["issuer_of_patient_id"]}
        key = ("patient", arrival.area_id, *wanted.values())
        state = self._found(parent, key, {**wanted, "area_id": arrival.area_id})
        own = values.row(parent.attributes, arrival.header)
        if state is None:
            return self._made(parent, key, {**own, "area_id": arrival.area_id})
        if wanted["patient_id"] and any(state.row[c] and own[c] and state.row[c] != own[c] for c in _PERSON):
            held, came = _person(state.row), _person(own)
            subject = "^".join(str(part) for part in wanted.values() if part)
            self.list_conflict(Conflict(
                arrival.area_id, "patient", subject, held, came, arrival.calling, "", arrival.received
            ))  # fmt: skip
        newer = {column: value for column, value in own.items() if value not in ("", None)}
        state.filled |= {column: value for column, value in newer.items() if state.row[column] != value}
        state.row |= newer
        return state

    def _patient_of(self, study: _State) -> _State:
        if study.above is None:
            row = study.row
            wanted = {k: row[k] for k in ("patient_id", "issuer_of_patient_id", "area_id")}
            key = ("patient", row["area_id"], row["patient_id"], row["issuer_of_patient_id"])
            study.above = self._found(self._statements.patient, key, wanted)
            assert study.above is not None, "a study has its patient"
        return study.above

    def _check_identity(self, study: _State, arrival: Arrival) -> None:
        """Two Patient IDs in one study are listed: nobody else will notice."""
        came = values.cut("LO", arrival.header.get("PatientID", ""))
        if came and came != study.row["patient_id"]:
            self.list_conflict(Conflict(
                arrival.area_id, "study", arrival.study_uid, study.row["patient_id"], came, arrival.calling, "",
                arrival.received,
            ))  # fmt: skip

    def _found(self, parent: Parent, key: tuple[object, ...], wanted: Mapping[str, Any]) -> _State | None:
        state = self._states.get(key)
        if state is None:
            row = parent.find.run(self._cursor, wanted).fetchone()
            if row is None:
                return None
            named = dict(zip(parent.columns, row, strict=True))
            state = self._states[key] = _State(parent, named["id"], named, _blanks(parent, named))
        return state

    def _made(self, parent: Parent, key: tuple[object, ...], row: dict[str, Any]) -> _State:
        row = {**row, **parent.start}
        (number,) = parent.add.run(self._cursor, row).fetchone()
        state = self._states[key] = _State(parent, number, row, _blanks(parent, row))
        return state

    def _fill(self, state: _State, header: Mapping[str, str]) -> None:
        """The first instance to say something is believed."""
        for tag in state.blanks.keys() & tags_of(header):
            attribute = state.blanks[tag]
            new = values.row((attribute,), header)
            if new[attribute.column] not in ("", None):
                state.filled |= new
                state.row |= new
                del state.blanks[tag]

    def _grow(self, arrival: Arrival, study: _State, series: _State) -> None:
        series.instances += 1
        study.instances += 1
        study.bytes += arrival.size
        self._patient_of(study).instances += 1
        if series.row["modality"]:
            study.plain["modalities_in_study"].add(series.row["modality"])
        study.plain["sop_classes_in_study"].add(arrival.sop_class)
        counts = self._areas.setdefault((arrival.area_id, arrival.received // _DAY), [0, 0])
        counts[0] += 1
        counts[1] += arrival.size

    def _uid(self, text: str) -> int:
        number = self._uids.get(text) or self.new_uids.get(text)
        if number is None:
            found = self._statements.find_uid.run(self._cursor, {"wanted": text}).fetchone()
            if found is None:
                found = self._statements.add_uid.run(self._cursor, {"uid": text}).fetchone()
            number = self.new_uids[text] = int(found[0])
        return number


_SETS = ("modalities_in_study", "sop_classes_in_study")
"""Columns of a study that join a set by backslashes."""


def _blanks(parent: Parent, row: Mapping[str, Any]) -> dict[int, Attribute]:
    return {
        a.tag: a for a in parent.attributes if row[a.column] in ("", None) and a.keyword not in _IDENTITY
    }  # fmt: skip


def _split(joined: str) -> set[str]:
    return set(joined.split("\\")) - {""}


def _person(row: Mapping[str, Any]) -> str:
    return " · ".join(str(row[c]) for c in ("patient_name", "patient_birth_date", "patient_sex") if row[c])
