"""The jobs on the screen: watched in the queue's database, enqueued, cancelled and retried."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from time import monotonic
from typing import TYPE_CHECKING

from msgspec import Struct
from textual.app import App
from textual.signal import Signal

from pacs_tui.errors import PacsError, StorageError
from pacs_tui.model.job import Job, JobEvent, JobState, Plan, PlannedInstance
from pacs_tui.tui.background import Background

if TYPE_CHECKING:
    from threading import Event

    from pacs_tui.station import Station

POLL_SECONDS = 0.5
CARE_SECONDS = 5.0


class JobsNow(Struct, frozen=True):
    """The queue as it was last read."""

    jobs: tuple[Job, ...] = ()
    """Newest first."""
    counts: Mapping[JobState, int] = {}
    error: str = ""
    """Why it could not be read, empty when it was."""

    def job(self, number: int) -> Job | None:
        return next((job for job in self.jobs if job.id == number), None)


class JobStory(Struct, frozen=True):
    """Everything the queue tells about one job."""

    job: Job
    events: tuple[JobEvent, ...]
    missing: tuple[PlannedInstance, ...]


class JobBoard:
    """Follows the queue from a thread of its own and tells whoever subscribed to `changed`."""

    def __init__(self, app: App[None], background: Background, station: Station) -> None:
        self.now = JobsNow()
        self.changed: Signal[JobsNow] = Signal(app, "jobs")
        self._app = app
        self._background = background
        self._station = station

    def start(self) -> None:
        """Begins to watch; ends with the background."""
        self._background.stream("jobs", self._watch, self._show, lambda: None, self._say)

    def enqueue(self, plan: Plan, done: Callable[[Job], None]) -> None:
        """Makes a job of the plan and sees that a worker runs."""

        def work(cancel: Event) -> Job:
            job = self._station.queue.enqueue(plan)
            self._station.launch_worker()
            return job

        self._background.run("", work, done, self._say)

    def cancel(self, number: int, done: Callable[[Job], None]) -> None:
        self._background.run("", lambda _: self._station.queue.cancel(number), done, self._say)

    def retry(self, number: int, done: Callable[[Job], None]) -> None:
        """Makes the job wait again and sees that a worker runs."""

        def work(cancel: Event) -> Job:
            job = self._station.queue.retry(number)
            self._station.launch_worker()
            return job

        self._background.run("", work, done, self._say)

    def story(self, number: int, done: Callable[[JobStory], None]) -> None:
        """Reads one job in full; only the last one asked for arrives."""

        def work(cancel: Event) -> JobStory:
            queue = self._station.queue
            job = queue.job(number)
            missing = queue.missing(number) if job.state.ended and job.state is not JobState.VERIFIED else []
            return JobStory(job, tuple(queue.events(number)), tuple(missing))

        self._background.run("job-story", work, done, self._say, wait=True)

    def _watch(self, cancel: Event) -> Iterator[JobsNow]:
        """A new value whenever the queue has changed, until `cancel`."""
        seen: int | None = None
        error = ""
        cared = 0.0
        while not cancel.is_set():
            try:
                queue = self._station.queue
                version = queue.version()
                if version != seen or error:
                    yield JobsNow(tuple(queue.jobs()), queue.counts())
                    seen, error = version, ""
                if monotonic() - cared >= CARE_SECONDS:
                    cared = monotonic()
                    self._see_to_a_worker()
            except StorageError as failure:
                if str(failure) != error:
                    error = str(failure)
                    yield JobsNow(error=error)
            cancel.wait(POLL_SECONDS)

    def _see_to_a_worker(self) -> None:
        """A worker that was killed leaves its jobs to the next one: see to it that there is one."""
        counts = self._station.queue.counts()
        if any(counts.get(state, 0) for state in JobState if not state.ended) and not self._station.readonly:
            self._station.launch_worker()

    def _show(self, values: list[JobsNow]) -> None:
        self.now = values[-1]
        self.changed.publish(self.now)

    def _say(self, error: PacsError) -> None:
        self._app.notify(str(error), severity="error", markup=False)
