"""The worker: claims jobs, keeps their leases alive, runs each in a thread of its own."""

from __future__ import annotations

import logging
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Lock, Thread

from pacs_tui.errors import Cancelled, NetworkError, PacsError, StorageError
from pacs_tui.model.job import Job, JobState
from pacs_tui.model.node import Node
from pacs_tui.routing.jobs import JobQueue, LeaseLost
from pacs_tui.routing.outcome import Outcome, Route
from pacs_tui.routing.peers import RoutingPeer
from pacs_tui.routing.planning import check_route
from pacs_tui.routing.run import Run

_log = logging.getLogger(__name__)

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0
STOP_SECONDS = 10.0
"""How long running jobs may take to give themselves back: a C-CANCEL and its grace fit in."""


@dataclass(slots=True, eq=False)
class _Running:
    """A claimed job and the thread that runs it."""

    job: Job
    renewed: float
    cancel: Event = field(default_factory=Event)
    thread: Thread | None = None


class Worker:
    """Runs the jobs of a queue, up to `jobs` at a time, until it is stopped or idle.

    Crash-only: nothing but the queue and what the destination holds is needed to go on, so a worker that is killed is
    replaced by any other as soon as its leases have run out.
    """

    def __init__(
        self,
        queue: JobQueue,
        peer_for: Callable[[str], RoutingPeer],
        node_for: Callable[[str], Node],
        *,
        jobs: int = 2,
        lease: float = 30.0,
        verify_seconds: float = 60.0,
        name: str = "",
    ) -> None:
        self.name = name or f"{platform.node()}:{os.getpid()}"
        self._queue = queue
        self._peer_for = peer_for
        self._node_for = node_for
        self._jobs = jobs
        self._lease = lease
        self._verify_seconds = verify_seconds
        self._lock = Lock()
        self._running: list[_Running] = []
        self._stopping = Event()
        self._freed = Event()

    def run(self, stop: Event, idle: float | None) -> None:
        """Works until `stop` is set, or until there was nothing to do for `idle` seconds (None: for ever).

        A stopped worker gives its running jobs back at once, so that another can go on. Raises StorageError where the
        queue cannot be used.
        """
        self._stopping.clear()
        ended = Event()
        keeper = Thread(target=self._keep_leases, args=(ended,), name="leases", daemon=True)
        keeper.start()
        try:
            self._work(stop, idle)
        finally:
            self._stop_running()
            ended.set()
            keeper.join(STOP_SECONDS)

    def _work(self, stop: Event, idle: float | None) -> None:
        pause = FIRST_PAUSE
        busy = time.monotonic()
        while not stop.is_set():
            self._freed.clear()
            with self._lock:
                free = self._jobs - len(self._running)
            if free > 0 and (job := self._queue.claim(self.name, self._lease)) is not None:
                self._start(job)
                pause = FIRST_PAUSE
                continue
            now = time.monotonic()
            if free < self._jobs:
                busy = now
            elif idle is not None and now - busy >= idle:
                return
            # With no room the next thing to happen is a job that ends; with room, a job that somebody enqueues.
            (stop if free else self._freed).wait(pause if idle is None else min(pause, max(idle, FIRST_PAUSE)))
            pause = min(pause * 1.5, LONGEST_PAUSE)

    def _start(self, job: Job) -> None:
        _log.info("job %d: %s to %s, %d instances", job.id, job.source, job.destination, job.total)
        running = _Running(job, time.monotonic())
        running.thread = Thread(target=self._run_job, args=(running,), name=f"job {job.id}", daemon=True)
        with self._lock:
            self._running.append(running)
        running.thread.start()

    def _run_job(self, running: _Running) -> None:
        job = running.job
        try:
            self._end(running, self._outcome(running))
        except LeaseLost as error:
            _log.warning("%s", error)
        except StorageError as error:
            _log.error("job %d: %s", job.id, error)  # its lease runs out, and somebody takes it up again
        finally:
            with self._lock:
                self._running.remove(running)
            self._freed.set()

    def _outcome(self, running: _Running) -> Outcome | None:
        """How the job ends, None where it should be given back."""
        job = running.job
        try:
            route = Route(self._node_for(job.source), self._node_for(job.destination))
            check_route(route.source, route.destination)
            source, destination = self._peer_for(job.source), self._peer_for(job.destination)
            run = Run(self._queue, job, source, destination, route, running.cancel, self._verify_seconds)
            try:
                return run.perform()
            except Cancelled:
                if self._stopping.is_set():
                    return None
                return run.cancelled(self._stopping)
        except Cancelled:
            return None
        except (LeaseLost, StorageError):
            raise
        except NetworkError as error:
            return Outcome(JobState.FAILED, str(error), error.code, error.facts)
        except PacsError as error:  # a node that is not in the book any more, or read-only now
            return Outcome(JobState.FAILED, str(error))
        except Exception as error:  # noqa: BLE001 - a mistake of ours ends its job, not the worker
            _log.exception("job %d", job.id)
            return Outcome(JobState.FAILED, f"{type(error).__name__}: {error}", "unexpected", {"node": job.source})

    def _end(self, running: _Running, outcome: Outcome | None) -> None:
        job = running.job
        if outcome is None:
            self._queue.give_back(job)
            _log.info("job %d: given back", job.id)
            return
        ended = self._queue.finish(job, outcome.state, outcome.reason, outcome.code, outcome.facts)
        _log.info("job %d: %s %d/%d %s", job.id, ended.state.value, ended.verified, ended.total, ended.reason)

    def _stop_running(self) -> None:
        self._stopping.set()
        with self._lock:
            left = list(self._running)
        for running in left:
            running.cancel.set()
        until = time.monotonic() + STOP_SECONDS
        for running in left:
            if running.thread is not None:
                running.thread.join(max(0.0, until - time.monotonic()))

    def _keep_leases(self, ended: Event) -> None:
        """Renews leases, and passes on that somebody cancelled: neither may wait for a peer."""
        while not ended.wait(min(self._lease / 3, 0.5)):
            with self._lock:
                held = list(self._running)
            for running in held:
                try:
                    if not self._still_wanted(running):
                        running.cancel.set()
                except PacsError as error:
                    _log.error("job %d: %s", running.job.id, error)

    def _still_wanted(self, running: _Running) -> bool:
        now = time.monotonic()
        if now - running.renewed >= self._lease / 3:
            wanted = self._queue.renew(running.job, self._lease)
            running.renewed = now
            return wanted
        return not self._queue.cancel_requested(running.job.id)
