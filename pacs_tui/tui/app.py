"""The console as a Textual app: holds what the screens share, begins after the first paint, ends cleanly."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.events import Event, Key
from textual.screen import Screen
from textual.widgets import Input

from pacs_tui.model.picture import Terminal
from pacs_tui.tui.background import Background
from pacs_tui.tui.graphics import GraphicsApp
from pacs_tui.tui.job_board import JobBoard
from pacs_tui.tui.roster import Roster
from pacs_tui.tui.screens.console import Console
from pacs_tui.tui.screens.view import View
from pacs_tui.tui.theme import PACS, theme_for

if TYPE_CHECKING:
    from pacs_tui.station import Station

LEAVE_SECONDS = 1.0
"""How long threads may take to end when the console does; transfers are not among them."""


class PacsApp(GraphicsApp[None]):
    """Shows a station in a terminal. Nothing of the station but its settings is touched on the UI thread."""

    TITLE = "pacs-tui"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+p", "command_palette", "palette", priority=True),
        Binding("tab", "focus_next", "next pane", show=False),
        Binding("shift+tab", "focus_previous", "pane before", show=False),
        Binding("q", "quit", "quit"),
    ]

    def __init__(
        self, station: Station, terminal: Terminal | None = None, *, on_first_paint: Callable[[], None] | None = None
    ) -> None:
        terminal = terminal or Terminal()
        theme = theme_for(terminal.colours)
        super().__init__(ansi_color=theme.ansi)
        self.station = station
        self.terminal = terminal
        self.readonly = station.readonly
        self.background = Background(self)
        self.roster = Roster(self, self.background, station)
        self.jobs = JobBoard(self, self.background, station)
        self._on_first_paint = on_first_paint
        # not by assignment, whose watcher has every style parsed once more before the first paint
        self.register_theme(theme)
        self.set_reactive(App.theme, theme.name)
        self.stylesheet.set_variables(self.get_css_variables())

    def get_default_screen(self) -> Console:
        return Console()

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(PACS.variables)

    def on_ready(self) -> None:
        self.screen.call_after_refresh(self._begin)

    def _begin(self) -> None:
        """The first screen is on the terminal: now, and not before, the station is asked for anything."""
        if self._on_first_paint is not None:
            self._on_first_paint()
        self.roster.start()
        self.jobs.start()
        if isinstance(self.screen, Console):
            self.screen.begin()

    async def on_event(self, event: Event) -> None:
        """Run a key's action before the next key is looked at.

        Textual lets a key bubble up from the focus, and the next one overtakes it: typed fast, `f` and a name would
        run the commands that the letters of the name stand for.
        """
        if isinstance(event, Key) and not event.is_forwarded and await self._acted(event):
            return
        await super().on_event(event)

    async def _acted(self, key: Key) -> bool:
        """True where a key was typed into the line that has the focus, or has done what it is bound to."""
        line = self.focused
        if isinstance(line, Input) and key.is_printable and key.character:
            if line.selection.is_empty:
                line.insert_text_at_cursor(key.character)
            else:
                line.replace(key.character, *line.selection)
            return True
        # Textual's own walk from the focus to the app, which knows of actions that pass a key on.
        return await self._check_bindings(key.key, priority=True) or await self._check_bindings(key.key)

    def on_unmount(self) -> None:
        self.background.close(LEAVE_SECONDS)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette: every described key of the view, by its words."""
        if not isinstance(screen, View):
            return
        seen: set[str] = set()
        for active in screen.active_bindings.values():
            binding, node = active.binding, active.node
            if not binding.description or binding.action in seen or binding.action == "command_palette":
                continue
            seen.add(binding.action)
            run = partial(self.run_action, binding.action, node)
            yield SystemCommand(binding.description.capitalize(), f"key {self.get_key_display(binding)}", run)
