"""The pane of the preview: the picture, its caption, and the warning that belongs below it."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget

from pacs_tui.model.picture import Canvas, Picture
from pacs_tui.tui.presentation.line import Line, content, span, spread
from pacs_tui.tui.widgets.picture import PictureView

WARNING = "not for diagnosis"


class Caption(Widget):
    """Left what is shown, right the warning, which never gives way."""

    def __init__(self) -> None:
        super().__init__()
        self._words: Line = ()

    def say(self, words: str, role: str = "dim") -> None:
        self._words = (span(words, role),)
        self.refresh()

    def render(self) -> Content:
        return content([spread(self._words, ((f"  {WARNING}", "warn"),), self.size.width)])


class Preview(Vertical):
    """Shows one picture, or a sentence where there is none."""

    BORDER_TITLE = "Preview"

    def compose(self) -> ComposeResult:
        yield PictureView()
        yield Caption()

    @property
    def canvas(self) -> Canvas | None:
        """The room for a picture; None while the pane is not shown."""
        canvas = self.query_one(PictureView).canvas
        return canvas if self.display and canvas.columns > 1 and canvas.rows > 1 else None

    def waiting(self, what: str) -> None:
        """A picture is being fetched; the one on the screen stays until it is replaced."""
        self.query_one(Caption).say(f"{what} …")

    def show(self, picture: Picture) -> None:
        self.query_one(PictureView).show(picture)
        words = f"{picture.caption}   {picture.note}" if picture.note else picture.caption
        self.query_one(Caption).say(words)

    def say(self, sentence: str) -> None:
        """A sentence in place of the picture."""
        self.query_one(PictureView).say(sentence)
        self.query_one(Caption).say("")
