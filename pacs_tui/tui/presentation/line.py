"""One line of text for people, as spans that say what they mean; colours are chosen in theme.py only."""

from __future__ import annotations

import re
from collections.abc import Iterable

from textual.content import Content

from pacs_tui.model import text

Span = tuple[str, str]
"""Printable text and its role: one of ROLES."""
Line = tuple[Span, ...]

ROLES: dict[str, str] = {
    "": "",
    "strong": "bold",
    "dim": "$role-dim",
    "good": "$role-good",
    "bad": "$role-bad",
    "warn": "$role-warn",
    "busy": "$role-busy",
    "key": "bold $role-key",
    "title": "bold $role-key",
}
"""What a span can mean, and the Textual style of it. Green belongs to what was proved."""


def span(words: str, role: str = "") -> Span:
    """A span of text from anywhere, made harmless."""
    return (text.printable(words), role)


def plain(line: Line) -> str:
    """The words without their roles."""
    return "".join(words for words, _ in line)


def width(line: Line) -> int:
    """The cells a line takes."""
    return sum(text.width(words) for words, _ in line)


def fit(line: Line, cells: int) -> Line:
    """The line in exactly `cells` cells: cut with an ellipsis, or filled with spaces."""
    fitted: list[Span] = []
    room = cells
    for position, (words, role) in enumerate(line):
        taken = text.width(words)
        if taken > room or (taken == room and any(rest for rest, _ in line[position + 1 :])):
            fitted.append((text.pad(words + "…", room), role))
            return tuple(fitted)
        fitted.append((words, role))
        room -= taken
    return (*fitted, (" " * room, "")) if room else tuple(fitted)


def spread(left: Line, right: Line, cells: int) -> Line:
    """`left` and `right` at both ends of `cells` cells; where they do not fit, the left one gives way."""
    right = right if width(right) <= cells else fit(right, cells)
    room = cells - width(right)
    return (*fit(left, room), *right) if room else right


def content(lines: Iterable[Line]) -> Content:
    """The lines as Textual content, nothing in them read as markup."""
    return Content("\n").join(
        Content.assemble(*((words, ROLES[role]) if role else Content(words) for words, role in line)) for line in lines
    )


def wrapped(line: Line, cells: int) -> list[Line]:
    """The line in as many lines of at most `cells` cells as it takes, broken between words where that is possible.

    What follows a label (a first span that is dim, others behind it) stays right of it.
    """
    hang = text.width(line[0][0]) if len(line) > 1 and line[0][1] == "dim" else 0
    hang = hang if hang <= cells // 2 else 0
    lines: list[list[Span]] = [[]]
    used = 0
    for words, role in line:
        for word in _WORDS.findall(words):
            if used and used + text.width(word.rstrip()) > cells:
                lines.append([(" " * hang, "")] if hang else [])
                used = hang
                word = word.lstrip()
            for piece in _pieces(word, max(1, cells - used), max(1, cells - hang)):
                if used >= cells and piece.strip():
                    lines.append([(" " * hang, "")] if hang else [])
                    used = hang
                lines[-1].append((piece, role))
                used += text.width(piece)
    return [_stripped(spans) for spans in lines]


def _stripped(spans: list[Span]) -> Line:
    """Without the spaces at which the line was broken."""
    while spans and not spans[-1][0].rstrip():
        spans.pop()
    return (*spans[:-1], (spans[-1][0].rstrip(), spans[-1][1])) if spans else ()


_WORDS = re.compile(r"\s*\S+\s*|\s+")


def _pieces(word: str, first: int, others: int) -> list[str]:
    """The word whole where it fits, else hard pieces: `first` cells, then `others` each."""
    if text.width(word.rstrip()) <= first:
        return [word]
    pieces, room = [""], first
    for character in word:
        if text.width(pieces[-1] + character) > room:
            pieces.append("")
            room = others
        pieces[-1] += character
    return pieces
