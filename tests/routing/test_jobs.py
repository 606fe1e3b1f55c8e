"""The queue keeps every transition, and gives a job to one worker at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from pacs_tui.errors import NotFound, StorageError, UsageError
from pacs_tui.model.job import Job, JobState
from pacs_tui.model.level import Level
from pacs_tui.model.transfer import Target
from pacs_tui.routing import schema
from pacs_tui.routing.jobs import MAX_LOST, JobQueue, LeaseLost
from tests.routing.fakes import plan, study


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(tmp_path: Path, clock: Clock) -> JobQueue:
    return JobQueue(f"sqlite:///{tmp_path / 'timed.db'}", clock)


def claimed(queue: JobQueue, worker: str = "one") -> Job:
    job = queue.claim(worker, 30.0)
    assert job is not None
    return job


def test_a_plan_comes_back_as_it_was_enqueued(queue: JobQueue) -> None:
    some = Target(Level.IMAGE, "", "1.2.2", "1.2.2.1", ("1.2.2.1.2", "1.2.2.1.1"))
    asked = plan(study(1) + study(2), [Target(Level.STUDY, "47\\11 ü", "1.2.1"), some])
    job = queue.enqueue(asked)
    assert (job.state, job.total, job.verified, job.attempts) == (JobState.WAITING, 12, 0, 0)
    assert queue.plan_of(job.id) == asked
    assert queue.missing(job.id) == list(asked.instances)
    assert queue.job(job.id) == job


def test_an_empty_plan_is_refused(queue: JobQueue) -> None:
    with pytest.raises(UsageError):
        queue.enqueue(plan([]))


def test_jobs_are_listed_newest_first_and_claimed_oldest_first(queue: JobQueue) -> None:
    numbers = [queue.enqueue(plan(study(n))).id for n in range(3)]
    assert [job.id for job in queue.jobs()] == numbers[::-1]
    assert [job.id for job in queue.jobs(limit=2)] == numbers[:0:-1]
    assert [claimed(queue).id for _ in numbers] == numbers
    assert queue.claim("one", 30.0) is None
    assert queue.counts()[JobState.RUNNING] == 3


@pytest.mark.parametrize("number", [0, 7, -1, 2**70])
def test_an_unknown_number_is_not_found(queue: JobQueue, number: int) -> None:
    for ask in (
        queue.job, queue.events, queue.missing, queue.plan_of, queue.cancel, queue.retry, queue.cancel_requested
    ):  # fmt: skip
        with pytest.raises(NotFound):
            ask(number)
    with pytest.raises(NotFound):
        queue.note(number, "nobody")


def test_a_job_lives_from_waiting_to_verified(timed: JobQueue, clock: Clock) -> None:
    number = timed.enqueue(plan(study(1))).id
    clock.now += 5
    job = claimed(timed)
    assert (job.state, job.worker, job.started, job.attempts) == (JobState.RUNNING, "one", 1005.0, 1)
    timed.progress(job, 4, 2.0)
    assert timed.job(number).eta == 1.0
    timed.set_state(job, JobState.VERIFYING)
    timed.mark_verified(job, ["1.2.1.1.1", "1.2.1.1.2", "9.9.9"])
    timed.mark_verified(job, ["1.2.1.1.2"])
    assert timed.job(number).verified == 2
    assert len(timed.missing(number)) == 4
    ended = timed.finish(job, JobState.PARTIAL, "2 of 6", "verify:partial", {"node": "DEST"})
    assert (ended.finished, ended.code, ended.facts) == (1005.0, "verify:partial", (("node", "DEST"),))
    assert [event.text for event in timed.events(number)] == [
        "Planned 6 instances, SOURCE to DEST", "Claimed by one", "Partial 2/6: 2 of 6",
    ]  # fmt: skip


def test_every_change_raises_the_version_and_no_question_does(queue: JobQueue) -> None:
    before = queue.version()
    job = queue.enqueue(plan(study(1)))
    assert queue.version() > before
    running = claimed(queue)
    before = queue.version()
    queue.jobs(), queue.counts(), queue.events(job.id), queue.missing(job.id), queue.claim("two", 30.0)
    assert queue.version() == before
    queue.progress(running, 1, None)
    assert queue.version() > before


def test_another_queue_on_the_same_file_sees_the_change(queue: JobQueue, tmp_path: Path) -> None:
    other = JobQueue(f"sqlite:///{tmp_path / 'pacs.db'}")
    before = other.version()
    job = queue.enqueue(plan(study(1)))
    assert other.version() > before
    assert other.jobs() == [job]
    other.close()


def test_a_job_is_taken_over_only_when_its_lease_has_run_out(timed: JobQueue, clock: Clock) -> None:
    timed.enqueue(plan(study(1)))
    first = claimed(timed)
    timed.mark_verified(first, ["1.2.1.1.1"])
    clock.now += 29
    assert timed.renew(first, 30.0)
    clock.now += 29
    assert timed.claim("two", 30.0) is None
    clock.now += 2
    second = claimed(timed, "two")
    assert (second.worker, second.attempts, second.verified, len(timed.missing(second.id))) == ("two", 2, 0, 6)
    assert "fell silent" in timed.events(second.id)[-2].text


def test_whoever_lost_the_lease_writes_nothing_more(timed: JobQueue, clock: Clock) -> None:
    timed.enqueue(plan(study(1)))
    first = claimed(timed)
    clock.now += 31
    second = claimed(timed)  # the same worker's name, in another claim
    assert not timed.renew(first, 30.0)
    before = timed.job(first.id), timed.events(first.id), timed.version()
    with pytest.raises(LeaseLost):
        timed.progress(first, 5, 1.0)
    with pytest.raises(LeaseLost):
        timed.mark_verified(first, ["1.2.1.1.1"])
    with pytest.raises(LeaseLost):
        timed.set_state(first, JobState.VERIFYING)
    with pytest.raises(LeaseLost):
        timed.finish(first, JobState.VERIFIED)
    with pytest.raises(LeaseLost):
        timed.give_back(first)
    assert (timed.job(first.id), timed.events(first.id), timed.version()) == before
    assert len(timed.missing(first.id)) == 6
    assert timed.renew(second, 30.0)


def test_a_late_worker_keeps_a_job_that_nobody_else_took(timed: JobQueue, clock: Clock) -> None:
    timed.enqueue(plan(study(1)))
    job = claimed(timed)
    clock.now += 3600
    assert timed.renew(job, 30.0)
    assert timed.claim("two", 30.0) is None


def test_a_job_that_costs_every_worker_is_ended(timed: JobQueue, clock: Clock) -> None:
    number = timed.enqueue(plan(study(1))).id
    for _ in range(MAX_LOST):
        assert claimed(timed).id == number
        clock.now += 31
    assert timed.claim("one", 30.0) is None
    job = timed.job(number)
    assert (job.state, job.code) == (JobState.FAILED, "worker:lost")
    timed.retry(number)
    assert claimed(timed).id == number


def test_a_waiting_job_is_cancelled_at_once(queue: JobQueue) -> None:
    number = queue.enqueue(plan(study(1))).id
    assert queue.cancel(number).state is JobState.CANCELLED
    assert queue.claim("one", 30.0) is None
    with pytest.raises(UsageError, match="cancelled"):
        queue.cancel(number)


def test_a_running_job_is_told_to_stop_and_ends_when_its_worker_says(queue: JobQueue) -> None:
    number = queue.enqueue(plan(study(1))).id
    job = claimed(queue)
    assert not queue.cancel_requested(number)
    assert queue.cancel(number).state is JobState.RUNNING
    assert queue.cancel(number).state is JobState.RUNNING
    assert queue.cancel_requested(number)
    assert not queue.renew(job, 30.0)
    assert queue.finish(job, JobState.CANCELLED, "1 of 6").state is JobState.CANCELLED
    assert not queue.cancel_requested(number)


def test_cancelling_a_job_whose_worker_is_gone_ends_it(timed: JobQueue, clock: Clock) -> None:
    number = timed.enqueue(plan(study(1))).id
    claimed(timed)
    timed.cancel(number)
    clock.now += 31
    assert timed.claim("two", 30.0) is None
    assert timed.job(number).state is JobState.CANCELLED
    other = timed.enqueue(plan(study(2))).id
    claimed(timed)
    clock.now += 31
    assert timed.cancel(other).state is JobState.CANCELLED


def test_a_job_given_back_waits_for_another_worker(queue: JobQueue) -> None:
    number = queue.enqueue(plan(study(1))).id
    queue.give_back(claimed(queue))
    assert (queue.job(number).state, queue.job(number).worker) == (JobState.WAITING, "")
    assert claimed(queue, "two").worker == "two"


def test_a_job_given_back_after_a_cancel_is_cancelled(queue: JobQueue) -> None:
    number = queue.enqueue(plan(study(1))).id
    job = claimed(queue)
    queue.cancel(number)
    queue.give_back(job)
    assert queue.job(number).state is JobState.CANCELLED


def test_retry_makes_an_ended_job_wait_again(queue: JobQueue) -> None:
    number = queue.enqueue(plan(study(1))).id
    with pytest.raises(UsageError, match="waiting"):
        queue.retry(number)
    queue.finish(claimed(queue), JobState.FAILED, "No.", "tcp:refused", {"node": "DEST"})
    job = queue.retry(number)
    assert (job.state, job.code, job.reason, job.facts, job.finished) == (JobState.WAITING, "", "", (), None)
    queue.finish(claimed(queue), JobState.VERIFIED)
    with pytest.raises(UsageError, match="verified"):
        queue.retry(number)


def test_many_threads_claim_every_job_once(queue: JobQueue) -> None:
    numbers = {queue.enqueue(plan(study(n, 1, 1))).id for n in range(40)}

    def work(worker: int) -> list[int]:
        taken = []
        while (job := queue.claim(f"w{worker}", 30.0)) is not None:
            taken.append(job.id)
            queue.finish(job, JobState.VERIFIED)
        return taken

    with ThreadPoolExecutor(6) as pool:
        taken = [number for numbers in pool.map(work, range(6)) for number in numbers]
    assert len(taken) == 40
    assert set(taken) == numbers


def test_the_file_is_durable_and_shared(queue: JobQueue, tmp_path: Path) -> None:
    with schema.open_database(f"sqlite:///{tmp_path / 'pacs.db'}").connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2
        assert connection.execute(text("PRAGMA busy_timeout")).scalar() == schema.BUSY_SECONDS * 1000


def test_a_file_that_is_no_database_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "pacs.db").write_text("not a database" * 100)
    with pytest.raises(StorageError, match=r"pacs\.db"):
        JobQueue(f"sqlite:///{tmp_path / 'pacs.db'}")


def test_a_database_from_the_future_is_left_alone(queue: JobQueue, tmp_path: Path) -> None:
    engine = schema.open_database(f"sqlite:///{tmp_path / 'pacs.db'}")
    with engine.execution_options(writes=True).begin() as connection:
        connection.execute(text("UPDATE queue SET schema_version = 99"))
    with pytest.raises(StorageError, match="update"):
        JobQueue(f"sqlite:///{tmp_path / 'pacs.db'}")


def test_a_queue_in_memory_is_refused() -> None:
    with pytest.raises(StorageError):
        JobQueue("sqlite://")
