"""`pacs-tui worker`: run transfers until there are none."""

from __future__ import annotations

import argparse
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING

from pacs_tui.cli import tether
from pacs_tui.errors import Exit, UsageError
from pacs_tui.routing.launch import alive, hold

if TYPE_CHECKING:
    from pacs_tui.cli.output import Output
    from pacs_tui.station import Station

IDLE_SECONDS = 600.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "worker",
        help="run transfers until there are none",
        description="Runs the queued transfers of this state folder. One worker is enough: a second leaves at once. "
        "On SIGTERM running jobs are given back, and the next worker goes on with them.",
    )
    stay = parser.add_mutually_exclusive_group()
    stay.add_argument(
        "--idle", type=float, default=IDLE_SECONDS, metavar="SECONDS", help="leave after so long without work (600)"
    )
    stay.add_argument("--forever", action="store_true", help="never leave; for systemd")
    tether.add_argument(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, station: Station, output: Output) -> Exit:
    """0 when it left for want of work, was stopped, or was not needed."""
    if not 0 <= args.idle < 1e9:
        raise UsageError("--idle takes seconds, 0 or more.")
    with _stopped_by_signals() as stop, _talking(output):
        tether.tie(args)
        return _work(station, output, stop, None if args.forever else args.idle)


def _work(station: Station, output: Output, stop: Event, idle: float | None) -> Exit:
    from pacs_tui.routing.worker import Worker

    settings = station.settings
    while True:
        with hold(settings.state) as held:
            if not held:
                output.say(f"A worker runs already (process {alive(settings.state) or 'that just left'}).")
                return Exit.OK
            worker = Worker(
                station.queue,
                station.peer,
                station.book.node,
                jobs=settings.worker_jobs,
                lease=settings.lease_seconds,
                verify_seconds=settings.verify_seconds,
            )
            worker.run(stop, idle)
        # Who enqueued a job after our last look saw the lock and started nobody: look again without it.
        if stop.is_set() or not station.queue.has_work():
            return Exit.OK


@contextmanager
def _stopped_by_signals() -> Iterator[Event]:
    """An event that is set by SIGTERM, by Ctrl-C, and by the end of the terminal."""
    stop = Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _talking(output: Output) -> Iterator[None]:
    """What the worker logs is said on stderr, with the time."""
    logger = logging.getLogger("pacs_tui")
    handler = _Talk(output)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


class _Talk(logging.Handler):
    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        self._output.say(self.format(record))
