"""One question, yes or no."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from pacs_tui.tui.presentation.line import Line, content, span


class Confirm(ModalScreen[bool]):
    """Dismisses with True only for a deliberate yes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter", "answer(True)", "yes"),
        Binding("n,escape,q", "answer(False)", "no"),
    ]

    def __init__(self, question: str, consequence: str) -> None:
        super().__init__()
        self._question, self._consequence = question, consequence

    def compose(self) -> ComposeResult:
        lines: list[Line] = [
            (span(self._question, "strong"),),
            (span(self._consequence),),
            (),
            ((" y ", "key"), ("yes   ", ""), (" n ", "key"), ("no", "")),
        ]
        with Vertical(classes="dialog"):
            yield Static(content(lines))

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)
