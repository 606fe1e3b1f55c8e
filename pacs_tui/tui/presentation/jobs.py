"""How a job looks: a line in a list, and its story."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from pacs_tui.model import text
from pacs_tui.model.job import Job, JobEvent, JobState, PlannedInstance
from pacs_tui.tui.presentation.explained import explained
from pacs_tui.tui.presentation.line import Line, Span, fit, span

ROLES: dict[JobState, str] = {
    JobState.WAITING: "dim",
    JobState.RUNNING: "busy",
    JobState.VERIFYING: "busy",
    JobState.VERIFIED: "good",
    JobState.PARTIAL: "warn",
    JobState.UNVERIFIED: "warn",
    JobState.FAILED: "bad",
    JobState.CANCELLED: "dim",
}
SIGNS: dict[JobState, str] = {
    JobState.WAITING: "·",
    JobState.RUNNING: "▸",
    JobState.VERIFYING: "?",
    JobState.VERIFIED: "✓",
    JobState.PARTIAL: "!",
    JobState.UNVERIFIED: "!",
    JobState.FAILED: "✗",
    JobState.CANCELLED: "-",
}
_SHOWN_MISSING = 50


def bar(done: int, total: int, cells: int) -> str:
    """`▇▇▇▇▁▁`: full only when everything is done."""
    full = cells if done >= total else min(cells - 1, done * cells // max(1, total))
    return "▇" * full + "▁" * (cells - full)


def standing(job: Job, cells: int) -> Line:
    """How far a job is, in few words: a bar while it runs, its result when it has ended."""
    role = ROLES[job.state]
    if job.state is JobState.RUNNING:
        rate = f" {text.rate(job.rate)}" if job.rate else ""
        eta = f" {text.duration(job.eta)}" if job.eta is not None else ""
        numbers = f" {job.sent}/{job.total}{rate}{eta}"
        return ((bar(job.sent, job.total, max(4, min(16, cells - len(numbers)))), role), (numbers, ""))
    if job.state is JobState.VERIFYING:
        return (("verifying ", role), (f"{job.verified}/{job.total}", ""))
    if job.state in (JobState.VERIFIED, JobState.PARTIAL, JobState.UNVERIFIED):
        return ((f"{job.state.value} {job.verified}/{job.total}", role), *_because(job))
    return ((job.state.value, role), *_because(job))


def _because(job: Job) -> tuple[Span, ...]:
    return (span(f"  {job.reason}", "dim"),) if job.reason and job.state is not JobState.VERIFIED else ()


def job_line(job: Job, cells: int) -> Line:
    """A job in a list: number, route, what, how far."""
    number = f"{job.id:>4} "
    room = cells - len(number) - 2
    status = max(18, min(room * 45 // 100, 60))
    route = min(23, max(12, (room - status) // 2))
    what = max(0, room - status - route - 2)
    return fit(
        (
            (f"{SIGNS[job.state]}", ROLES[job.state]),
            (number, "dim"),
            span(text.pad(text.printable(f"{job.source}→{job.destination}"), route) + " ", "strong"),
            span(text.pad(text.printable(job.label), what) + " " if what else ""),
            *standing(job, status),
        ),
        cells,
    )


def job_details(job: Job, missing: Sequence[PlannedInstance] = ()) -> list[Line]:
    """State and counts of a job, what to do about it, what is missing, and when all that was."""
    lines: list[Line] = [
        ((f"Job {job.id}  ", "title"), span(job.label, "strong"), span(f"  {job.source} → {job.destination}")),
        _state(job),
        _pair("Instances", f"{job.total} planned, {job.sent} sent, {job.verified} held by {job.destination}"),
        (),
    ]
    if job.code:
        lines += [*explained(job.code, dict(job.facts)), ()]
    if missing:
        lines += [*missing_lines(missing), ()]
    lines.append(_pair("Created", moment(job.created)))
    if job.finished is not None:
        taken = f", after {text.duration(job.finished - job.started)}" if job.started is not None else ""
        lines.append(_pair("Finished", moment(job.finished) + taken))
    if job.worker:
        lines.append(_pair("Worker", job.worker))
    if job.attempts > 1:
        lines.append(_pair("Attempts", str(job.attempts)))
    return lines


def _state(job: Job) -> Line:
    reason = f": {job.reason}" if job.reason else ""
    return ((f"{SIGNS[job.state]} {job.state.value}", ROLES[job.state]), span(reason))


def missing_lines(missing: Sequence[PlannedInstance]) -> list[Line]:
    """The instances that are not proved to be at the destination."""
    lines: list[Line] = [((f"Missing at the destination ({len(missing)})", "title"),)]
    lines += [(span(f"  {instance.sop_instance}"),) for instance in missing[:_SHOWN_MISSING]]
    if len(missing) > _SHOWN_MISSING:
        lines.append(((f"  and {len(missing) - _SHOWN_MISSING} more; y copies all of them", "dim"),))
    return lines


def event_lines(events: Iterable[JobEvent]) -> list[Line]:
    """The log of a job, oldest first."""
    return [((f"{time.strftime('%H:%M:%S', time.localtime(e.time))}  ", "dim"), span(e.text)) for e in events]


def moment(seconds: float) -> str:
    """A point in time, as the clock on this machine shows it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def _pair(label: str, value: str) -> Line:
    return ((label.ljust(11), "dim"), span(value))
