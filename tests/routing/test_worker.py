"""A job ends by what the destination holds, and survives its worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

import pytest

from pacs_tui.errors import Cancelled, NetworkError, NotFound
from pacs_tui.explain import explain
from pacs_tui.model.job import Job, JobState
from pacs_tui.model.level import Level
from pacs_tui.model.node import Node
from pacs_tui.model.transfer import Progress, Target
from pacs_tui.routing.jobs import JobQueue
from pacs_tui.routing.run import Pace
from pacs_tui.routing.worker import Worker
from tests.routing.fakes import DEADLINE, FakePeer, Shelves, node, plan, study, until

NODES = {"SOURCE": node("SOURCE"), "DEST": node("DEST", ae_title="DEST", host="10.0.0.7", port=11112)}


class Ward:
    """A queue, two nodes and a worker between them."""

    def __init__(self, queue: JobQueue, source: FakePeer, destination: FakePeer) -> None:
        self.queue = queue
        self.source = source
        self.destination = destination
        self.nodes = dict(NODES)
        source.shelves.put("SOURCE", study(1))

    def worker(self, name: str = "one", lease: float = 30.0, verify_seconds: float = 0.2, jobs: int = 2) -> Worker:
        peers = {"SOURCE": self.source, "DEST": self.destination}

        def node_for(name: str) -> Node:
            if name not in self.nodes:
                raise NotFound(f"There is no node {name}.")
            return self.nodes[name]

        return Worker(
            self.queue, lambda n: peers[n], node_for, jobs=jobs, lease=lease, verify_seconds=verify_seconds, name=name
        )

    def ended(self, number: int | None = None) -> Job:
        """Runs the job, a new one without a number, to its end."""
        job = self.queue.job(number) if number else self.queue.enqueue(plan(study(1)))
        self.worker().run(Event(), 0.0)
        return self.queue.job(job.id)

    def log(self, job: Job) -> str:
        return "\n".join(event.text for event in self.queue.events(job.id))


@pytest.fixture
def ward(queue: JobQueue, source: FakePeer, destination: FakePeer) -> Ward:
    return Ward(queue, source, destination)


@contextmanager
def running(worker: Worker, stop: Event) -> Iterator[Thread]:
    thread = Thread(target=worker.run, args=(stop, None), daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(DEADLINE)
        assert not thread.is_alive()


class Gate:
    """Holds the source before its third instance until opened, or until the move is cancelled."""

    def __init__(self) -> None:
        self.reached = Event()
        self.open = Event()

    def __call__(self, sent: int, cancel: Event | None) -> None:
        if sent == 2:
            self.reached.set()
            until(lambda: self.open.is_set() or (cancel is not None and cancel.is_set()))


def test_a_job_is_verified_when_the_destination_lists_everything(ward: Ward) -> None:
    job = ward.ended()
    assert (job.state, job.verified, job.sent, job.code, job.reason) == (JobState.VERIFIED, 6, 6, "", "")
    assert ward.source.moves == [Target(Level.STUDY, "4711", "1.2.1")]
    assert ward.queue.missing(job.id) == []


def test_success_without_sending_is_a_failure(ward: Ward) -> None:
    ward.source.lies = True
    job = ward.ended()
    assert (job.state, job.code, job.verified) == (JobState.FAILED, "verify:none", 0)
    assert "DEST" in explain(job.code, dict(job.facts)).happened


def test_success_with_a_loss_is_partial_and_names_what_is_missing(ward: Ward) -> None:
    ward.source.loses = frozenset({"1.2.1.2.1"})
    job = ward.ended()
    assert (job.state, job.code, job.verified) == (JobState.PARTIAL, "verify:partial", 5)
    assert [i.sop_instance for i in ward.queue.missing(job.id)] == ["1.2.1.2.1"]
    assert "5 of 6" in explain(job.code, dict(job.facts)).happened


def test_failed_suboperations_are_partial_at_once(ward: Ward) -> None:
    ward.source.drops = frozenset({"1.2.1.2.1"})
    job_worker = ward.worker(verify_seconds=3600.0)  # waiting for what was not sent would never end
    job = ward.queue.enqueue(plan(study(1)))
    job_worker.run(Event(), 0.0)
    job = ward.queue.job(job.id)
    assert (job.state, job.code, job.verified) == (JobState.PARTIAL, "status:C-MOVE:B000", 5)
    assert "1.2.1.2.1" in ward.log(job)


def test_retry_sends_only_what_is_missing(ward: Ward) -> None:
    ward.source.drops = frozenset({"1.2.1.2.1"})
    first = ward.ended()
    ward.source.drops = frozenset()
    ward.queue.retry(first.id)
    job = ward.ended(first.id)
    assert (job.state, job.verified) == (JobState.VERIFIED, 6)
    assert ward.source.moves[-1] == Target(Level.IMAGE, "4711", "1.2.1", "1.2.1.2", ("1.2.1.2.1",))
    assert len(ward.source.shelves.arrivals("DEST")) == 6


def test_what_is_there_already_is_not_sent(ward: Ward) -> None:
    ward.source.shelves.put("DEST", study(1))
    job = ward.ended()
    assert (job.state, job.verified, job.sent, ward.source.moves) == (JobState.VERIFIED, 6, 6, [])


def test_an_unknown_destination_fails_with_what_to_ask(ward: Ward) -> None:
    ward.source.unknown_destination = True
    ward.source.shelves.put("SOURCE", study(2))
    number = ward.queue.enqueue(plan(study(1) + study(2))).id
    job = ward.ended(number)
    assert (job.state, job.code) == (JobState.FAILED, "status:C-MOVE:A801")
    assert len(ward.source.moves) == 1
    ask = explain(job.code, dict(job.facts)).ask
    assert "DEST" in ask
    assert "10.0.0.7" in ask
    assert "11112" in ask


def test_one_refused_study_does_not_stop_the_others(ward: Ward) -> None:
    ward.source.shelves.put("SOURCE", study(2))
    ward.source.status_for = {"1.2.1": 0xA702}
    job = ward.ended(ward.queue.enqueue(plan(study(1) + study(2))).id)
    assert (job.state, job.code, job.verified) == (JobState.PARTIAL, "status:C-MOVE:A702", 6)
    assert {i.study_uid for i in ward.queue.missing(job.id)} == {"1.2.1"}


def test_an_abort_in_mid_move_is_partial_and_resumes(ward: Ward) -> None:
    ward.source.aborts_after = 4
    first = ward.ended()
    assert (first.state, first.code, first.verified, first.sent) == (JobState.PARTIAL, "abort:0:0", 4, 4)
    ward.source.aborts_after = None
    ward.queue.retry(first.id)
    assert ward.ended(first.id).state is JobState.VERIFIED
    assert len(ward.source.shelves.arrivals("DEST")) == 6


def test_a_destination_that_cannot_be_asked_leaves_the_job_unverified(ward: Ward) -> None:
    ward.destination.silent = True
    job = ward.ended()
    assert (job.state, job.code, job.verified) == (JobState.UNVERIFIED, "verify:impossible", 0)
    assert len(ward.source.shelves.arrivals("DEST")) == 6
    ward.destination.silent = False
    ward.queue.retry(job.id)
    assert ward.ended(job.id).state is JobState.VERIFIED
    assert len(ward.source.shelves.arrivals("DEST")) == 6


def test_a_known_loss_is_a_failure_even_where_nobody_can_be_asked(ward: Ward) -> None:
    ward.destination.silent = True
    ward.source.drops = frozenset({"1.2.1.2.1"})
    assert ward.ended().state is JobState.FAILED


def test_a_slow_arrival_is_waited_for(ward: Ward) -> None:
    ward.destination.shows = 0
    job = ward.queue.enqueue(plan(study(1, 1, 3)))
    ward.worker(verify_seconds=DEADLINE).run(Event(), 0.0)
    assert ward.queue.job(job.id).state is JobState.VERIFIED


@pytest.mark.parametrize(
    ("last", "code"),
    [
        (Progress(0, 0, 0, 0, 0xC001), "status:C-MOVE:C001"),
        (Progress(0, 0, 0, 0, 0xFE00), "status:C-MOVE:FE00"),
        (Progress(5, 1, 0, 0, 0xFF00), "unexpected"),
    ],
)
def test_a_strange_end_of_the_move_is_not_success(
    ward: Ward, monkeypatch: pytest.MonkeyPatch, last: Progress, code: str
) -> None:
    monkeypatch.setattr(ward.source, "move", lambda *_: iter([last]))
    job = ward.ended()
    assert (job.state, job.code) == (JobState.FAILED, code)


def test_a_cancel_at_the_source_is_a_failure_and_not_ours(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    def cancelled(*_: object) -> Iterator[Progress]:
        yield Progress(5, 1, 0, 0, 0xFF00)
        raise Cancelled("SOURCE cancelled the C-MOVE.")

    monkeypatch.setattr(ward.source, "move", cancelled)
    job = ward.ended()
    assert (job.state, job.code) == (JobState.FAILED, "status:C-MOVE:FE00")


def test_a_cancelled_job_says_what_had_arrived(ward: Ward) -> None:
    gate = ward.source.between = Gate()
    number = ward.queue.enqueue(plan(study(1))).id
    with running(ward.worker(), Event()):
        assert gate.reached.wait(DEADLINE)
        ward.queue.cancel(number)
        until(lambda: ward.queue.job(number).state.ended)
    job = ward.queue.job(number)
    assert (job.state, job.verified) == (JobState.CANCELLED, 2)
    assert "2 of 6" in job.reason


def test_a_stopped_worker_gives_its_job_back_and_another_ends_it(ward: Ward) -> None:
    gate = ward.source.between = Gate()
    number = ward.queue.enqueue(plan(study(1))).id
    with running(ward.worker(), Event()):
        assert gate.reached.wait(DEADLINE)
    given = ward.queue.job(number)
    assert (given.state, given.worker) == (JobState.WAITING, "")
    gate.open.set()
    assert ward.ended(number).state is JobState.VERIFIED
    assert len(ward.source.shelves.arrivals("DEST")) == 6


def test_the_lease_outlives_a_peer_that_is_silent(ward: Ward) -> None:
    gate = ward.source.between = Gate()
    number = ward.queue.enqueue(plan(study(1))).id
    with running(ward.worker(lease=0.3), Event()):
        assert gate.reached.wait(DEADLINE)
        before = ward.queue.version()
        until(lambda: ward.queue.version() >= before + 5)  # renewals: nothing else happens
        assert ward.queue.claim("two", 30.0) is None
        gate.open.set()
        until(lambda: ward.queue.job(number).state is JobState.VERIFIED)
    assert ward.queue.job(number).attempts == 1


def test_a_worker_whose_job_was_taken_stops_and_writes_nothing(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = ward.source.between = Gate()
    number = ward.queue.enqueue(plan(study(1))).id
    monkeypatch.setattr(Worker, "_still_wanted", lambda *_: True)  # as if the machine had been asleep
    with running(ward.worker(lease=0.1), Event()):
        assert gate.reached.wait(DEADLINE)
        until(ward.queue.has_work)
        second = ward.queue.claim("two", 30.0)
        assert second is not None
        gate.open.set()
        until(lambda: len(ward.source.shelves.arrivals("DEST")) > 2)
    job = ward.queue.job(number)
    assert (job.worker, job.state, job.attempts) == ("two", JobState.RUNNING, 2)


def test_two_jobs_run_at_a_time_and_no_more(ward: Ward) -> None:
    started: list[int] = []
    release = Event()

    def hold(sent: int, _cancel: Event | None) -> None:
        if sent == 0:
            started.append(sent)
            release.wait(DEADLINE)

    ward.source.between = hold
    for number in (2, 3):
        ward.source.shelves.put("SOURCE", study(number))
    numbers = [ward.queue.enqueue(plan(study(n))).id for n in (1, 2, 3)]
    with running(ward.worker(jobs=2), Event()):
        until(lambda: len(started) == 2)
        assert ward.queue.counts()[JobState.RUNNING] == 2
        assert ward.queue.job(numbers[2]).state is JobState.WAITING
        release.set()
        until(lambda: ward.queue.counts()[JobState.VERIFIED] == 3)


def test_an_idle_worker_leaves_and_one_that_is_told_to_stay_takes_new_work(ward: Ward) -> None:
    ward.worker().run(Event(), 0.05)
    with running(ward.worker(), Event()) as thread:
        number = ward.queue.enqueue(plan(study(1))).id
        until(lambda: ward.queue.job(number).state is JobState.VERIFIED)
        assert thread.is_alive()


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda nodes: nodes.pop("DEST"), "DEST"),
        (lambda nodes: nodes.update(DEST=node("DEST", readonly=True)), "read-only"),
    ],
)
def test_a_node_that_may_not_be_used_any_more_ends_the_job(
    ward: Ward, spoil: Callable[[dict[str, Node]], object], word: str
) -> None:
    spoil(ward.nodes)
    job = ward.ended()
    assert job.state is JobState.FAILED
    assert word in job.reason
    assert ward.source.moves == []


def test_a_mistake_of_ours_ends_the_job_and_not_the_worker(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(ward.source, "move", broken)
    job = ward.ended()
    assert (job.state, job.code) == (JobState.FAILED, "unexpected")
    assert "ZeroDivisionError" in job.reason


def test_the_counters_of_the_source_are_not_believed(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    boasting = [Progress(0, 70_000, 0, 0, 0xFF00), Progress(0, 70_000, 0, 0, 0)]
    monkeypatch.setattr(ward.source, "move", lambda *_: iter(boasting))
    job = ward.ended()
    assert (job.sent, job.verified, job.state) == (6, 0, JobState.FAILED)


def test_facts_of_the_source_win_over_those_of_the_book(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> Iterator[Progress]:
        raise NetworkError("No.", "rj:1:1:7", called="OTHER", calling="PACSTUI")

    monkeypatch.setattr(ward.source, "move", refused)
    facts = dict(ward.ended().facts)
    assert (facts["called"], facts["calling"], facts["destination"], facts["node"]) == (
        "OTHER", "PACSTUI", "DEST", "SOURCE",
    )  # fmt: skip


def test_the_pace_is_that_of_the_last_seconds() -> None:
    pace = Pace()
    pace.add(0.0, 0)
    assert pace.rate is None
    for second in range(1, 21):
        pace.add(float(second), second * 10 if second < 10 else 100 + (second - 10) * 50)
    assert pace.rate == pytest.approx(50.0)


def test_shelves_tell_overlaps(shelves: Shelves) -> None:
    shelves.begin("1.2.1")
    shelves.begin("1.2.1")
    assert shelves.overlaps() == 1
