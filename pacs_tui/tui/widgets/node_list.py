"""The pane of nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from pacs_tui.tui.presentation.line import Line
from pacs_tui.tui.roster import NodeState, Roster
from pacs_tui.tui.widgets.virtual_list import VirtualList


class NodeList(VirtualList):
    """One line a node: whether it answers, how fast, and which one is asked."""

    BORDER_TITLE = "Nodes"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "choose", "ask this node")]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._states: tuple[NodeState, ...] = ()
        self._current = ""
        self._loaded = False

    def show(self, roster: Roster) -> None:
        """Paints the roster as it is now; the first time the cursor goes to the node that is asked."""
        names = [state.name for state in roster.states]
        here = self.state.name if self.state else roster.current
        self._states, self._current, self._loaded = roster.states, roster.current, roster.loaded
        self.set_length(len(names), names.index(here) if here in names else None)

    @property
    def state(self) -> NodeState | None:
        """The node under the cursor."""
        return self._states[self.cursor] if self.cursor < len(self._states) else None

    def details(self, ae_title: str) -> list[Line]:
        """Everything about the node under the cursor; `ae_title` is what we call ourselves."""
        if self.state is None:
            return []
        from pacs_tui.tui.presentation.nodes import node_details

        return node_details(self.state, ae_title)

    def line(self, index: int, cells: int) -> Line:
        from pacs_tui.tui.presentation.nodes import node_line

        state = self._states[index]
        return node_line(state, index + 1, state.name == self._current, cells)

    def empty(self) -> Sequence[Line]:
        return [((" none yet:", "dim"),), ((" n, then a", "dim"),)] if self._loaded else []
