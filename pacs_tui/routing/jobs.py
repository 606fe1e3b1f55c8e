"""The durable queue of transfers: what was asked for, who works on it, what is proved."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Update,
    and_,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

from pacs_tui.errors import NotFound, PacsError, StorageError, UsageError
from pacs_tui.model.job import Job, JobEvent, JobState, Plan, PlannedInstance
from pacs_tui.routing import rows, schema

MAX_LOST = 5
"""Workers a job may lose in a row before it is taken for the cause."""

_WITH_WORKER = (JobState.RUNNING.value, JobState.VERIFYING.value)


class LeaseLost(PacsError):
    """The job belongs to another worker now, or has been ended: write nothing more about it."""


class JobQueue:
    """Jobs in pacs.db, shared by any number of threads and processes.

    Every change is on disk when its method returns. Only the worker that claimed a job, by the `Job` value `claim`
    returned, can write its progress and its end: for everybody else those methods raise LeaseLost. Every method raises
    StorageError where the database cannot be read or written, and NotFound for an unknown number.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        with _translated(url):
            self._engine = schema.open_database(url)
        self._writer = self._engine.execution_options(writes=True)

    def close(self) -> None:
        self._engine.dispose()

    # What everybody may do

    def enqueue(self, plan: Plan) -> Job:
        """A waiting job for the plan. Raises UsageError for an empty one."""
        if not plan.instances:
            raise UsageError("There is nothing to move.")
        with self._writing() as connection:
            values = {
                "state": JobState.WAITING.value,
                "source": plan.source,
                "destination": plan.destination,
                "label": plan.label,
                "total": len(plan.instances),
                "created": self._clock(),
            }
            number = connection.execute(insert(schema.job).values(values).returning(schema.job.c.id)).scalar_one()
            connection.execute(insert(schema.target), rows.target_rows(number, plan))
            connection.execute(insert(schema.item), rows.item_rows(number, plan))
            self._log(
                connection, number, f"Planned {len(plan.instances)} instances, {plan.source} to {plan.destination}"
            )
            return _job(connection, number)

    def jobs(self, limit: int = 200) -> list[Job]:
        """The newest jobs, newest first."""
        with self._reading() as connection:
            found = connection.execute(select(schema.job).order_by(schema.job.c.id.desc()).limit(limit))
            return [rows.job_of(row) for row in found]

    def job(self, number: int) -> Job:
        with self._reading() as connection:
            return _job(connection, number)

    def counts(self) -> dict[JobState, int]:
        """How many jobs stand where; every state is a key."""
        counted = select(schema.job.c.state, func.count().label("jobs")).group_by(schema.job.c.state)
        with self._reading() as connection:
            found = {row.state: row.jobs for row in connection.execute(counted)}
        return {state: found.get(state.value, 0) for state in JobState}

    def version(self) -> int:
        """A number that grows with every change in the queue: cheap to ask, so pollers read the rest only then."""
        with self._reading() as connection:
            return int(connection.execute(select(schema.queue.c.changes)).scalar_one())

    def events(self, number: int) -> list[JobEvent]:
        """The job's log, oldest line first."""
        asked = select(schema.log).where(schema.log.c.job == number).order_by(schema.log.c.id)
        with self._reading() as connection:
            _job(connection, number)
            return [JobEvent(row.time, row.text) for row in connection.execute(asked)]

    def note(self, number: int, text: str) -> None:
        """Adds a line to the job's log."""
        with self._writing() as connection:
            _job(connection, number)
            self._log(connection, number, text)

    def missing(self, number: int) -> list[PlannedInstance]:
        """What was planned and not seen at the destination since the job was last claimed, in the order of the plan."""
        with self._reading() as connection:
            _job(connection, number)
            return list(rows.instances_of(connection.execute(_items(number).where(schema.item.c.verified.is_(False)))))

    def plan_of(self, number: int) -> Plan:
        """The plan as it was enqueued."""
        targets = select(schema.target).where(schema.target.c.job == number).order_by(schema.target.c.position)
        with self._reading() as connection:
            job = _job(connection, number)
            wanted = rows.targets_of(connection.execute(targets))
            planned = rows.instances_of(connection.execute(_items(number)))
        return Plan(job.source, job.destination, job.label, wanted, planned)

    def cancel(self, number: int) -> Job:
        """Ends a waiting job at once; asks the worker of a running one to stop. Raises UsageError if it has ended."""
        with self._writing() as connection:
            row = _row(connection, number)
            job = rows.job_of(row)
            if job.state.ended:
                raise UsageError(f"Job {number} has ended ({job.state.value}); there is nothing to cancel.")
            if job.state is JobState.WAITING or self._lapsed(row):
                self._end(connection, number, JobState.CANCELLED, "Cancelled before it was sent", "", {})
            elif not row.cancel:
                connection.execute(_at(number).values(cancel=True, reason="Stopping"))
                self._log(connection, number, "Cancel asked for")
            return _job(connection, number)

    def retry(self, number: int) -> Job:
        """Makes an ended job wait again; its worker sends only what is missing. Raises UsageError if it has not ended,
        or is verified."""
        with self._writing() as connection:
            job = _job(connection, number)
            if not job.state.ended:
                raise UsageError(f"Job {number} is {job.state.value}; cancel it before you retry it.")
            if job.state is JobState.VERIFIED:
                raise UsageError(f"Job {number} is verified: {job.destination} holds all {job.total} instances.")
            connection.execute(_at(number).values(_UNCLAIMED | _NO_RESULT | {"sent": 0, "lost": 0, "started": None}))
            self._log(connection, number, "Retry asked for")
            return _job(connection, number)

    def cancel_requested(self, number: int) -> bool:
        """True when somebody asked the job's worker to stop."""
        with self._reading() as connection:
            return bool(_row(connection, number).cancel)

    # What workers do

    def has_work(self) -> bool:
        """True when there is a job to claim. It takes no lock, so idle workers may ask often."""
        with self._reading() as connection:
            return connection.execute(self._claimable()).first() is not None

    def claim(self, worker: str, lease: float) -> Job | None:
        """Takes the oldest job that waits, or whose worker has been silent longer than its lease; None without one.

        The job is running then, for `lease` seconds, and nothing of it counts as verified until the destination is
        asked again. One that outlived MAX_LOST workers is ended as failed instead.
        """
        if not self.has_work():
            return None
        with self._writing() as connection:
            while row := connection.execute(self._claimable().with_for_update(skip_locked=True)).first():
                if row.state == JobState.WAITING.value or self._take_over(connection, row, worker):
                    self._take(connection, row, worker, lease)
                    return _job(connection, row.id)
        return None

    def renew(self, job: Job, lease: float) -> bool:
        """Holds the job for `lease` more seconds; False when its worker should stop: it lost the job, or somebody
        asked to cancel it (then the lease is still renewed, for an orderly end)."""
        with self._writing() as connection:
            held = connection.execute(_held(job).values(lease=self._clock() + lease)).rowcount == 1
            return held and not _row(connection, job.id).cancel

    def set_state(self, job: Job, state: JobState) -> None:
        """Running or verifying."""
        with self._writing() as connection:
            self._write(connection, job, state=state.value)

    def progress(self, job: Job, sent: int, rate: float | None) -> None:
        """What the source counted, and how fast that grows."""
        with self._writing() as connection:
            self._write(connection, job, sent=sent, rate=rate)

    def mark_verified(self, job: Job, uids: Iterable[str]) -> None:
        """The destination was asked and holds these instances of the plan."""
        item = schema.item
        seen = [{"uid": uid} for uid in uids]
        count = select(func.count()).where(item.c.job == job.id, item.c.verified.is_(True)).scalar_subquery()
        with self._writing() as connection:
            if seen:
                marked = update(item).where(item.c.job == job.id, item.c.sop_instance == bindparam("uid"))
                connection.execute(marked.values(verified=True), seen)
            self._write(connection, job, verified=count)

    def finish(
        self, job: Job, state: JobState, reason: str = "", code: str = "", facts: Mapping[str, str] | None = None
    ) -> Job:
        """Ends the job. `code` and `facts` are for explain.py, `reason` is one line."""
        with self._writing() as connection:
            self._write(connection, job)
            self._end(connection, job.id, state, reason, code, facts or {})
            return _job(connection, job.id)

    def give_back(self, job: Job) -> None:
        """Makes the job wait for another worker (or ends it, if somebody asked to cancel it)."""
        with self._writing() as connection:
            self._write(connection, job)
            if _row(connection, job.id).cancel:
                self._end(connection, job.id, JobState.CANCELLED, "Cancelled", "", {})
            else:
                connection.execute(_at(job.id).values(_UNCLAIMED))
                self._log(connection, job.id, f"Given back by {job.worker}")

    # Inside one transaction

    def _claimable(self) -> Select[Any]:
        job = schema.job
        lapsed = and_(job.c.state.in_(_WITH_WORKER), or_(job.c.lease.is_(None), job.c.lease < self._clock()))
        return select(job).where(or_(job.c.state == JobState.WAITING.value, lapsed)).order_by(job.c.id).limit(1)

    def _lapsed(self, row: Row[Any]) -> bool:
        return row.state in _WITH_WORKER and (row.lease is None or row.lease < self._clock())

    def _take_over(self, connection: Connection, row: Row[Any], worker: str) -> bool:
        """Whether a job that lost its worker should be run again; ends it where not."""
        if row.cancel:
            self._end(connection, row.id, JobState.CANCELLED, "Cancelled; its worker was lost", "", {})
        elif row.lost + 1 >= MAX_LOST:
            facts = {"worker": row.worker, "attempts": str(row.attempts), "node": row.source}
            reason = f"{MAX_LOST} workers were lost while they ran it"
            self._end(connection, row.id, JobState.FAILED, reason, "worker:lost", facts)
        else:
            connection.execute(_at(row.id).values(lost=row.lost + 1))
            self._log(connection, row.id, f"Worker {row.worker} fell silent; {worker} takes over")
            return True
        return False

    def _take(self, connection: Connection, row: Row[Any], worker: str, lease: float) -> None:
        now = self._clock()
        claimed = {
            "state": JobState.RUNNING.value,
            "worker": worker,
            "lease": now + lease,
            "attempts": row.attempts + 1,
            "started": row.started or now,
            "sent": 0,
            "verified": 0,
            "rate": None,
            "reason": "",
        }
        connection.execute(_at(row.id).values(claimed))
        seen = update(schema.item).where(schema.item.c.job == row.id, schema.item.c.verified.is_(True))
        connection.execute(seen.values(verified=False))
        self._log(connection, row.id, f"Claimed by {worker}")

    def _write(self, connection: Connection, job: Job, **values: object) -> None:
        """Writes for the worker that holds the job; LeaseLost for any other."""
        if connection.execute(_held(job).values(values or {"worker": job.worker})).rowcount != 1:
            raise LeaseLost(f"Job {job.id} is no longer held by {job.worker}.")

    def _end(
        self, connection: Connection, number: int, state: JobState, reason: str, code: str, facts: Mapping[str, str]
    ) -> None:
        ended = {"state": state.value, "reason": reason, "code": code, "facts": rows.facts_text(facts)}
        connection.execute(_at(number).values(ended | {"finished": self._clock(), "lease": None, "cancel": False}))
        job = _job(connection, number)
        proof = f"{state.value.capitalize()} {job.verified}/{job.total}"
        self._log(connection, number, f"{proof}: {reason}" if reason else proof)

    def _log(self, connection: Connection, number: int, text: str) -> None:
        connection.execute(insert(schema.log).values(job=number, time=self._clock(), text=text))

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with _translated(str(self._engine.url)), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with _translated(str(self._engine.url)), self._writer.begin() as connection:
            yield connection
            connection.execute(update(schema.queue).values(changes=schema.queue.c.changes + 1))


