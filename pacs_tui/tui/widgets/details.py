"""The pane of details."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style as RichStyle
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.style import Style

from pacs_tui.tui.presentation.line import ROLES, Line, fit, wrapped


class Details(ScrollView, can_focus=True):
    """Lines about whatever the cursor is on, wrapped to the width there is; scrolls when it has the focus."""

    BORDER_TITLE = "Details"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._shown: tuple[Line, ...] = ()
        self._lines: list[Line] = []
        self._styles: dict[str, RichStyle] = {}

    def show(self, lines: Sequence[Line]) -> None:
        """Replaces what is shown; other lines start at the top again."""
        if tuple(lines) != self._shown:
            self._shown = tuple(lines)
            self._wrap()
            self.scroll_home(animate=False, force=True)

    @property
    def lines(self) -> Sequence[Line]:
        """What is shown, before it is wrapped."""
        return self._shown

    def on_resize(self) -> None:
        self._wrap()

    def render_line(self, y: int) -> Strip:
        cells = self.scrollable_content_region.width
        index = y + self.scroll_offset.y
        line = self._lines[index] if index < len(self._lines) else ()
        return Strip([Segment(words, self._style(role)) for words, role in fit(line, cells)], cells)

    def notify_style_update(self) -> None:
        self._styles.clear()
        super().notify_style_update()

    def _wrap(self) -> None:
        cells = max(1, self.scrollable_content_region.width)
        self._lines = [part for line in self._shown for part in wrapped(line, cells)]
        self.virtual_size = Size(0, len(self._lines))
        self.refresh()

    def _style(self, role: str) -> RichStyle:
        if role not in self._styles:
            self._styles[role] = self.rich_style + Style.parse(ROLES[role]).rich_style if role else self.rich_style
        return self._styles[role]
