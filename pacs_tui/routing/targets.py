"""What was marked, without overlaps; and what of it has still to be asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence

from msgspec.structs import replace

from pacs_tui.errors import UsageError
from pacs_tui.model.job import Plan, PlannedInstance
from pacs_tui.model.level import Level
from pacs_tui.model.text import printable
from pacs_tui.model.transfer import Target

CHUNK = 100
"""Instance UIDs in one C-MOVE: about 6 kB of identifier, which every archive we know takes."""

COUNTABLE = 60_000
"""Instances in one C-MOVE: its counters have 16 bits (PS3.7 9.1.4)."""


def checked(target: Target) -> Target:
    """The target, or UsageError where it lacks a key above it or its own.

    An empty key would match everything (PS3.4 C.2.2.2.3), so a plan for it would be the whole archive; and a wildcard
    in a patient ID other patients.
    """
    keys = {
        Level.PATIENT: (target.patient_id.strip(),),
        Level.STUDY: (target.study_uid,),
        Level.SERIES: (target.study_uid, target.series_uid),
        Level.IMAGE: (target.study_uid, target.series_uid, *(target.instance_uids or ("",))),
    }
    if not all(keys[target.level]):
        raise UsageError(
            f"This {target.level.word} has no {target.level.key} or lacks one above it: it cannot be moved."
        )
    if target.level is Level.PATIENT and any(character in target.patient_id for character in "*?\\"):
        name = printable(target.patient_id)
        raise UsageError(f"Patient ID {name!r} would match other patients too: move the studies one by one.")
    return target


def collapse(targets: Iterable[Target]) -> tuple[Target, ...]:
    """The same instances, each named once: duplicates and targets within another one are dropped, instances of one
    series become one target. The order of first mention stays."""
    wanted = [_bare(checked(target)) for target in targets]
    whole = {key for target in wanted if (key := _own_key(target))}
    kept: dict[tuple[str, ...], Target] = {}
    for target in wanted:
        if any(key in whole for key in _keys_above(target)):
            continue
        key = _own_key(target) or ("some", target.study_uid, target.series_uid)
        first = kept.setdefault(key, target)
        if target.level is Level.IMAGE:
            both = dict.fromkeys(first.instance_uids + target.instance_uids)
            kept[key] = replace(first, instance_uids=tuple(both))
    return tuple(kept.values())


def within(target: Target, instances: Iterable[PlannedInstance]) -> list[PlannedInstance]:
    """The instances that belong to the target (a study, a series, or instances of one series)."""
    wanted = frozenset(target.instance_uids)
    return [
        instance
        for instance in instances
        if instance.study_uid == target.study_uid
        and target.series_uid in ("", instance.series_uid)
        and (not wanted or instance.sop_instance in wanted)
    ]


def requests(plan: Plan, missing: Collection[str]) -> Iterator[tuple[Target, int]]:
    """C-MOVEs that bring exactly the missing instances, and how many each brings.

    A target of which nothing is there is asked for whole; else its series are; of a series that is partly there, the
    missing instances by UID.
    """
    by_study: dict[str, list[PlannedInstance]] = {}
    for instance in plan.instances:
        by_study.setdefault(instance.study_uid, []).append(instance)
    for target in plan.targets:
        belonging = within(target, by_study.get(target.study_uid, ()))
        yield from _requests(target, belonging, missing)


def _requests(
    target: Target, belonging: Sequence[PlannedInstance], missing: Collection[str]
) -> Iterator[tuple[Target, int]]:
    absent = [instance for instance in belonging if instance.sop_instance in missing]
    if not absent:
        return
    if target.level is not Level.IMAGE and len(absent) == len(belonging) <= COUNTABLE:
        yield target, len(absent)
        return
    complete = Counter(instance.series_uid for instance in belonging)
    for series_uid, of_series in _by_series(absent).items():
        if target.level is Level.STUDY and len(of_series) == complete[series_uid] <= COUNTABLE:
            yield Target(Level.SERIES, target.patient_id, target.study_uid, series_uid), len(of_series)
            continue
        for start in range(0, len(of_series), CHUNK):
            chunk = tuple(of_series[start : start + CHUNK])
            yield Target(Level.IMAGE, target.patient_id, target.study_uid, series_uid, chunk), len(chunk)


def _by_series(instances: Iterable[PlannedInstance]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for instance in instances:
        found.setdefault(instance.series_uid, []).append(instance.sop_instance)
    return found


def _bare(target: Target) -> Target:
    """The target with the keys of its level and above only."""
    if target.level is Level.IMAGE:
        return replace(target, instance_uids=tuple(dict.fromkeys(target.instance_uids)))
    return Target(
        target.level,
        target.patient_id,
        "" if target.level is Level.PATIENT else target.study_uid,
        target.series_uid if target.level is Level.SERIES else "",
    )


def _own_key(target: Target) -> tuple[str, ...]:
    """What a whole patient, study or series is known by; empty for instances."""
    if target.level is Level.PATIENT:
        return ("patient", target.patient_id)
    if target.level is Level.STUDY:
        return ("study", target.study_uid)
    return ("series", target.study_uid, target.series_uid) if target.level is Level.SERIES else ()


def _keys_above(target: Target) -> Iterator[tuple[str, ...]]:
    """The keys of everything that would contain the target."""
    if target.level is not Level.PATIENT:
        yield ("patient", target.patient_id)
        if target.level is not Level.STUDY:
            yield ("study", target.study_uid)
        if target.level is Level.IMAGE:
            yield ("series", target.study_uid, target.series_uid)
