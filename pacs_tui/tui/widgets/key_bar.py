"""The last line: keys that work now, as many as there is room for."""

from __future__ import annotations

from textual import events
from textual.binding import ActiveBinding
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget

from pacs_tui.model import text
from pacs_tui.tui.presentation.line import Line, Span, content

HELP = "help"


class KeyBar(Widget):
    """Shows the bindings that are active and can act; a node of the tree may say otherwise by its `why_not`."""

    ALLOW_SELECT = False

    def __init__(self) -> None:
        super().__init__()
        self._places: list[tuple[range, str]] = []

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._changed)

    def _changed(self, screen: Screen[object]) -> None:
        self.refresh()

    def render(self) -> Content:
        self._places = []
        line: list[Span] = []
        used = 0
        for active in self._keys():
            key = self.app.get_key_display(active.binding)
            words = f" {key} {active.binding.description} "
            if used + text.width(words) > self.size.width:
                continue
            line += [(f" {key} ", "key"), (f"{active.binding.description} ", "")]
            self._places.append((range(used, used + text.width(words)), active.binding.key))
            used += text.width(words)
        shown: Line = tuple(line)
        return content([shown])

    def on_click(self, event: events.Click) -> None:
        for place, key in self._places:
            if event.x in place:
                self.app.simulate_key(key)

    def _keys(self) -> list[ActiveBinding]:
        """Help first, then those of the focused widget, the screen and the app, each action once."""
        found: dict[str, ActiveBinding] = {}
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if binding.show and active.enabled and not _why_not(active) and binding.action not in found:
                found[binding.action] = active
        return sorted(found.values(), key=lambda active: active.binding.description != HELP)


def _why_not(active: ActiveBinding) -> str:
    why_not = getattr(active.node, "why_not", None)
    return str(why_not(active.binding.action)) if why_not else ""
