"""A C-FIND identifier to one SELECT (PS3.4 C.4.1): which rows, which columns, in which order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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

from pacs_tui.archive import matching
from pacs_tui.archive.attributes import BY_KEYWORD, BY_TAG
from pacs_tui.archive.schema import instance, series, study
from pacs_tui.errors import Refused
from pacs_tui.model.find import FindRequest
from pacs_tui.model.level import Level, Root
from pacs_tui.model.tag import Column, Element

_IN_STUDY = series.c.study_id == study.c.id
_IN_SERIES = instance.c.series_id == series.c.id
TABLES: dict[Level, FromClause] = {
    Level.PATIENT: study,
    Level.STUDY: study,
    Level.SERIES: series,
    Level.IMAGE: instance,
}
SOURCES: dict[Level, FromClause | Join] = {
    Level.PATIENT: study,
    Level.STUDY: study,
    Level.SERIES: series.join(study, _IN_STUDY),
    Level.IMAGE: instance.join(series, _IN_SERIES).join(study, _IN_STUDY),
}
_ORDER: dict[Level, tuple[ColumnElement[Any], ...]] = {
    Level.PATIENT: (study.c.patient_name_alphabetic, study.c.patient_id, study.c.id),
    Level.STUDY: (study.c.study_date.desc(), study.c.study_time_key.desc(), study.c.id.desc()),
    Level.SERIES: (series.c.series_number.nulls_last(), series.c.id),
    Level.IMAGE: (instance.c.instance_number.nulls_last(), instance.c.id),
}
_LEVELS = tuple(Level)
_ABOVE: dict[Root, tuple[Level, ...]] = {
    Root.PATIENT: _LEVELS,
    Root.STUDY: (Level.STUDY, Level.SERIES, Level.IMAGE),
}
_RETRIEVE_AE_TITLE = BY_KEYWORD["RetrieveAETitle"]
_EMPTY = literal_column("''", String)
_same_patient = study.alias("same_patient")


def columns_of(request: FindRequest) -> tuple[Column, ...]:
    """The requested attributes in ascending order, and Retrieve AE Title, which every answer names (C.4.1.1.3.2)."""
    vrs = {key.tag: key.vr for key in request.keys}
    vrs[_RETRIEVE_AE_TITLE.tag] = _RETRIEVE_AE_TITLE.vr
    return tuple(Column(tag, BY_TAG[tag].vr if tag in BY_TAG else vr) for tag, vr in sorted(vrs.items()))


def statement(request: FindRequest, area_id: int) -> Select[Any]:
    """The SELECT that answers a request, every column as text; Refused (A900) for an identifier against the rules."""
    keys = {k.tag: k for k in request.keys if k.tag in BY_TAG and not matching.is_universal(BY_TAG[k.tag], k.text)}
    _check_hierarchy(request, keys)
    conditions = [study.c.area_id == area_id, *_conditions(request.level, keys)]
    expressions = [_expression(request, column) for column in columns_of(request)]
    answer = select(*expressions).select_from(SOURCES[request.level])
    if request.level is Level.PATIENT:
        conditions = [study.c.id.in_(_one_study_of_each_patient(conditions))]
    return answer.where(*conditions).order_by(*_ORDER[request.level])


def _check_hierarchy(request: FindRequest, keys: Mapping[int, Element]) -> None:
    """Unique keys of the levels above have to have one value (C.4.1.2.1), unless relational queries were agreed."""
    levels = _ABOVE[request.root]
    if request.level not in levels:
        raise Refused("Study Root has no PATIENT level; ask Patient Root.", "status:C-FIND:A900", status=0xA900)
    if request.relational:
        return
    for level in levels[: levels.index(request.level)]:
        if BY_KEYWORD[level.key].tag not in keys:
            raise Refused(
                f"A query of level {request.level.value} needs {level.key}.", "status:C-FIND:A900", status=0xA900
            )


def _conditions(level: Level, keys: Mapping[int, Element]) -> list[matching.Condition]:
    """Keys of this level and above on the joined row; keys below ask whether there is such a series or instance."""
    reach = _LEVELS.index(level)
    conditions: list[matching.Condition] = []
    below: dict[Level, list[matching.Condition]] = {Level.SERIES: [], Level.IMAGE: []}
    for tag, key in keys.items():
        attribute = BY_TAG[tag]
        if attribute.keyword in _COMPUTED:
            continue
        condition = matching.matches(attribute, TABLES[attribute.level], key.text)
        deeper = TABLES[attribute.level] is not study and _LEVELS.index(attribute.level) > reach
        (below[attribute.level] if deeper else conditions).append(condition)
    if any(below.values()):
        conditions.append(_some_below(level, below))
    return conditions


def _some_below(level: Level, below: Mapping[Level, list[matching.Condition]]) -> matching.Condition:
    """One series, or one instance in one series, that meets all the keys of the levels below."""
    if level is Level.SERIES:
        return exists().where(_IN_SERIES, *below[Level.IMAGE]).correlate(series)
    source = instance.join(series, _IN_SERIES) if below[Level.IMAGE] else series
    found = exists().select_from(source).where(_IN_STUDY, *below[Level.SERIES], *below[Level.IMAGE])
    return found.correlate(study)


def _one_study_of_each_patient(conditions: list[matching.Condition]) -> Select[tuple[int]]:
    """The youngest matching row of each patient (Patient ID and its issuer) speaks for the patient."""
    newest = select(func.max(study.c.id)).where(*conditions)
    return newest.group_by(study.c.patient_id, study.c.issuer_of_patient_id)


def _expression(request: FindRequest, column: Column) -> ColumnElement[str]:
    """What stands in one column of the answer; empty for what is unknown, or belongs to a level below."""
    attribute = BY_TAG.get(column.tag)
    if attribute is None:
        return _EMPTY
    if attribute.keyword in _COMPUTED:
        return _COMPUTED[attribute.keyword](request)
    if _LEVELS.index(attribute.level) > _LEVELS.index(request.level):
        return _EMPTY
    return _as_text(TABLES[attribute.level].c[attribute.column])


def _as_text(column: ColumnElement[Any]) -> ColumnElement[str]:
    if isinstance(column.type, Integer):
        return func.coalesce(cast(column, String), "")
    return column


def _of_patient(total: ColumnElement[Any]) -> ColumnElement[str]:
    """A sum over all studies of the patient of this row, whatever else was asked."""
    return _as_text(
        select(func.coalesce(total, 0))
        .where(
            _same_patient.c.area_id == study.c.area_id,
            _same_patient.c.patient_id == study.c.patient_id,
            _same_patient.c.issuer_of_patient_id == study.c.issuer_of_patient_id,
        )
        .correlate(study)
        .scalar_subquery()
    )


_COMPUTED: dict[str, Callable[[FindRequest], ColumnElement[str]]] = {
    "RetrieveAETitle": lambda request: literal(request.called, String),
    "InstanceAvailability": lambda _: literal("ONLINE", String),
    "NumberOfPatientRelatedStudies": lambda _: _of_patient(func.count()),
    "NumberOfPatientRelatedSeries": lambda _: _of_patient(func.sum(_same_patient.c.number_of_study_related_series)),
    "NumberOfPatientRelatedInstances": lambda _: _of_patient(
        func.sum(_same_patient.c.number_of_study_related_instances)
    ),
}
"""Attributes without a column: returned, and ignored as keys."""