_UNCLAIMED: dict[str, Any] = {"state": JobState.WAITING.value, "worker": "", "lease": None, "rate": None, "reason": ""}
_NO_RESULT: dict[str, Any] = {"code": "", "facts": "[]", "finished": None}


def _row(connection: Connection, number: int) -> Row[Any]:
    known = 0 < number < 2**63  # what SQLite can be asked for
    row = connection.execute(select(schema.job).where(schema.job.c.id == number)).first() if known else None
    if row is None:
        raise NotFound(f"There is no job {number}.")
    return row


def _job(connection: Connection, number: int) -> Job:
    return rows.job_of(_row(connection, number))


def _items(number: int) -> Select[Any]:
    return select(schema.item).where(schema.item.c.job == number).order_by(schema.item.c.position)


def _at(number: int) -> Update:
    return update(schema.job).where(schema.job.c.id == number)


def _held(job: Job) -> Update:
    """An update that only the worker holding this claim can make; `attempts` tells its claims of one job apart."""
    held: ColumnElement[bool] = and_(schema.job.c.worker == job.worker, schema.job.c.attempts == job.attempts)
    return _at(job.id).where(held, schema.job.c.state.in_(_WITH_WORKER))


@contextmanager
def _translated(url: str) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        cause = getattr(error, "orig", None) or error
        raise StorageError(f"The job queue {url.partition(':///')[2] or url} cannot be used: {cause}") from error
