"""A query: what a node is asked, and the line an administrator types for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from msgspec import Struct

from pacs_tui.errors import QueryError
from pacs_tui.model.level import Level, Root
from pacs_tui.model.match import Match
from pacs_tui.model.query_line import FIELDS, Field, matching_keys
from pacs_tui.model.text import printable
from pacs_tui.model.transfer import is_uid

__all__ = ["FIELDS", "RETURN_KEYS", "Field", "Query", "by_uid", "children", "parse"]

RETURN_KEYS: dict[Level, tuple[str, ...]] = {
    Level.PATIENT: (
        "PatientName",
        "PatientID",
        "PatientBirthDate",
        "PatientSex",
        "NumberOfPatientRelatedStudies",
        "NumberOfPatientRelatedInstances",
    ),
    Level.STUDY: (
        "StudyDate",
        "StudyTime",
        "AccessionNumber",
        "ModalitiesInStudy",
        "InstitutionName",
        "ReferringPhysicianName",
        "StudyDescription",
        "PatientName",
        "PatientID",
        "PatientBirthDate",
        "PatientSex",
        "StudyInstanceUID",
        "StudyID",
        "NumberOfStudyRelatedSeries",
        "NumberOfStudyRelatedInstances",
    ),
    Level.SERIES: (
        "SeriesDate",
        "SeriesTime",
        "Modality",
        "Manufacturer",
        "StationName",
        "SeriesDescription",
        "BodyPartExamined",
        "ProtocolName",
        "SeriesInstanceUID",
        "SeriesNumber",
        "NumberOfSeriesRelatedInstances",
    ),
    Level.IMAGE: (
        "SOPClassUID",
        "SOPInstanceUID",
        "InstanceNumber",
        "NumberOfFrames",
        "Rows",
        "Columns",
    ),
}
"""What every query of a level asks to be returned: all that columns.py shows, and nothing peers are known to choke on
(SOPClassesInStudy is left out: several archives read every file to answer it)."""

_PROOF_KEYS: dict[Level, tuple[str, ...]] = {
    Level.PATIENT: (),
    Level.STUDY: ("NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"),
    Level.SERIES: ("Modality", "NumberOfSeriesRelatedInstances"),
    Level.IMAGE: ("SOPClassUID",),
}
"""What planning and verification need besides the unique keys."""


class Query(Struct, frozen=True):
    """The identifier of one C-FIND, by keyword (PS3.4 C.4.1.1.3); level and character set are added when it is sent.

    A key with an empty value matches everything and asks for the attribute to be returned.
    """

    level: Level
    root: Root
    keys: tuple[tuple[str, str], ...]
    limit: int | None = None
    """Rows after which to stop, None for all."""
    text: str = ""
    """The line that was typed."""

    @property
    def matching(self) -> tuple[tuple[str, str], ...]:
        """The keys that narrow the answer."""
        return tuple((keyword, value) for keyword, value in self.keys if value)

    @property
    def sent(self) -> str:
        """The matching keys on one printable line: `PatientName=SMI*  StudyDate=20261101-`; empty where all match."""
        return "  ".join(f"{keyword}={printable(value)}" for keyword, value in self.matching)


def parse(line: str, today: date, limit: int | None = None) -> Query:
    """The study query a typed line means; QueryError names the word that cannot be read.

    `today` is what relative dates count from. A `series:` key is sent at STUDY level and so finds something only at a
    peer that answers relational queries (PS3.4 C.4.1.2.2.1).
    """
    return Query(Level.STUDY, Root.STUDY, _with_values(Level.STUDY, matching_keys(line, today)), limit, line)


def children(path: Sequence[Match]) -> Query:
    """The query for everything directly below the last match of `path`, with the unique keys of those above it.

    Raises QueryError where the peer gave no usable unique key, or where nothing is below (PS3.4 C.4.1.2.1).
    """
    below = path[-1].level.below if path else None
    if below is None:
        raise QueryError("There is nothing below an instance.")
    if below is Level.STUDY:
        keys = _patient_keys(path[-1])
    else:
        keys = {"StudyInstanceUID": _inherited(path, Level.STUDY)}
        if below is Level.IMAGE:
            keys["SeriesInstanceUID"] = _inherited(path, Level.SERIES)
    return Query(below, Root.STUDY, _with_values(below, keys))


def by_uid(
    level: Level, study_uid: str, series_uid: str = "", instance_uid: str = "", keys: Iterable[str] | None = None
) -> Query:
    """A hierarchical Study Root query for entities known by UID, returning the unique keys and `keys` only.

    The unique key of every level above `level` must be given; the one of `level` itself may be empty (all), or several
    UIDs joined by backslashes (PS3.4 C.2.2.2.2). Without `keys`, what verification counts with is asked for. Raises
    QueryError for a missing or malformed UID.
    """
    given = {Level.STUDY: study_uid, Level.SERIES: series_uid, Level.IMAGE: instance_uid}
    values: dict[str, str] = {}
    for above, uid in given.items():
        if above is level:
            if uid and not all(map(is_uid, uid.split("\\"))):
                raise QueryError(f"{printable(uid)!r} is not a UID: digits and dots, at most 64 characters.")
            values[above.key] = uid
            break
        values[above.key] = _checked(above, uid)
    else:
        raise QueryError("A patient has no UID; ask for its studies.")
    for keyword in _PROOF_KEYS[level] if keys is None else keys:
        values.setdefault(keyword, "")
    return Query(level, Root.STUDY, tuple(values.items()))


def _with_values(level: Level, values: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """All return keys of the level, those in `values` matching; keys of other levels follow."""
    return tuple((dict.fromkeys(RETURN_KEYS[level], "") | dict(values)).items())


def _patient_keys(patient: Match) -> dict[str, str]:
    """PatientID finds the patient's studies; the name stands in where a peer keeps patients without an ID."""
    for keyword in ("PatientID", "PatientName"):
        value = patient.get(keyword).strip()
        if value and "\\" not in value:
            return {keyword: value}
    raise QueryError(f"{patient.node} gave this patient neither an ID nor a name to ask for.")


def _inherited(path: Sequence[Match], level: Level) -> str:
    """The unique key of `level`, from the nearest match that carries it."""
    for match in reversed(path):
        if uid := match.get(level.key).strip(" \0"):
            return _checked(level, uid)
    return _checked(level, "")


def _checked(level: Level, uid: str) -> str:
    if not uid:
        raise QueryError(f"The {level.word} has no {level.key}, so nothing below it can be asked for.")
    if not is_uid(uid):
        raise QueryError(f"{printable(uid)!r} is not a UID: digits and dots, at most 64 characters.")
    return uid
