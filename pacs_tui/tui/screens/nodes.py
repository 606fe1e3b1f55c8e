"""The nodes of the book: add, edit, remove, echo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widgets import Static

from pacs_tui.errors import PacsError
from pacs_tui.model.node import Node
from pacs_tui.tui.dialogs.confirm import Confirm
from pacs_tui.tui.presentation.line import Line, content
from pacs_tui.tui.presentation.nodes import NODE_HEADINGS, node_details, node_row
from pacs_tui.tui.roster import NodeState, Roster
from pacs_tui.tui.screens.view import Section, View
from pacs_tui.tui.widgets.details import Details
from pacs_tui.tui.widgets.key_bar import KeyBar
from pacs_tui.tui.widgets.virtual_list import VirtualList


class NodeTable(VirtualList):
    """One line a node, with everything that fits."""

    def __init__(self, default_calling: str) -> None:
        super().__init__()
        self._states: tuple[NodeState, ...] = ()
        self._current, self._calling = "", default_calling

    def show(self, roster: Roster) -> None:
        here = self.state.name if self.state else roster.current
        self._states, self._current = roster.states, roster.current
        names = [state.name for state in self._states]
        self.set_length(len(names), names.index(here) if here in names else None)

    @property
    def state(self) -> NodeState | None:
        """The node under the cursor."""
        return self._states[self.cursor] if self.cursor < len(self._states) else None

    def line(self, index: int, cells: int) -> Line:
        state = self._states[index]
        return node_row(state, state.name == self._current, self._calling, cells)

    def empty(self) -> Sequence[Line]:
        return [((" No node is known yet: press a to add one", "dim"),)]


class NodesScreen(View):
    """Who we can talk to; the node under the cursor with everything known about it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,n", "close", "back"),
        Binding("a", "add", "add"),
        Binding("enter", "edit", "edit", show=False),
        Binding("E", "edit", "edit"),
        Binding("x,delete", "remove", "remove"),
        Binding("e", "echo", "echo"),
    ]
    SECTIONS: ClassVar[list[Section]] = [("Every list", VirtualList)]

    def compose(self) -> ComposeResult:
        with Container(id="split"):
            with Container(id="node-table") as frame:
                frame.border_title = "Nodes"
                yield Static(content([((NODE_HEADINGS, "dim"),)]), classes="headings")
                yield NodeTable(self.pacs.station.settings.ae_title)
            yield Details(id="node-details")
        yield KeyBar()

    def on_mount(self) -> None:
        self.query_one(Details).border_title = "Node"
        self.pacs.roster.changed.subscribe(self, self._changed)
        self._changed(self.pacs.roster)

    @property
    def state(self) -> NodeState | None:
        return self.query_one(NodeTable).state

    def _changed(self, roster: Roster) -> None:
        self.query_one(NodeTable).show(roster)
        self._tell()

    @on(VirtualList.Moved)
    def _tell(self) -> None:
        calling = self.pacs.station.settings.ae_title
        self.query_one(Details).show(node_details(self.state, calling) if self.state else [])
        self.refresh_bindings()

    @on(VirtualList.Chosen)
    def _chosen(self) -> None:
        self.action_edit()

    def why_not(self, action: str) -> str:
        if action in ("add", "edit", "remove") and self.pacs.readonly:
            return "This console was started with --readonly: it changes no node."
        if action in ("edit", "remove", "echo") and self.state is None:
            return "There is no node yet: press a to add one."
        return super().why_not(action)

    def action_close(self) -> None:
        self.app.pop_screen()

    def action_add(self) -> None:
        if not self.refused("add"):
            self._form(None)

    def action_edit(self) -> None:
        if not self.refused("edit") and self.state is not None:
            self._form(self.state.node)

    def action_echo(self) -> None:
        if not self.refused("echo") and self.state is not None:
            self.pacs.roster.echo(self.state.name)

    def action_remove(self) -> None:
        if self.refused("remove") or (state := self.state) is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.pacs.roster.remove(state.name, lambda: self.say(f"{state.name} removed"), self._failed)

        consequence = "Only this console's book forgets it; nothing happens at the node. Its jobs stay in the queue."
        self.app.push_screen(Confirm(f"Remove node {state.name} ({state.node.address})?", consequence), answered)

    def _form(self, node: Node | None) -> None:
        from pacs_tui.tui.dialogs.node import NodeDialog

        taken = frozenset(state.name for state in self.pacs.roster.states)
        self.app.push_screen(NodeDialog(node, taken), self._filled)

    def _filled(self, node: Node | None) -> None:
        if node is not None:
            self.pacs.roster.save(node, lambda: self.say(f"{node.name} saved"), self._failed)

    def _failed(self, error: PacsError) -> None:
        self.say(str(error), "error")
