"""Marks without overlaps, and requests for exactly what is missing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_tui.errors import UsageError
from pacs_tui.model.job import PlannedInstance
from pacs_tui.model.level import Level
from pacs_tui.model.transfer import Target
from pacs_tui.routing.targets import CHUNK, checked, collapse, requests, within
from tests.routing.fakes import plan, study

WORLD = [i for n in (1, 2, 3) for i in study(n)]
OWNER = {"1.2.1": "A", "1.2.2": "A", "1.2.3": "B"}


def targets() -> st.SearchStrategy[Target]:
    some = st.sampled_from(WORLD)
    patient = some.map(lambda i: Target(Level.PATIENT, OWNER[i.study_uid]))
    a_study = some.map(lambda i: Target(Level.STUDY, OWNER[i.study_uid], i.study_uid))
    series = some.map(lambda i: Target(Level.SERIES, OWNER[i.study_uid], i.study_uid, i.series_uid))
    image = st.lists(some, min_size=1, max_size=4).map(
        lambda found: Target(
            Level.IMAGE,
            OWNER[found[0].study_uid],
            found[0].study_uid,
            found[0].series_uid,
            tuple(i.sop_instance for i in found if i.series_uid == found[0].series_uid),
        )
    )
    return st.one_of(patient, a_study, series, image)


def meant(target: Target) -> set[str]:
    if target.level is Level.PATIENT:
        return {i.sop_instance for i in WORLD if OWNER[i.study_uid] == target.patient_id}
    return {i.sop_instance for i in within(target, WORLD)}


@given(st.lists(targets(), max_size=12))
def test_collapsing_keeps_every_instance_and_names_none_twice(marked: list[Target]) -> None:
    kept = collapse(marked)
    named = [uid for target in kept for uid in meant(target)]
    assert len(named) == len(set(named))
    assert set(named) == {uid for target in marked for uid in meant(target)}
    assert collapse(kept) == kept


@given(st.lists(targets(), min_size=1, max_size=6), st.sets(st.sampled_from([i.sop_instance for i in WORLD])))
def test_requests_bring_exactly_what_is_missing(marked: list[Target], absent: set[str]) -> None:
    studies = [t if t.level is not Level.PATIENT else Target(Level.STUDY, "A", "1.2.1") for t in marked]
    wanted = plan(WORLD, collapse(studies))
    planned = {uid for target in wanted.targets for uid in meant(target)}
    asked = list(requests(wanted, absent))
    brought = [uid for target, _ in asked for uid in meant(target)]
    assert sorted(brought) == sorted(planned & absent)
    assert [count for _, count in asked] == [len(meant(target)) for target, _ in asked]


def test_what_is_wholly_missing_is_asked_for_at_its_own_level() -> None:
    uids = {i.sop_instance for i in study(1)}
    assert [t.level for t, _ in requests(plan(study(1)), uids)] == [Level.STUDY]
    found = list(requests(plan(study(1)), uids - {"1.2.1.1.2"}))
    assert [(t.level, count) for t, count in found] == [(Level.IMAGE, 2), (Level.SERIES, 3)]
    assert found[0][0].instance_uids == ("1.2.1.1.1", "1.2.1.1.3")


def test_many_missing_instances_are_asked_for_in_chunks() -> None:
    large = study(1, 1, 2 * CHUNK + 2)
    missing = {i.sop_instance for i in large[1:]}
    assert [count for _, count in requests(plan(large), missing)] == [CHUNK, CHUNK, 1]


def test_a_study_too_large_for_the_counters_is_moved_by_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pacs_tui.routing.targets.COUNTABLE", 5)
    missing = {i.sop_instance for i in study(1)}
    assert [(t.level, count) for t, count in requests(plan(study(1)), missing)] == [(Level.SERIES, 3)] * 2


@pytest.mark.parametrize(
    "target",
    [
        Target(Level.PATIENT),
        Target(Level.PATIENT, "  "),
        Target(Level.PATIENT, "47*"),
        Target(Level.PATIENT, "47?1"),
        Target(Level.PATIENT, "47\\11"),
        Target(Level.STUDY, "4711"),
        Target(Level.SERIES, "4711", "1.2"),
        Target(Level.SERIES, "4711", "", "1.2.3"),
        Target(Level.IMAGE, "4711", "1.2", "1.2.3"),
        Target(Level.IMAGE, "4711", "1.2", "", ("1.2.3.4",)),
    ],
)
def test_a_target_that_would_match_more_than_was_marked_is_refused(target: Target) -> None:
    with pytest.raises(UsageError):
        checked(target)
    with pytest.raises(UsageError):
        collapse([target])


def test_a_series_within_a_marked_study_is_dropped_and_the_order_stays() -> None:
    series = Target(Level.SERIES, "A", "1.2.1", "1.2.1.1")
    whole = Target(Level.STUDY, "A", "1.2.1")
    other = Target(Level.STUDY, "", "1.2.3")
    assert collapse([other, series, whole, other]) == (other, whole)


def test_instances_of_one_series_become_one_target() -> None:
    first = Target(Level.IMAGE, "", "1.2.1", "1.2.1.1", ("1.2.1.1.2", "1.2.1.1.1", "1.2.1.1.2"))
    second = Target(Level.IMAGE, "", "1.2.1", "1.2.1.1", ("1.2.1.1.1", "1.2.1.1.3"))
    (kept,) = collapse([first, second])
    assert kept.instance_uids == ("1.2.1.1.2", "1.2.1.1.1", "1.2.1.1.3")


def test_an_instance_named_by_nobody_is_within_nothing() -> None:
    stranger = PlannedInstance("9.9", "9.9.1", "9.9.1.1")
    assert within(Target(Level.STUDY, "A", "1.2.1"), [stranger]) == []
