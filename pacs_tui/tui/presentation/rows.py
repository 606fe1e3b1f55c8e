"""How a row of the tree looks, in the room there is."""

from __future__ import annotations

from functools import lru_cache

from pacs_tui.model import columns, text
from pacs_tui.model.level import Level
from pacs_tui.tui.presentation.line import Line
from pacs_tui.tui.tree import Row

MARK = "◆"
ARROWS = {"loading": "◌", "failed": "✗"}
_INDENT = 2
_GAP = 2

_GROWS = {Level.PATIENT: "PATIENT", Level.STUDY: "DESCRIPTION", Level.SERIES: "DESCRIPTION", Level.IMAGE: "CLASS"}
_SHRINKS: dict[Level, tuple[tuple[str, int], ...]] = {
    Level.PATIENT: (("PATIENT", 20), ("STUDIES", 9), ("ID", 8), ("PATIENT", 12), ("SEX", 1), ("ID", 0), ("BORN", 0)),
    Level.STUDY: (
        ("DESCRIPTION", 18), ("ACCESSION", 8), ("ACCESSION", 0), ("DATE", 10), ("MOD", 5),
        ("DESCRIPTION", 8), ("SERIES", 0), ("DESCRIPTION", 0),
    ),
    Level.SERIES: (("DESCRIPTION", 20), ("BODY PART", 0), ("DESCRIPTION", 8), ("NO", 3), ("DESCRIPTION", 0)),
    Level.IMAGE: (("CLASS", 14), ("FRAMES", 0), ("CLASS", 8), ("CLASS", 0), ("MATRIX", 0)),
}  # fmt: skip
"""What gives way first where a row does not fit; a width of 0 leaves the column out."""

_STRONG = ("PATIENT",)
_DIM = ("ID", "BORN", "SEX", "ACCESSION", "BODY PART", "CLASS", "STUDIES")


@lru_cache(maxsize=256)
def widths(level: Level, room: int) -> tuple[int, ...]:
    """The width of each column of a level, so that all of them and the gaps between take at most `room` cells."""
    specs = columns.COLUMNS[level]
    given = {spec.heading: spec.width for spec in specs}

    def slack() -> int:
        shown = [width for width in given.values() if width]
        return room - sum(shown) - _GAP * (len(shown) - 1)

    for heading, least in _SHRINKS[level]:
        if (over := -slack()) <= 0:
            break
        given[heading] = min(given[heading], max(least, given[heading] - over)) if least else 0
    if (spare := slack()) > 0 and given[_GROWS[level]]:
        given[_GROWS[level]] += spare
    return tuple(given[spec.heading] for spec in specs)


def arrow(row: Row) -> str:
    """Whether a row is open, can be opened, is being asked about, or could not be."""
    if row.level is Level.IMAGE:
        return " "
    if row.state in ARROWS:
        return ARROWS[row.state]
    return "▾" if row.expanded else "▸"


def tree_line(row: Row, marked: bool, cells: int) -> Line:
    """A row of the tree: mark, indent, arrow, columns."""
    indent = " " * (_INDENT * row.depth)
    lead = f"{MARK if marked else ' '}{indent}"
    sign = arrow(row)
    room = cells - text.width(lead) - 3
    body = [(lead, "warn" if marked else ""), (f"{sign} ", "bad" if row.state == "failed" else "dim")]
    shown = zip(columns.COLUMNS[row.level], columns.cells(row.match), widths(row.level, room), strict=True)
    gap = ""
    for column, cell, width in shown:
        if not width:
            continue
        body.append((gap + text.pad(_short(cell, column.heading, width), width, column.align), _role(column.heading)))
        gap = " " * _GAP
    return tuple(body)


def _short(cell: str, heading: str, width: int) -> str:
    """A date that cannot keep its time loses it whole."""
    return cell.partition(" ")[0] if heading == "DATE" and width < 16 else cell


def _role(heading: str) -> str:
    return "strong" if heading in _STRONG else "dim" if heading in _DIM else ""
