"""`pacs-tui archive conflicts`: what contradicts what is held."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

from pacs_tui.errors import Exit, UsageError

if TYPE_CHECKING:
    from pacs_tui.archive.arrival import Conflict
    from pacs_tui.cli.output import Output
    from pacs_tui.station import Station

_WORDS = {
    "content": "other content under a known SOP Instance UID: the first was kept, the second is in quarantine",
    "replaced": "other content under a known SOP Instance UID: the second was kept, the first is in quarantine",
    "patient": "one Patient ID, two people",
    "study": "one study, two Patient IDs",
}


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = verbs.add_parser(
        "conflicts",
        help="instances, studies and patients that contradict what is held",
        description="Lists what contradicts what is held, youngest first: "
        + "; ".join(f"{kind}: {words}" for kind, words in _WORDS.items()) + ".",
    )  # fmt: skip
    parser.add_argument("--limit", type=int, default=1000, metavar="N", help="at most so many (1000)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, station: Station, output: Output) -> Exit:
    """0 whether there are any or not."""
    if args.limit < 1:
        raise UsageError("--limit takes a number of 1 or more.")
    from pacs_tui.archive.inspection import inspecting

    folders = {area.ae_title: area.sta for area in station.settings.archive.areas}
    with inspecting(station.index) as index:
        found = index.conflicts(args.limit) if index is not None else []
    for title, conflict in found:
        folder = folders.get(title)
        path = str(folder / "quarantine" / conflict.file) if conflict.file and folder else conflict.file
        output.record(_data(title, conflict, path), _text(title, conflict, path))
    if not found:
        output.say("No conflicts.")
    elif len(found) == args.limit:
        output.say(f"The youngest {args.limit}; more with --limit.")
    return Exit.OK


def _data(title: str, conflict: Conflict, path: str) -> dict[str, Any]:
    return {
        "ae_title": title, "kind": conflict.kind, "subject": conflict.subject, "held": conflict.held,
        "came": conflict.came, "calling": conflict.calling, "received": _when(conflict.received), "file": path,
    }  # fmt: skip


def _text(title: str, conflict: Conflict, path: str) -> str:
    lines = [
        f"{_when(conflict.received)}  {title}  {conflict.kind}  {conflict.subject}",
        f"    held {conflict.held or '(nothing)'}",
        f"    came {conflict.came or '(nothing)'} from {conflict.calling or 'an unnamed sender'}",
    ]
    return "\n".join([*lines, f"    in quarantine: {path}"] if path else lines)


def _when(moment: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
