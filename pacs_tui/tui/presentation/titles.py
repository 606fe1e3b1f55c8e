"""What stands on the borders and in the first line of the console."""

from __future__ import annotations

from pacs_tui.model import text
from pacs_tui.model.job import JobState
from pacs_tui.tui.finder import Asked
from pacs_tui.tui.job_board import JobsNow
from pacs_tui.tui.presentation.line import Line, Span, fit, span, spread, width
from pacs_tui.tui.tree import ORDERS, ResultTree

_WORKER = "worker:"
_NEEDS_A_LOOK = (JobState.PARTIAL, JobState.UNVERIFIED)


def header(ae_title: str, host: str, readonly: bool, now: JobsNow, cells: int) -> Line:
    """The first line: who we are, and how the transfers stand; the host gives way first."""
    flag: Line = (("  read-only", "warn"),) if readonly else ()
    right = summary(now)
    for who in (f"{ae_title}@{host}", ae_title, ""):
        left: Line = ((" pacs-tui ", "title"), (" ", ""), span(who, "dim"), *flag)
        for shown in (((f"{_WORKER} ", "dim"), *right), right):
            if width(left) + width(shown) < cells:
                return spread(left, shown, cells)
    return fit(right, cells)


def summary(now: JobsNow) -> Line:
    """How many jobs stand where, those that matter now."""
    if now.error:
        return (("! jobs cannot be read ", "bad"),)
    count = now.counts.get
    running = count(JobState.RUNNING, 0) + count(JobState.VERIFYING, 0)
    parts: list[Span] = [(f"{running} running", "busy" if running else "dim")]
    if waiting := count(JobState.WAITING, 0):
        parts.append((f"{waiting} waiting", ""))
    if verified := count(JobState.VERIFIED, 0):
        parts.append((f"✓ {verified} verified", "good"))
    parts += [(f"! {number} {state.value}", "warn") for state in _NEEDS_A_LOOK if (number := count(state, 0))]
    if failed := count(JobState.FAILED, 0):
        parts.append((f"✗ {failed} failed", "bad"))
    line: list[Span] = []
    for position, part in enumerate(parts):
        line += [("   " if position else "", ""), part]
    return (*line, (" ", ""))


def results_title(asked: Asked, cells: int) -> Line:
    """Node, query and how much came in how long; the query gives way where it is too long."""
    if asked.phase == "none":
        return (("Results", ""),)
    studies = f"{asked.studies} {'study' if asked.studies == 1 else 'studies'}"
    state = {"asking": "asking… ", "cancelled": "cancelled, ", "failed": "failed, "}.get(asked.phase, "")
    tail: Line = ((f" · {state}", "bad" if asked.phase == "failed" else "busy"),) if state else ((" · ", ""),)
    tail = (*tail, (f"{studies} · {text.duration(asked.seconds)}", ""))
    room = cells - text.width(asked.node) - 3 - sum(text.width(words) for words, _ in tail)
    line = text.cut(text.printable(asked.line) or "everything", max(4, room))
    return (span(asked.node, "strong"), (" · ", ""), (line, ""), *tail)


def results_subtitle(asked: Asked, tree: ResultTree, cells: int) -> Line:
    """What else has to be known about the rows: the limit, marks, filter and order, the keys that were sent."""
    parts: list[Span] = []
    if asked.more:
        parts.append((f"first {asked.studies}, more exist: press + for the rest", "warn"))
    if tree.marks:
        parts.append((f"{len(tree.marks)} marked", "warn"))
    if tree.filter:
        parts.append(span(f"/{tree.filter}  Esc clears", "warn"))
    if tree.order != ORDERS[0]:
        parts.append((tree.order, "dim"))
    if asked.sent and not asked.more:
        parts.append((asked.sent, "dim"))
    line: list[Span] = []
    room = cells
    for words, role in parts:
        gap = " · " if line else ""
        shown = text.cut(words, max(0, room - len(gap)))
        if not shown:
            break
        line += [(gap, "dim"), (shown, role)]
        room -= text.width(shown) + len(gap)
    return tuple(line)
