"""Everything a node told about a row."""

from __future__ import annotations

from pacs_tui.model import columns
from pacs_tui.tui.presentation.line import Line, span
from pacs_tui.tui.tree import Row


def row_details(row: Row) -> list[Line]:
    """The attributes of the row and of those above it, the row's own first; a failure to open it before them."""
    lines: list[Line] = []
    if row.error:
        lines += [(span(row.error, "bad"),), ()]
    told: set[str] = set()
    for match in reversed(row.path):
        pairs = [(label, value) for label, value in columns.details(match) if label not in told]
        if not pairs:
            continue
        lines.append(((match.level.word.capitalize(), "title"),))
        lines += [((f"{label:<20} ", "dim"), span(value)) for label, value in pairs]
        lines.append(())
        told.update(label for label, _ in pairs if label == "Node" or label.startswith(("Patient", "Born", "Sex")))
    return lines[:-1]
