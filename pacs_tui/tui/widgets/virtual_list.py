"""A list that asks only for the lines that are on the screen: a hundred thousand rows cost what forty do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style as RichStyle
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.style import Style

from pacs_tui.tui.presentation.line import ROLES, Line, fit


class VirtualList(ScrollView, can_focus=True):
    """Rows drawn with the line API. Subclasses say how many there are (`set_length`) and what each shows (`line`).

    What draws a row is imported with the first row: the console's first paint has none.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"virtual-list--cursor"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "up", show=False),
        Binding("down", "move(1)", "down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
        Binding("home", "to_start", "first row", show=False),
        Binding("end", "to_end", "last row", show=False),
        Binding("enter", "choose", "choose", show=False),
    ]
    cursor: reactive[int] = reactive(0)

    class Moved(Message):
        """The cursor rests on another row, or its row shows something else."""

        def __init__(self, list_: VirtualList) -> None:
            self.list = list_
            super().__init__()

        @property
        def control(self) -> VirtualList:
            return self.list

    class Chosen(Message):
        """Enter or a double click on a row."""

        def __init__(self, list_: VirtualList) -> None:
            self.list = list_
            super().__init__()

        @property
        def control(self) -> VirtualList:
            return self.list

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes)
        self.length = 0
        self.lines_drawn = 0
        """How many lines were ever asked for; tests hold it against the height of the screen."""
        self._styles: dict[tuple[str, bool], RichStyle] = {}

    def line(self, index: int, cells: int) -> Line:
        """What row `index` shows in `cells` cells."""
        raise NotImplementedError

    def empty(self) -> Sequence[Line]:
        """What is said where there are no rows."""
        return ()

    def set_length(self, length: int, cursor: int | None = None) -> None:
        """There are `length` rows now and all may have changed; `cursor` is where the cursor belongs."""
        self.length = length
        wanted = self.cursor if cursor is None else cursor
        self.virtual_size = Size(0, length)
        self.cursor = max(0, min(wanted, length - 1))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        cells = self.scrollable_content_region.width
        index = y + self.scroll_offset.y
        if index >= self.length:
            words = self.empty() if self.length == 0 else ()
            return self._strip(words[y] if y < len(words) else (), cells, False)
        self.lines_drawn += 1
        return self._strip(self.line(index, cells), cells, index == self.cursor)

    def _strip(self, line: Line, cells: int, cursor: bool) -> Strip:
        segments = [Segment(words, self._style(role, cursor)) for words, role in fit(line, cells)]
        return Strip(segments, cells)

    def _style(self, role: str, cursor: bool) -> RichStyle:
        key = (role, cursor)
        if key not in self._styles:
            base = self.get_component_rich_style("virtual-list--cursor") if cursor else self.rich_style
            self._styles[key] = base + Style.parse(ROLES[role]).rich_style if role else base
        return self._styles[key]

    def notify_style_update(self) -> None:
        self._styles.clear()
        super().notify_style_update()

    def watch_has_focus(self, value: bool) -> None:
        super().watch_has_focus(value)
        self._styles.clear()
        self._refresh_row(self.cursor)

    def watch_cursor(self, old: int, new: int) -> None:
        self._refresh_row(old)
        self._refresh_row(new)
        self.show_row(new)
        self.post_message(self.Moved(self))

    def show_row(self, index: int) -> None:
        """Scrolls just as far as is needed to see a row."""
        height = self.scrollable_content_region.height
        top = round(self.scroll_target_y)
        if height and not top <= index < top + height:
            y = index if index < top else index - height + 1
            self.scroll_to(y=y, animate=False, force=True)

    def _refresh_row(self, index: int) -> None:
        self.refresh(Region(0, index - self.scroll_offset.y, self.size.width, 1))

    def on_resize(self) -> None:
        self.call_after_refresh(self.show_row, self.cursor)

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        index = offset.y + self.scroll_offset.y
        if index < self.length:
            self.cursor = index
            if event.chain == 2:
                self.action_choose()

    def action_move(self, rows: int) -> None:
        if self.length:
            self.cursor = max(0, min(self.length - 1, self.cursor + rows))

    def action_page(self, pages: int) -> None:
        self.action_move(pages * max(1, self.scrollable_content_region.height - 1))

    def action_to_start(self) -> None:
        self.action_move(-self.length)

    def action_to_end(self) -> None:
        self.action_move(self.length)

    def action_choose(self) -> None:
        if self.length:
            self.post_message(self.Chosen(self))
