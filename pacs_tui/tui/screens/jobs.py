"""All transfers, and the story of one."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container

from pacs_tui.model.job import Job, JobState
from pacs_tui.tui.dialogs.confirm import Confirm
from pacs_tui.tui.job_board import JobsNow, JobStory
from pacs_tui.tui.presentation import jobs as words
from pacs_tui.tui.presentation.line import Line
from pacs_tui.tui.screens.view import Section, View
from pacs_tui.tui.widgets.details import Details
from pacs_tui.tui.widgets.job_list import JobList
from pacs_tui.tui.widgets.key_bar import KeyBar
from pacs_tui.tui.widgets.virtual_list import VirtualList


class JobsScreen(View):
    """Every job with its state; the one under the cursor with its log, what is missing and what to do."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,j", "close", "back"),
        Binding("c", "cancel", "cancel"),
        Binding("r", "retry", "retry what is missing"),
        Binding("y", "copy_missing", "copy missing UIDs"),
    ]
    SECTIONS: ClassVar[list[Section]] = [("Every list", VirtualList)]

    def __init__(self, number: int | None) -> None:
        super().__init__()
        self._first = number
        self._story: JobStory | None = None

    def compose(self) -> ComposeResult:
        with Container(id="split"):
            yield JobList(id="job-list")
            yield Details(id="job-story")
        yield KeyBar()

    def on_mount(self) -> None:
        self.query_one(Details).border_title = "Job"
        self.pacs.jobs.changed.subscribe(self, self._changed)
        self._changed(self.pacs.jobs.now)
        if self._first is not None:
            self.query_one(JobList).show_job(self._first)

    @property
    def job(self) -> Job | None:
        return self.query_one(JobList).job

    def _changed(self, now: JobsNow) -> None:
        self.query_one(JobList).show(now)
        self.refresh_bindings()

    @on(VirtualList.Moved)
    def _moved(self) -> None:
        self._tell()
        self.refresh_bindings()
        if self.job is not None:
            self.pacs.jobs.story(self.job.id, self._told)

    def _told(self, story: JobStory) -> None:
        self._story = story
        self._tell()

    def _tell(self) -> None:
        job, story = self.job, self._story
        story = story if job and story and story.job.id == job.id else None
        lines: list[Line] = words.job_details(job, story.missing if story else ()) if job else []
        if story is not None:
            lines += [(), (("Log", "title"),), *words.event_lines(story.events)]
        self.query_one(Details).show(lines)

    def why_not(self, action: str) -> str:
        job = self.job
        if action in ("cancel", "retry", "copy_missing") and job is None:
            return "There is no job yet: mark something in the console and press m."
        if job is None:
            return super().why_not(action)
        if action in ("cancel", "retry") and self.pacs.readonly:
            return "This console was started with --readonly: it changes no job."
        if action == "cancel" and job.state.ended:
            return f"Job {job.id} has ended ({job.state.value}); there is nothing to cancel."
        if action == "retry" and not job.state.ended:
            return f"Job {job.id} is {job.state.value}; cancel it before you retry it."
        if action == "retry" and job.state is JobState.VERIFIED:
            return f"Job {job.id} is verified; there is nothing to send again."
        if action == "copy_missing" and not self._missing():
            return f"Nothing is known to be missing from job {job.id}."
        return super().why_not(action)

    def _missing(self) -> list[str]:
        story = self._story
        if story is None or self.job is None or story.job.id != self.job.id:
            return []
        return [instance.sop_instance for instance in story.missing]

    def action_close(self) -> None:
        self.app.pop_screen()

    def action_cancel(self) -> None:
        if self.refused("cancel") or (job := self.job) is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.pacs.jobs.cancel(job.id, lambda now: self.say(f"Job {now.id}: {now.reason or now.state.value}"))

        consequence = f"What {job.destination} already has stays there; the rest is not sent."
        self.app.push_screen(Confirm(f"Cancel job {job.id}, {job.source} to {job.destination}?", consequence), answered)

    def action_retry(self) -> None:
        if not self.refused("retry") and (job := self.job) is not None:
            self.pacs.jobs.retry(job.id, lambda now: self.say(f"Job {now.id} waits for the worker again"))

    def action_copy_missing(self) -> None:
        if not self.refused("copy_missing"):
            missing = self._missing()
            self.copy("\n".join(missing), f"{len(missing)} UIDs copied")
