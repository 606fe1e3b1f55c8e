"""`pacs-tui jobs`: list, show, cancel and retry transfers."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pacs_tui.errors import Exit, PacsError, UsageError
from pacs_tui.explain import Explanation, as_dict, as_lines, explain
from pacs_tui.model.job import Job, JobEvent, JobState, PlannedInstance
from pacs_tui.model.text import printable

if TYPE_CHECKING:
    from pacs_tui.cli.output import Output
    from pacs_tui.station import Station

_MISSING_SHOWN = 20
_HEADINGS = f"{'job':>6}  {'state':<22} {'route':<28} {'created':<16} what"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("jobs", help="list, show, cancel, retry transfers")
    parser.set_defaults(run=run, action="list", limit=50)
    actions = parser.add_subparsers(metavar="ACTION")
    listing = actions.add_parser("list", help="the newest jobs, newest first")
    listing.add_argument("--limit", type=int, default=50, metavar="N", help="how many (50)")
    listing.set_defaults(action="list")
    for action, text in (
        ("show", "counts, log, what is missing, and what to do about it"),
        ("cancel", "end jobs that have not ended"),
        ("retry", "send what is missing of jobs that ended without being verified"),
    ):
        one = actions.add_parser(action, help=text)
        one.add_argument("number", type=int, nargs="+", metavar="N", help="number of the job")
        one.set_defaults(action=action)


def run(args: argparse.Namespace, station: Station, output: Output) -> Exit:
    """0 when every job named was found and could be acted on, else the exit code of the last error."""
    if args.action == "list":
        return _list(args.limit, station, output)
    if args.action == "show":
        return _each(args.number, output, lambda number: show(station.queue.job(number), station, output))
    if args.action == "cancel":
        return _each(args.number, output, lambda number: _changed(station.queue.cancel(number), output))
    done = _each(args.number, output, lambda number: _changed(station.queue.retry(number), output))
    station.launch_worker()
    return done


def show(job: Job, station: Station, output: Output) -> None:
    """Everything known about a job: one JSON object, or a page for people."""
    events = station.queue.events(job.id)
    missing = station.queue.missing(job.id)
    explanation = explain(job.code, dict(job.facts)) if job.code else None
    data = as_record(job) | {
        "events": [{"time": _iso(event.time), "text": event.text} for event in events],
        "missing": [
            {"study": i.study_uid, "series": i.series_uid, "instance": i.sop_instance, "sop_class": i.sop_class}
            for i in missing
        ],
        "explanation": as_dict(explanation) if explanation else None,
    }
    output.record(data, None if output.json else _page(job, events, missing, explanation))


def as_record(job: Job) -> dict[str, Any]:
    """A job as JSON; times are ISO 8601 in UTC."""
    return {
        "job": job.id,
        "state": job.state.value,
        "source": job.source,
        "destination": job.destination,
        "label": job.label,
        "total": job.total,
        "sent": job.sent,
        "verified": job.verified,
        "created": _iso(job.created),
        "started": _iso(job.started),
        "finished": _iso(job.finished),
        "rate": job.rate and round(job.rate, 2),
        "eta": job.eta and round(job.eta, 1),
        "worker": job.worker,
        "attempts": job.attempts,
        "code": job.code,
        "reason": job.reason,
        "facts": dict(job.facts),
    }


def standing(job: Job) -> str:
    """State and the count that proves it: what was sent while it is sent, else what the destination holds."""
    if job.state is JobState.WAITING:
        return f"{job.state.value} {job.total}"
    return f"{job.state.value} {job.sent if job.state is JobState.RUNNING else job.verified}/{job.total}"


def _list(limit: int, station: Station, output: Output) -> Exit:
    if not 1 <= limit <= 1_000_000:
        raise UsageError("--limit takes a number from 1 to 1000000.")
    jobs = station.queue.jobs(limit)
    if jobs:
        output.heading(_HEADINGS)
    else:
        output.say("There are no jobs.")
    for job in jobs:
        output.record(as_record(job), _row(job))
    return Exit.OK


def _row(job: Job) -> str:
    route = f"{job.source} -> {job.destination}"
    pace = f"{job.rate:.0f}/s, {job.eta:.0f} s to go" if job.rate and job.eta is not None else ""
    what = "; ".join(printable(text) for text in (job.label, pace, job.reason) if text)
    return f"{job.id:>6}  {standing(job):<22} {route:<28} {_local(job.created)[:16]} {what}"


def _page(
    job: Job, events: Sequence[JobEvent], missing: Sequence[PlannedInstance], explanation: Explanation | None
) -> str:
    lines = [
        f"Job {job.id}: {standing(job)}",
        f"{job.source} -> {job.destination}  {printable(job.label)}".rstrip(),
        f"created {_local(job.created)}  started {_local(job.started)}  finished {_local(job.finished)}",
        f"attempts {job.attempts}" + (f"  worker {printable(job.worker)}" if job.worker else ""),
    ]
    if job.reason:
        lines.append(printable(job.reason))
    lines += ["", "Log"]
    lines += [f"  {_local(event.time)}  {printable(event.text)}" for event in events]
    if missing and job.state.ended:
        lines += ["", f"Missing at {job.destination}, as far as it was asked: {len(missing)} of {job.total}"]
        lines += [f"  {i.sop_instance}  in series {i.series_uid}" for i in missing[:_MISSING_SHOWN]]
        if len(missing) > _MISSING_SHOWN:
            lines.append(f"  and {len(missing) - _MISSING_SHOWN} more: --json lists all")
    if explanation is not None:
        lines += ["", *as_lines(explanation)]
    return "\n".join(lines)


def _changed(job: Job, output: Output) -> None:
    text = f"Job {job.id}: {standing(job)}"
    output.record(as_record(job), f"{text}; {printable(job.reason)}" if job.reason else text)


def _each(numbers: Sequence[int], output: Output, act: Callable[[int], None]) -> Exit:
    result = Exit.OK
    for number in numbers:
        try:
            act(number)
        except PacsError as error:
            result = output.fail(error)
    return result


def _iso(moment: float | None) -> str | None:
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


def _local(moment: float | None) -> str:
    return "-" if moment is None else datetime.fromtimestamp(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S")
