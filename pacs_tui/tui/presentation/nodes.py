"""How a node looks: a line in a list, and everything about it."""

from __future__ import annotations

from pacs_tui.model import text
from pacs_tui.tui.presentation.explained import failure, short
from pacs_tui.tui.presentation.line import Line, Span, fit, span
from pacs_tui.tui.roster import NodeState

_ROOM_FOR_KEYS = 22
"""Cells from which on the number keys are shown beside the nodes."""


def echo_sign(state: NodeState) -> Span:
    """● answers, ✗ does not, ○ was not asked yet."""
    if state.echo is not None:
        return ("●", "busy")
    if state.error is not None:
        return ("✗", "bad")
    return ("○", "dim")


def echo_words(state: NodeState) -> Span:
    """The round trip, or why there is none."""
    if state.echo is not None:
        return (milliseconds(state.echo.milliseconds), "dim")
    if state.error is not None:
        return span(short(state.error), "bad")
    return ("…" if state.asking else "", "dim")


def milliseconds(value: float) -> str:
    """A round trip the way people say it."""
    return f"{value:.1f} ms" if value < 1 else f"{value:.0f} ms"


def node_line(state: NodeState, number: int, current: bool, cells: int) -> Line:
    """A node in the pane: its number key, whether it is the one that is asked, its echo."""
    words, role = echo_words(state)
    key = f"{number if number <= 9 else ' '} " if cells >= _ROOM_FOR_KEYS else ""
    room = cells - len(key) - 3
    name = text.pad(text.printable(state.name), max(6, room - max(7, len(words)) - 1))
    line: Line = (
        ("▎" if current else " ", "busy"), (key, "dim"), echo_sign(state), (" ", ""),
        (name, "strong" if current else ""), (text.pad(words, max(0, room - text.width(name)), "right"), role),
    )  # fmt: skip
    return fit(line, cells)


def node_row(state: NodeState, current: bool, default_calling: str, cells: int) -> Line:
    """A node in the table of the nodes screen."""
    node = state.node
    flags = ", ".join(word for word, on in (("asked", current), ("read-only", node.readonly)) if on)
    words, role = echo_words(state)
    line: Line = (
        (" ", ""), echo_sign(state), (" ", ""),
        span(text.pad(node.name, 13) + " ", "strong"),
        (text.pad(words, 9) + " ", role),
        span(text.pad(node.ae_title, 16) + " "),
        span(text.pad(node.address, 21) + " "),
        span(text.pad(node.calling or default_calling, 10) + " ", "dim"),
        (flags + "  " if flags else "", "warn" if node.readonly else "dim"),
        span(node.comment, "dim"),
    )  # fmt: skip
    return fit(line, cells)


NODE_HEADINGS = "   NAME          ECHO      AE TITLE         ADDRESS               WE ARE"


def node_details(state: NodeState, default_calling: str) -> list[Line]:
    """Everything about a node, and why it does not answer where it does not."""
    node = state.node
    lines: list[Line] = [
        _pair("Node", node.name),
        _pair("AE title", node.ae_title),
        _pair("Address", node.address),
        _pair("We are", node.calling or default_calling),
        _pair("Previews", {"auto": "C-GET, else C-MOVE", "get": "C-GET", "move": "C-MOVE"}[node.retrieve]),
    ]
    if node.charset:
        lines.append(_pair("Charset", node.charset))
    if node.readonly:
        lines.append(((f"{'Read-only':<11}", "dim"), ("nothing is ever sent to it", "warn")))
    if node.comment:
        lines.append(_pair("Comment", node.comment))
    if state.echo is not None:
        connect = milliseconds(state.echo.connect_milliseconds)
        lines.append(_pair("Echo", f"{milliseconds(state.echo.milliseconds)}, after {connect} to connect"))
    return [*failure(state.error), (), *lines] if state.error is not None else lines


def _pair(label: str, value: str) -> Line:
    return ((label.ljust(11), "dim"), span(value))
