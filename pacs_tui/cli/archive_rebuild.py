"""`pacs-tui archive rebuild`: the index from the files of the areas."""

from __future__ import annotations

import argparse
import os
import time
from typing import TYPE_CHECKING

from pacs_tui.errors import Exit, UsageError

if TYPE_CHECKING:
    from pacs_tui.archive.rebuild import Outcome, Rebuild
    from pacs_tui.cli.output import Output
    from pacs_tui.station import Station

_SAY_SECONDS = 30.0
_RATE_SECONDS = 10.0


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = verbs.add_parser(
        "rebuild",
        help="make the index anew from the files of the areas",
        description="Makes the index anew from the files of all areas, beside the old one, and puts it in its place at "
        "the end. Needs the archive stopped. Interrupted, it goes on where it was when it is run again. Files that "
        "are no instances are named and left where they are (exit code 5).",
    )
    parser.add_argument("--processes", type=int, metavar="N", help="processes that read files (default: one a core)")
    parser.add_argument("--discard-old", action="store_true", help="remove the old index instead of keeping it")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, station: Station, output: Output) -> Exit:
    """0 when every file is listed, 5 when some are not."""
    settings = station.settings
    if not settings.archive.areas:
        raise UsageError(f"{settings.config} names no [[archive.area]], so there is nothing to list.")
    processes = args.processes or min(len(os.sched_getaffinity(0)), 16)
    if not 1 <= processes <= 64:
        raise UsageError("--processes takes a number from 1 to 64.")
    rebuild = station.rebuild(processes, keep=not args.discard_old)
    began = time.monotonic()
    _follow(rebuild, output)
    output.progress_done()
    outcome, seconds = rebuild.outcome, time.monotonic() - began
    left = outcome.left
    output.record({
        "instances": outcome.instances, "resumed": outcome.resumed, "quarantined": outcome.quarantined,
        "left": left, "seconds": round(seconds, 1),
    }, _summary(outcome, seconds))  # fmt: skip
    for sentence in left:
        output.say(sentence)
    return Exit.PARTIAL if left else Exit.OK


def _follow(rebuild: Rebuild, output: Output) -> None:
    """Run it, with a line that tells rate and remaining time; where nobody watches, one every half minute."""
    seen: list[tuple[float, int]] = []
    said = time.monotonic()
    for progress in rebuild.run():
        now = time.monotonic()
        seen = [sample for sample in seen if sample[0] > now - _RATE_SECONDS] + [(now, progress.done)]
        elapsed = now - seen[0][0]
        rate = (progress.done - seen[0][1]) / elapsed if elapsed > 0 else 0.0
        text = f"{rate:,.0f}/s, {(progress.total - progress.done) / rate:,.0f} s left" if rate else "reading"
        output.progress(progress.done, progress.total, text)
        if now - said >= _SAY_SECONDS and not output.watched:
            said = now
            output.say(f"{progress.done} of {progress.total} files: {text}")


def _summary(outcome: Outcome, seconds: float) -> str:
    if outcome.finished_before:
        return "An earlier rebuild was complete: its last step is done now."
    text = f"{outcome.instances:,} instances listed in {seconds:,.1f} s"
    if outcome.resumed:
        text += f", {outcome.resumed:,} files of them by the run before"
    if outcome.quarantined:
        text += f"; {outcome.quarantined:,} files went to the quarantine"
    return f"{text}; {len(outcome.left):,} files are not listed." if outcome.left else f"{text}."
