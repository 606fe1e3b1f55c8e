"""Values of the job queue to rows and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Row

from pacs_tui.model.job import Job, JobState, Plan, PlannedInstance
from pacs_tui.model.level import Level
from pacs_tui.model.transfer import Target


def job_of(row: Row[Any]) -> Job:
    return Job(
        id=row.id,
        state=JobState(row.state),
        source=row.source,
        destination=row.destination,
        label=row.label,
        total=row.total,
        sent=row.sent,
        verified=row.verified,
        created=row.created,
        started=row.started,
        finished=row.finished,
        rate=row.rate,
        worker=row.worker,
        attempts=row.attempts,
        code=row.code,
        reason=row.reason,
        facts=tuple((str(name), str(value)) for name, value in json.loads(row.facts)),
    )


def facts_text(facts: Mapping[str, str]) -> str:
    return json.dumps(list(facts.items()))


def target_rows(number: int, plan: Plan) -> list[dict[str, object]]:
    return [
        {
            "job": number,
            "position": position,
            "level": target.level.value,
            "patient_id": target.patient_id,
            "study_uid": target.study_uid,
            "series_uid": target.series_uid,
            "instance_uids": "\\".join(target.instance_uids),
        }
        for position, target in enumerate(plan.targets)
    ]


def item_rows(number: int, plan: Plan) -> list[dict[str, object]]:
    return [
        {
            "job": number,
            "position": position,
            "sop_instance": instance.sop_instance,
            "study_uid": instance.study_uid,
            "series_uid": instance.series_uid,
            "sop_class": instance.sop_class,
        }
        for position, instance in enumerate(plan.instances)
    ]


def targets_of(rows: Iterable[Row[Any]]) -> tuple[Target, ...]:
    return tuple(
        Target(
            Level(row.level),
            row.patient_id,
            row.study_uid,
            row.series_uid,
            tuple(row.instance_uids.split("\\")) if row.instance_uids else (),
        )
        for row in rows
    )


def instances_of(rows: Iterable[Row[Any]]) -> tuple[PlannedInstance, ...]:
    return tuple(PlannedInstance(row.study_uid, row.series_uid, row.sop_instance, row.sop_class) for row in rows)
