"""The pane of results: a tree drawn as a virtual list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from pacs_tui.tui.finder import Asked
from pacs_tui.tui.presentation import titles
from pacs_tui.tui.presentation.line import Line, content
from pacs_tui.tui.tree import ResultTree, Row
from pacs_tui.tui.widgets.virtual_list import VirtualList


class Results(VirtualList):
    """Shows a ResultTree; the cursor stays with its row whatever comes, goes or moves around it."""

    BORDER_TITLE = "Results"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "mark", key_display="space"),
        Binding("a", "mark_all", "mark all or none", show=False),
        Binding("shift+down", "mark_range(1)", "mark downwards", show=False),
        Binding("shift+up", "mark_range(-1)", "mark upwards", show=False),
        Binding("right", "expand", "open", show=False),
        Binding("left", "collapse", "fold, or go to the parent", show=False),
        Binding("enter", "choose", "open or fold", show=False),
        Binding("minus", "fold_all(True)", "fold all", show=False),
        Binding("equals_sign", "fold_all(False)", "unfold all patients", show=False),
    ]

    class Opened(Message):
        """Somebody wants to see what is below a row."""

        def __init__(self, row: Row) -> None:
            self.row = row
            super().__init__()

    class Stale(Message):
        """The tree is too large to be arranged between two keys: somebody else has to."""

    class Marked(Message):
        """Other rows are marked now."""

    def __init__(self, found: ResultTree, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.found = found
        self._row: Row | None = None
        self._asked = Asked()

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        return self.found.visible[self.cursor] if self.cursor < len(self.found.visible) else None

    def show(self, asked: Asked) -> None:
        """Paints the tree as it is now."""
        self._asked = asked
        if self.found.stale:
            self.post_message(self.Stale())
        self.set_length(len(self.found.visible), self._place())
        self._row = self.row
        self.post_message(self.Moved(self))
        self._titles()

    def _place(self) -> int | None:
        """Where the row of the cursor stands now, or the nearest one above it that is still shown."""
        row, visible = self._row, self.found.visible
        while row is not None:
            if self.cursor < len(visible) and visible[self.cursor] is row:
                return self.cursor
            if row in visible:
                return visible.index(row)
            row = row.parent
        return None

    def on_resize(self) -> None:
        super().on_resize()
        self._titles()

    def _titles(self) -> None:
        cells = self.size.width - 2
        self.border_title = content([titles.results_title(self._asked, cells)])
        self.border_subtitle = content([titles.results_subtitle(self._asked, self.found, cells)])

    def watch_cursor(self, old: int, new: int) -> None:
        self._row = self.row
        super().watch_cursor(old, new)

    def details(self) -> list[Line]:
        """Why the query failed, if it did, and everything about the row under the cursor."""
        lines: list[Line] = []
        if self._asked.phase == "failed" and self._asked.error is not None:
            from pacs_tui.tui.presentation.explained import failure

            lines += [*failure(self._asked.error), *([()] if self.row else [])]
        if self.row is not None:
            from pacs_tui.tui.presentation.details import row_details

            lines += row_details(self.row)
        return lines

    def line(self, index: int, cells: int) -> Line:
        from pacs_tui.tui.presentation.rows import tree_line

        row = self.found.visible[index]
        return tree_line(row, row.key in self.found.marks, cells)

    def empty(self) -> Sequence[Line]:
        if self._asked.phase == "none":
            return _WELCOME
        if self._asked.error is not None:
            return [((" the query failed; the details say why", "bad"),)]
        if self.found.filter and self.found.patients:
            return [((" no row here matches the filter; Esc clears it", "warn"),)]
        return [((" nothing found", "dim"),)] if self._asked.phase == "done" else []

    def set_filter(self, words: str) -> None:
        """Shows only rows that hold these words."""
        self.found.set_filter(words)
        self.show(self._asked)

    def next_order(self) -> None:
        """Sorts in the next of the orders."""
        self.found.next_order()
        self.show(self._asked)

    def why_not(self, action: str) -> str:
        """Why a key of the list does nothing now; empty where it does."""
        marks = action.startswith("mark")
        return "There is no row to mark: press f to find some." if marks and self.row is None else ""

    def action_mark(self) -> None:
        if self.row is None:
            self.app.notify(self.why_not("mark"), severity="warning", markup=False)
        else:
            self.found.toggle_mark(self.row)
            self._marked()
            self.action_move(1)

    def action_mark_range(self, rows: int) -> None:
        if self.row is not None:
            self.found.mark([self.row])
            self.action_move(rows)
            self.found.mark([self.row])
            self._marked()

    def action_mark_all(self) -> None:
        self.found.mark_all()
        self._marked()

    def unmark(self) -> None:
        self.found.marks.clear()
        self._marked()

    def action_expand(self) -> None:
        if self.row is None:
            return
        if not self.row.expanded:
            self.post_message(self.Opened(self.row))
        elif self.row.children:
            self.action_move(1)

    def action_collapse(self) -> None:
        row = self.row
        if row is None:
            return
        if row.expanded:
            self.found.set_expanded(row, False)
            self.show(self._asked)
        elif row.parent is not None:
            self.cursor = self.found.visible.index(row.parent)

    def action_choose(self) -> None:
        if self.row is not None:
            (self.action_collapse if self.row.expanded else self.action_expand)()

    def action_fold_all(self, folded: bool) -> None:
        self.found.fold_all(folded)
        self.show(self._asked)

    def _marked(self) -> None:
        self._titles()
        self.refresh()
        self.post_message(self.Marked())


_WELCOME: tuple[Line, ...] = (
    (),
    (("  f      ", "key"), ("find studies: meier date:-7d mod:CT", "dim")),
    (("  1…9    ", "key"), ("choose the node that is asked", "dim")),
    (("  n      ", "key"), ("add, edit and remove nodes", "dim")),
    (("  ?      ", "key"), ("all keys, and the fields of a query", "dim")),
)
