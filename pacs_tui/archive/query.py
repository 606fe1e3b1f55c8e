"""A C-FIND identifier to one SELECT (PS3.4 C.4.1): which rows, which columns, in which order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Join,
    Select,
    String,
    cast,
    exists,
    func,
    literal,
    literal_column,
    select,
)

from pacs_tui.archive import keys, matching, ranges, sequences
from pacs_tui.archive.attributes import BY_KEYWORD, BY_TAG, MOMENTS, Attribute
from pacs_tui.archive.schema import instance, patient, series, study, uid
from pacs_tui.archive.wildcards import Condition
from pacs_tui.model.find import FindRequest
from pacs_tui.model.level import Level
from pacs_tui.model.tag import Column, Element

_IN_STUDY = series.c.study_id == study.c.id
_IN_SERIES = instance.c.series_id == series.c.id
_OF_PATIENT = study.c.patient_key == patient.c.id
SOURCES: dict[Level, FromClause | Join] = {
    Level.PATIENT: patient,
    Level.STUDY: study,
    Level.SERIES: series.join(study, _IN_STUDY),
    Level.IMAGE: instance.join(series, _IN_SERIES).join(study, _IN_STUDY),
}
_ORDER: dict[Level, tuple[ColumnElement[Any], ...]] = {
    Level.PATIENT: (patient.c.patient_name_alphabetic, patient.c.patient_id, patient.c.id),
    Level.STUDY: (study.c.study_date.desc(), study.c.study_time.desc(), study.c.id.desc()),
    Level.SERIES: (series.c.series_number.nulls_last(), series.c.id),
    Level.IMAGE: (instance.c.instance_number.nulls_last(), instance.c.id),
}
_LEVELS = tuple(Level)
_TABLES: dict[Level, FromClause] = {Level.STUDY: study, Level.SERIES: series, Level.IMAGE: instance}
_REFERENCES: dict[str, ColumnElement[Any]] = {
    "SOPClassUID": instance.c.sop_class_id,
    "AvailableTransferSyntaxUID": instance.c.transfer_syntax_id,
}
"""Attributes whose UIDs the table `uid` numbers."""
_FEW = frozenset(("StudyInstanceUID", "AccessionNumber", "StudyDate", "SeriesInstanceUID", "SOPInstanceUID"))
"""Keys that an index answers with few rows: below the level of a query they are asked first."""
_RETRIEVE_AE_TITLE = BY_KEYWORD["RetrieveAETitle"]
_EMPTY = literal_column("''", String)


def columns_of(request: FindRequest) -> tuple[Column, ...]:
    """The requested attributes in ascending order, and Retrieve AE Title, which every answer names (C.4.1.1.3.2)."""
    columns = {key.tag: _column(key) for key in request.keys}
    columns[_RETRIEVE_AE_TITLE.tag] = Column(_RETRIEVE_AE_TITLE.tag, _RETRIEVE_AE_TITLE.vr)
    return tuple(columns[tag] for tag in sorted(columns))


def statement(request: FindRequest, area_id: int, *, strict: bool = True, fuzzy: bool = False) -> Select[Any]:
    """The SELECT that answers a request, every column as text.

    `strict` refuses keys there is no attribute for, else they are ignored (keys.unsupported names them); `fuzzy`
    matches names by their sound even where that was not negotiated. Refused (A900) for an identifier against the rules.
    """
    keys.check_number(request)
    if strict:
        keys.refuse_unsupported(request)
    asked = keys.narrowing(request)
    keys.check_hierarchy(request, asked)
    conditions = _Conditions(request, fuzzy or request.fuzzy).of(asked)
    table = patient if request.level is Level.PATIENT else study
    expressions = [_expression(request, column) for column in columns_of(request)]
    answer = select(*expressions).select_from(SOURCES[request.level])
    return answer.where(table.c.area_id == area_id, *conditions).order_by(*_ORDER[request.level])


def shaped(request: FindRequest, rows: Iterable[Sequence[str]]) -> Iterable[Sequence[str]]:
    """Rows of the statement as they are answered: of sequences the items that match, with what was asked of them."""
    asked = {key.tag: key for key in request.keys}
    shapes: list[tuple[int, Callable[[str], str]]] = []
    for place, column in enumerate(columns_of(request)):
        if column.items:
            attribute = BY_TAG[column.tag]
            expression = matching.item_expression(attribute, asked[column.tag])
            shapes.append((place, sequences.shape(attribute, column.items, expression)))
    return _shaped(rows, shapes) if shapes else rows


def _shaped(rows: Iterable[Sequence[str]], shapes: Sequence[tuple[int, Callable[[str], str]]]) -> Iterator[list[str]]:
    for row in rows:
        answer = list(row)
        for place, shape in shapes:
            answer[place] = shape(answer[place])
        yield answer


def _column(key: Element) -> Column:
    """How an attribute is returned; a sequence with what is asked of its items, or all that is kept (C.2.2.2.6)."""
    attribute = BY_TAG.get(key.tag)
    if attribute is None or not attribute.items:
        return Column(key.tag, attribute.vr if attribute else key.vr)
    asked = {each.tag: each.vr for item in key.items for each in item} or {a.tag: a.vr for a in attribute.items}
    known = {each.tag: each.vr for each in attribute.items}
    return Column(key.tag, "SQ", tuple(Column(tag, known.get(tag, vr)) for tag, vr in sorted(asked.items())))


# ---------------------------------------------------------------------- conditions


class _Conditions:
    """The conditions of one request."""

    def __init__(self, request: FindRequest, fuzzy: bool) -> None:
        self._request = request
        self._fuzzy = fuzzy

    def of(self, asked: Mapping[int, Element]) -> list[Condition]:
        """Keys of this level and above on the joined row; keys below ask whether there is such a row."""
        level = self._request.level
        own: list[Condition] = []
        below: dict[Level, list[Condition]] = {}
        few = False
        for attribute, condition in self._each(asked):
            if _is_below(attribute, level):
                below.setdefault(attribute.level, []).append(condition)
                few = few or attribute.keyword in _FEW
            else:
                own.append(condition)
        return [*own, _some_below(level, below, few)] if below else own

    def _each(self, asked: Mapping[int, Element]) -> Iterator[tuple[Attribute, Condition]]:
        paired: set[int] = set()
        if self._request.combined:
            for date, time in MOMENTS:
                together = self._together(date, time, asked)
                if together is not None:
                    paired |= {date.tag, time.tag}
                    yield date, together
        for tag, key in asked.items():
            if tag not in paired:
                yield BY_TAG[tag], self._one(BY_TAG[tag], key)

    def _together(self, date: Attribute, time: Attribute, asked: Mapping[int, Element]) -> Condition | None:
        """A date and its time as one moment (C.2.2.2.5), where both are keys with one value."""
        if date.tag not in asked or time.tag not in asked:
            return None
        dates, times = (matching.given_values(a, asked[a.tag].text) for a in (date, time))
        if len(dates) != 1 or len(times) != 1 or matching.NOTHING in (*dates, *times):
            return None
        table = self._table(date)
        found = ranges.together(
            table.c[date.column], table.c[time.column], matching.span_of(date, dates[0]),
            matching.span_of(time, times[0]),
        )  # fmt: skip
        if found is None:
            raise matching.unusable(time, f"has an end to which {date.keyword} has none")
        return found

    def _one(self, attribute: Attribute, key: Element) -> Condition:
        keyword = attribute.keyword
        if keyword in _SAID:
            return matching.matches_constant(attribute, _SAID[keyword](self._request), key.text)
        if keyword in _REFERENCES:
            numbered = _UIDS[keyword]
            found = select(numbered.c.id).where(matching.matches(attribute, numbered, key))
            return _REFERENCES[keyword].in_(found)
        table = self._table(attribute)
        if keyword in _OF_PATIENTS and table is study:
            found = select(patient.c.id).where(matching.matches(attribute, patient, key), _OF_PATIENT)
            return exists(found.correlate(study))
        return matching.matches(attribute, table, key, self._fuzzy)

    def _table(self, attribute: Attribute) -> FromClause:
        return _table(attribute, self._request.level)


def _table(attribute: Attribute, level: Level) -> FromClause:
    """Where an attribute stands for a query of a level."""
    if attribute.level is Level.PATIENT:
        return patient if level is Level.PATIENT else study
    return _TABLES[attribute.level]


def _is_below(attribute: Attribute, level: Level) -> bool:
    return _LEVELS.index(attribute.level) > _LEVELS.index(level)


def _some_below(level: Level, below: Mapping[Level, list[Condition]], few: bool) -> Condition:
    """One row of each level below, each within the other, that meets all the keys there."""
    deepest = max(_LEVELS.index(each) for each in below)
    first, *deeper = _LEVELS[_LEVELS.index(level) + 1 : deepest + 1]
    source = _TABLES[first]
    for each in deeper:
        source = source.join(_TABLES[each], _JOINED[each])
    table, key, link = _LINKS[level]
    found = select(key).select_from(source).where(*(one for conditions in below.values() for one in conditions))
    return table.c.id.in_(found) if few else exists(found.where(link).correlate(table))


_JOINED: dict[Level, Condition] = {Level.SERIES: _IN_STUDY, Level.IMAGE: _IN_SERIES}
_LINKS: dict[Level, tuple[FromClause, ColumnElement[Any], Condition]] = {
    Level.PATIENT: (patient, study.c.patient_key, _OF_PATIENT),
    Level.STUDY: (study, series.c.study_id, _IN_STUDY),
    Level.SERIES: (series, instance.c.series_id, _IN_SERIES),
}
"""Of a level: its table, the column below that names its row, and both together."""

# ---------------------------------------------------------------------- columns


def _expression(request: FindRequest, column: Column) -> ColumnElement[str]:
    """What stands in one column of the answer; empty for what is unknown, or belongs to a level below."""
    attribute = BY_TAG.get(column.tag)
    if attribute is None:
        return _EMPTY
    keyword = attribute.keyword
    if keyword in _SAID:
        return literal(_SAID[keyword](request), String)
    if _is_below(attribute, request.level):
        return _EMPTY
    if keyword in _REFERENCES:
        return select(uid.c.uid).where(uid.c.id == _REFERENCES[keyword]).correlate(instance).scalar_subquery()
    table = _table(attribute, request.level)
    if keyword in _OF_PATIENTS and table is study:
        return _as_text(select(patient.c[attribute.column]).where(_OF_PATIENT).correlate(study).scalar_subquery())
    return _as_text(table.c[attribute.column])


def _as_text(column: ColumnElement[Any]) -> ColumnElement[str]:
    if isinstance(column.type, Integer):
        return func.coalesce(cast(column, String), "")
    return column


_SAID: dict[str, Callable[[FindRequest], str]] = {
    "RetrieveAETitle": lambda request: request.called.strip(" "),
    "InstanceAvailability": lambda _: "ONLINE",
}
"""What the archive says of everything it holds."""
_OF_PATIENTS = frozenset(
    ("NumberOfPatientRelatedStudies", "NumberOfPatientRelatedSeries", "NumberOfPatientRelatedInstances")
)
"""Columns of a patient that a study has not."""
_UIDS: dict[str, FromClause] = {
    keyword: select(uid.c.id, uid.c.uid.label(BY_KEYWORD[keyword].column)).subquery(f"{BY_KEYWORD[keyword].column}s")
    for keyword in _REFERENCES
}
