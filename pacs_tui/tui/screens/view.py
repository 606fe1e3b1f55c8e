"""What every full screen of the console has in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.binding import Binding, BindingType
from textual.screen import Screen

if TYPE_CHECKING:
    from pacs_tui.tui.app import PacsApp

Section = tuple[str, type[Any]]
"""A heading of the help screen and the class whose keys stand below it."""


class View(Screen[None]):
    """A screen whose keys can say why they do nothing now."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-normal"), (160, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-medium"), (45, "-tall")]
    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark", "help", "help", key_display="?")]
    SECTIONS: ClassVar[list[Section]] = []
    """Widgets of this view that have keys of their own."""
    FINDS: ClassVar[bool] = False
    """True where queries and commands can be typed."""

    def on_mount(self) -> None:
        """Takes the classes of its size before it is laid out, not after it was painted without them."""
        sides = (self.HORIZONTAL_BREAKPOINTS, self.app.size.width), (self.VERTICAL_BREAKPOINTS, self.app.size.height)
        for breakpoints, cells in sides:
            self.add_class([name for least, name in breakpoints if least <= cells][-1], update=False)

    @property
    def pacs(self) -> PacsApp:
        """The app, by its own type."""
        return cast("PacsApp", self.app)

    def why_not(self, action: str) -> str:
        """Why an action cannot be done now; empty where it can. The key bar leaves those out."""
        return ""

    def refused(self, action: str) -> bool:
        """True, and the reason on the screen, where an action cannot be done now."""
        if reason := self.why_not(action):
            self.say(reason, "warning")
        return bool(reason)

    def say(self, sentence: str, severity: str = "information") -> None:
        """A passing message; never read as markup."""
        self.app.notify(sentence, severity=cast(Any, severity), markup=False)

    def copy(self, words: str, sentence: str) -> None:
        """Puts words on the clipboard of the terminal, and says so."""
        self.app.copy_to_clipboard(words)
        self.say(sentence)

    def action_help(self) -> None:
        from pacs_tui.tui.screens.help import HelpScreen

        self.app.push_screen(HelpScreen(self))
