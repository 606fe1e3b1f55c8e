"""`pacs-tui move`: enqueue a transfer, follow it, and say whether it is verified."""

from __future__ import annotations

import argparse
import threading
import time
from typing import TYPE_CHECKING

from pacs_tui.cli import targets
from pacs_tui.cli.jobs import show
from pacs_tui.errors import Exit
from pacs_tui.model.job import Job, JobState

if TYPE_CHECKING:
    from pacs_tui.cli.output import Output
    from pacs_tui.station import Station

_LOOK_SECONDS = 0.1
_CARE_SECONDS = 5.0

CODES = {
    JobState.VERIFIED: Exit.OK,
    JobState.PARTIAL: Exit.PARTIAL,
    JobState.UNVERIFIED: Exit.UNVERIFIED,
    JobState.CANCELLED: Exit.CANCELLED,
}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("move", help="route studies between nodes and verify that they arrived")
    parser.add_argument("source", help="name of the node that holds them")
    parser.add_argument("destination", help="name of the node that shall have them")
    targets.add_arguments(parser)
    parser.add_argument("--detach", action="store_true", help="enqueue and return; `pacs-tui jobs` follows it")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, station: Station, output: Output) -> Exit:
    """0 only when the destination was asked and holds every instance."""
    wanted = targets.targets(args)
    label = args.patient or (wanted[0].study_uid if len(wanted) == 1 else f"{len(wanted)} studies")
    plan = station.planner.plan(args.source, args.destination, label, wanted)
    job = station.queue.enqueue(plan)
    output.say(
        f"Job {job.id}: {plan.source} -> {plan.destination}, "
        f"{_many(plan.studies, 'study', 'studies')}, {plan.series} series, {_many(job.total, 'instance', 'instances')}."
    )
    station.launch_worker()
    if args.detach:
        output.record({"job": job.id, "state": job.state.value, "total": job.total}, f"job {job.id}")
        return Exit.OK
    try:
        ended = follow(job, station, output)
    except KeyboardInterrupt:
        output.say(f"Job {job.id} goes on without us: `pacs-tui jobs show {job.id}`, `pacs-tui jobs cancel {job.id}`.")
        raise
    show(ended, station, output)
    return CODES.get(ended.state, _failed(ended))


def _many(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"


def follow(job: Job, station: Station, output: Output) -> Job:
    """Wait until the job has ended, drawing its progress."""
    waiting = threading.Event()
    version = -1
    cared = time.monotonic()
    while not job.state.ended:
        if time.monotonic() - cared >= _CARE_SECONDS:
            # a worker that was killed leaves its job to the next one: see to it that there is one
            cared = time.monotonic()
            if station.launch_worker():
                output.say("No worker was alive: started another.")
        now = station.queue.version()
        if now != version:
            version = now
            job = station.queue.job(job.id)
            verifying = job.state is JobState.VERIFYING
            output.progress(job.verified if verifying else job.sent, job.total, job.state.value)
        if not job.state.ended:
            # The queue is a file that another process writes: there is nothing to be woken by.
            waiting.wait(_LOOK_SECONDS)
    output.progress_done()
    return job


def _failed(job: Job) -> Exit:
    unreachable = job.code.startswith(("tcp:", "timeout:", "dns", "closed", "abort:", "protocol"))
    return Exit.UNREACHABLE if unreachable else Exit.REFUSED
