"""The picture widget: always correct as cells; where the terminal has pixels, tui/graphics.py lays them on top."""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol, runtime_checkable

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.app import RenderResult
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from pacs_tui.model.picture import Canvas, Picture, Terminal


def canvas_for(size: Size, terminal: Terminal) -> Canvas:
    """The canvas a widget of this size offers in this terminal."""
    return Canvas(
        columns=size.width,
        rows=size.height,
        cell_width=terminal.cell_width,
        cell_height=terminal.cell_height,
        glyphs=terminal.glyphs,
        colours=terminal.colours,
        graphics=terminal.graphics,
    )


@runtime_checkable
class PictureHost(Protocol):
    """An app that knows its terminal and lays pixels over the views (tui/graphics.py)."""

    terminal: Terminal

    def picture_mounted(self, view: PictureView) -> None: ...

    def picture_removed(self, view: PictureView) -> None: ...


class PictureView(Widget):
    """Shows a Picture, or one sentence in its place. The caption and the note are the parent's to show."""

    DEFAULT_CSS = """
    PictureView {
        width: 1fr;
        height: 1fr;
        content-align: center middle;
        text-align: center;
    }
    """

    class Resized(Message):
        """The room for the picture is another now: draw it anew."""

        def __init__(self, view: PictureView, canvas: Canvas) -> None:
            super().__init__()
            self.view = view
            self.canvas = canvas

        @property
        def control(self) -> PictureView:
            return self.view

    def __init__(
        self,
        *,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 (as every widget of Textual names it)
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._picture: Picture | None = None
        self._sentence = ""
        self._strips: dict[int, Strip] = {}

    @property
    def picture(self) -> Picture | None:
        """What is shown; None while a sentence or nothing is."""
        return self._picture

    @property
    def canvas(self) -> Canvas:
        """The room there is now; no columns before the first layout."""
        return canvas_for(self.size, self._terminal)

    def show(self, picture: Picture) -> None:
        """Show a picture. One drawn for another size is cut, or stands in the middle of blank cells."""
        self._put(picture, "")

    def say(self, sentence: str) -> None:
        """Show a sentence instead of a picture."""
        self._put(None, sentence)

    def clear(self) -> None:
        """Show nothing."""
        self._put(None, "")

    def render(self) -> RenderResult:
        return Text(self._sentence)

    def render_line(self, y: int) -> Strip:
        picture = self._picture
        if picture is None:
            return super().render_line(y)
        width, height = self.size
        row = y - (height - picture.rows) // 2
        background = self.visual_style.rich_style
        if not 0 <= row < picture.rows:
            return Strip.blank(width, background)
        strip = self._strips.get(row)
        if strip is None:
            strip = self._strips[row] = _strip(picture, row)
        spare = width - picture.columns
        if spare < 0:
            return strip.crop(-spare // 2, -spare // 2 + width)
        if spare == 0:
            return strip
        left = spare // 2
        return Strip.join([Strip.blank(left, background), strip, Strip.blank(spare - left, background)])

    def on_mount(self) -> None:
        if isinstance(self.app, PictureHost):
            self.app.picture_mounted(self)

    def on_unmount(self) -> None:
        if isinstance(self.app, PictureHost):
            self.app.picture_removed(self)

    def on_resize(self, event: events.Resize) -> None:
        self.post_message(self.Resized(self, self.canvas))

    def _put(self, picture: Picture | None, sentence: str) -> None:
        self._picture, self._sentence = picture, sentence
        self._strips.clear()
        self.refresh()

    @property
    def _terminal(self) -> Terminal:
        return self.app.terminal if isinstance(self.app, PictureHost) else Terminal()


def _strip(picture: Picture, row: int) -> Strip:
    """One row of cells; equal neighbours become one segment."""
    line = picture.glyphs[row]
    fore, back = picture.foreground, picture.background
    start = 3 * picture.columns * row
    segments: list[Segment] = []
    begun, last = 0, b""
    for column in range(picture.columns + 1):
        at = start + 3 * column
        colours = fore[at : at + 3] + back[at : at + 3] if column < picture.columns else b""
        if colours != last:
            if column:
                segments.append(Segment(line[begun:column], _style(last)))
            begun, last = column, colours
    return Strip(segments, picture.columns)


@lru_cache(maxsize=16384)
def _style(colours: bytes) -> Style:
    return Style(color=Color.from_rgb(*colours[:3]), bgcolor=Color.from_rgb(*colours[3:]))
