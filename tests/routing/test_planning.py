"""A plan is the exact set of instances the source holds of what was marked."""

from __future__ import annotations

from threading import Event

import pytest

from pacs_tui.errors import Cancelled, NotFound, Refused, Unreachable, UsageError
from pacs_tui.model.job import Plan, PlannedInstance
from pacs_tui.model.level import Level
from pacs_tui.model.node import Node
from pacs_tui.model.transfer import Target
from pacs_tui.routing.planning import Planner
from tests.routing.fakes import CT, FakePeer, Shelves, node, study

NODES = {
    "SOURCE": node("SOURCE"),
    "DEST": node("DEST"),
    "LOCKED": node("LOCKED", readonly=True),
    "ALIAS": node("ALIAS", ae_title="SOURCE", host="Source.example"),
}
WHOLE = Target(Level.STUDY, "4711", "1.2.1")


def book(name: str) -> Node:
    if name not in NODES:
        raise NotFound(f"There is no node {name}.")
    return NODES[name]


@pytest.fixture
def planner(source: FakePeer) -> Planner:
    source.shelves.put("SOURCE", study(1) + study(2))
    source.patients = {"1.2.2": "0815"}
    return Planner(lambda name: source, book)


def made(planner: Planner, *targets: Target, cancel: Event | None = None) -> Plan:
    return planner.plan("SOURCE", "DEST", "MEIER CT", targets, cancel)


def test_a_study_is_planned_down_to_every_instance(planner: Planner, source: FakePeer) -> None:
    plan = made(planner, WHOLE)
    assert plan == Plan("SOURCE", "DEST", "MEIER CT", (WHOLE,), tuple(study(1)))
    assert (plan.studies, plan.series) == (1, 2)
    assert [query.level for query in source.finds] == [Level.SERIES, Level.IMAGE, Level.IMAGE]
    assert all(query.limit is None for query in source.finds)
    assert all(instance.sop_class == CT for instance in plan.instances)


def test_a_patient_becomes_the_studies_of_that_patient(planner: Planner) -> None:
    plan = made(planner, Target(Level.PATIENT, "0815"), Target(Level.STUDY, "", "1.2.2"))
    assert plan.targets == (Target(Level.STUDY, "0815", "1.2.2"),)
    assert plan.instances == tuple(study(2))


def test_overlapping_marks_are_planned_once(planner: Planner) -> None:
    series = Target(Level.SERIES, "4711", "1.2.1", "1.2.1.2")
    some = Target(Level.IMAGE, "0815", "1.2.2", "1.2.2.1", ("1.2.2.1.3",))
    plan = made(planner, series, some, WHOLE, some)
    assert plan.targets == (some, WHOLE)
    assert len(plan.instances) == 7


def test_a_series_and_single_instances_are_planned_as_marked(planner: Planner) -> None:
    plan = made(planner, Target(Level.SERIES, "", "1.2.1", "1.2.1.2"))
    assert [i.sop_instance for i in plan.instances] == ["1.2.1.2.1", "1.2.1.2.2", "1.2.1.2.3"]
    plan = made(planner, Target(Level.IMAGE, "", "1.2.1", "1.2.1.2", ("1.2.1.2.3",)))
    assert [i.sop_instance for i in plan.instances] == ["1.2.1.2.3"]


@pytest.mark.parametrize(
    "target",
    [
        Target(Level.PATIENT, "4712"),
        Target(Level.STUDY, "", "1.2.9"),
        Target(Level.SERIES, "", "1.2.1", "1.2.9"),
        Target(Level.IMAGE, "", "1.2.1", "1.2.1.1", ("1.2.1.1.1", "1.2.1.1.9")),
    ],
)
def test_what_the_source_does_not_hold_is_not_found(planner: Planner, target: Target) -> None:
    with pytest.raises(NotFound, match="SOURCE"):
        made(planner, Target(Level.STUDY, "0815", "1.2.2"), target)


@pytest.mark.parametrize("destination", ["SOURCE", "LOCKED", "ALIAS"])
def test_nothing_is_planned_to_the_source_itself_or_to_a_read_only_node(
    planner: Planner, source: FakePeer, destination: str
) -> None:
    with pytest.raises(UsageError):
        planner.plan("SOURCE", destination, "", [WHOLE])
    assert source.finds == []


def test_an_unknown_node_and_an_empty_mark_are_refused(planner: Planner) -> None:
    with pytest.raises(NotFound):
        planner.plan("SOURCE", "NOWHERE", "", [WHOLE])
    with pytest.raises(UsageError):
        made(planner)


def test_a_source_that_ignores_keys_does_not_widen_the_plan(planner: Planner, source: FakePeer) -> None:
    source.ignores_keys = True
    assert made(planner, WHOLE).instances == tuple(study(1))
    assert made(planner, Target(Level.PATIENT, "0815")).instances == tuple(study(2))


def test_an_instance_listed_twice_is_planned_once(planner: Planner, shelves: Shelves) -> None:
    twice = PlannedInstance("1.2.1", "1.2.1.2", "1.2.1.1.1", CT)
    shelves.put("SOURCE", [twice])
    plan = made(planner, WHOLE)
    assert len(plan.instances) == 6


def test_a_malformed_uid_is_refused_and_not_sent_anywhere(planner: Planner, shelves: Shelves) -> None:
    shelves.put("SOURCE", [PlannedInstance("1.2.1", "1.2.1.2", "../etc\x1b[2J", CT)])
    with pytest.raises(Refused, match="UID") as caught:
        made(planner, WHOLE)
    assert caught.value.code == "unexpected"
    assert "\x1b" not in str(caught.value)


def test_planning_stops_when_it_is_cancelled(planner: Planner, source: FakePeer) -> None:
    cancel = Event()
    cancel.set()
    with pytest.raises(Cancelled):
        made(planner, WHOLE, cancel=cancel)


def test_a_silent_source_is_unreachable(planner: Planner, source: FakePeer) -> None:
    source.silent = True
    with pytest.raises(Unreachable):
        made(planner, WHOLE)
