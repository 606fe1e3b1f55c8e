"""The line at the bottom where a query, a filter or a command is typed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from msgspec import Struct
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Static

from pacs_tui.tui.presentation.line import content, span


class Kind(Struct, frozen=True):
    """One use of the prompt."""

    label: str
    placeholder: str


FIND = Kind("find", "meier date:-7d mod:CT")
FILTER = Kind("/", "words that the rows here must have")
COMMAND = Kind(":", "nodes")


class _Line(Input):
    """Hands its text over in the same breath as Enter is pressed."""

    async def action_submit(self) -> None:
        self.query_ancestor(Prompt).submit(self.value.strip())


class Prompt(Vertical):
    """Asks for one line; a second line below it says what is understood, or what is wrong."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "close"),
        Binding("up", "earlier(1)", "earlier lines", key_display="↑"),
        Binding("down", "earlier(-1)", "later lines", show=False),
    ]

    class Edited(Message):
        def __init__(self, kind: Kind, text: str) -> None:
            self.kind, self.text = kind, text
            super().__init__()

    def __init__(self, submitted: Callable[[Kind, str], None], closed: Callable[[Kind], None]) -> None:
        """`submitted` and `closed` are called at once, before the next key is looked at; a message would come later."""
        super().__init__()
        self._when_submitted, self._when_closed = submitted, closed
        self.kind = FIND
        self._history: Sequence[str] = ()
        self._place = -1
        self._typed = ""

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static(id="prompt-label", markup=False)
            yield _Line(compact=True, select_on_focus=False)
        yield Static(id="prompt-hint", markup=False)

    def open(self, kind: Kind, text: str = "", history: Sequence[str] = ()) -> None:
        """Shows the prompt and gives it the focus."""
        self.kind, self._history, self._place, self._typed = kind, history, -1, text
        self.query_one("#prompt-label", Static).update(content([((f" {kind.label} ", "key"),)]))
        line = self.query_one(Input)
        line.placeholder = kind.placeholder
        self._put(text)
        if kind is FIND:
            # What is typed takes the place of the last query; an arrow key keeps it.
            line.action_select_all()
        self.display = True
        # At once, not in a later message: what is typed next belongs here.
        self.screen.set_focus(line)
        self.post_message(self.Edited(kind, text))

    def close(self) -> None:
        """Hides the prompt; the focus is the screen's to give."""
        self.display = False

    def hint(self, words: str, role: str = "dim") -> None:
        """What stands below the line."""
        self.query_one("#prompt-hint", Static).update(content([(span(words, role),)]))

    def action_close(self) -> None:
        self.close()
        self._when_closed(self.kind)

    def submit(self, text: str) -> None:
        """The line is what was meant."""
        self._when_submitted(self.kind, text)

    def action_earlier(self, steps: int) -> None:
        """Walks through the lines that were asked before; back at the start is what was being typed."""
        place = max(-1, min(len(self._history) - 1, self._place + steps))
        if self._place == -1:
            self._typed = self.query_one(Input).value
        if place != self._place:
            self._place = place
            self._put(self._typed if place == -1 else self._history[place])

    @on(Input.Changed)
    def _edited(self, event: Input.Changed) -> None:
        event.stop()
        if self.display:
            self.post_message(self.Edited(self.kind, event.value))

    def _put(self, text: str) -> None:
        line = self.query_one(Input)
        line.value = text
        line.cursor_position = len(text)
