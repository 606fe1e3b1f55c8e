"""The keys of a view and the language of queries."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from pacs_tui.tui.presentation import help as words
from pacs_tui.tui.presentation.line import Line, content
from pacs_tui.tui.screens.view import View
from pacs_tui.tui.widgets.details import Details


class HelpScreen(ModalScreen[None]):
    """Lists what every key of the view below does, made from its bindings."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,question_mark", "app.pop_screen", "close")]

    def __init__(self, view: View) -> None:
        super().__init__()
        self._view = view

    def compose(self) -> ComposeResult:
        page = Details()
        page.add_class("dialog", "help")
        page.border_title = content([((" Help ", "title"),)])
        page.border_subtitle = content([((" ↑↓ scroll, Esc closes ", "dim"),)])
        yield page

    def on_mount(self) -> None:
        self.query_one(Details).show(self.lines())

    def lines(self) -> list[Line]:
        """Everything the help says."""
        view = self._view
        everywhere = [b for cls in type(view).__mro__ if issubclass(cls, View) for b in words.bindings_of(cls)]
        sections = [("This view", everywhere)]
        sections += [(title, words.bindings_of(cls)) for title, cls in view.SECTIONS]
        sections.append(("Everywhere", words.bindings_of(type(self.app))))
        lines: list[Line] = []
        for title, bindings in sections:
            lines += [((title, "title"),), *words.key_lines(bindings, self.app.get_key_display), ()]
        if view.FINDS:
            lines += [(("Queries (f)", "title"),), *words.field_lines(), ()]
            lines += [(("Commands (:)", "title"),), *words.command_lines()]
        return lines
