"""The pane of jobs."""

from __future__ import annotations

from collections.abc import Sequence

from pacs_tui.model.job import Job
from pacs_tui.tui.job_board import JobsNow
from pacs_tui.tui.presentation.line import Line, span
from pacs_tui.tui.widgets.virtual_list import VirtualList


class JobList(VirtualList):
    """One line a job, newest first; the cursor stays with its job while others come."""

    BORDER_TITLE = "Jobs"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._now = JobsNow()

    def show(self, now: JobsNow) -> None:
        """Paints the queue as it is now."""
        here = self.job.id if self.job and self.cursor else None
        self._now = now
        numbers = [job.id for job in now.jobs]
        self.set_length(len(numbers), numbers.index(here) if here in numbers else 0)
        self.post_message(self.Moved(self))

    def show_job(self, number: int) -> None:
        """Puts the cursor on a job."""
        numbers = [job.id for job in self._now.jobs]
        if number in numbers:
            self.cursor = numbers.index(number)

    @property
    def job(self) -> Job | None:
        """The job under the cursor."""
        return self._now.jobs[self.cursor] if self.cursor < len(self._now.jobs) else None

    def details(self) -> list[Line]:
        """Everything about the job under the cursor."""
        if self.job is None:
            return []
        from pacs_tui.tui.presentation.jobs import job_details

        return job_details(self.job)

    def line(self, index: int, cells: int) -> Line:
        from pacs_tui.tui.presentation.jobs import job_line

        return job_line(self._now.jobs[index], cells)

    def empty(self) -> Sequence[Line]:
        return [(span(f" {self._now.error}", "bad") if self._now.error else (" nothing was moved yet", "dim"),)]
