"""The nodes on the screen: who they are, whether they answer, which of them is asked."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace
from textual.app import App
from textual.screen import ModalScreen
from textual.signal import Signal

from pacs_tui.errors import Cancelled, PacsError
from pacs_tui.model.node import Echo, Node
from pacs_tui.tui.background import Background

if TYPE_CHECKING:
    from threading import Event

    from pacs_tui.station import Station

_TICK_SECONDS = 0.2
"""Between the starts of two echoes: a screen full of nodes is never asked all at once."""
_NODE = "node"
_DESTINATION = "destination"


class NodeState(Struct, frozen=True):
    """A node and what its last echo brought."""

    node: Node
    echo: Echo | None = None
    error: PacsError | None = None
    asking: bool = False

    @property
    def name(self) -> str:
        return self.node.name


class Roster:
    """Loads and saves the nodes of the book, echoes them by turns, and tells whoever subscribed to `changed`."""

    def __init__(self, app: App[None], background: Background, station: Station) -> None:
        self.states: tuple[NodeState, ...] = ()
        self.current = ""
        """The node that is asked."""
        self.destination = ""
        """The node that was last moved to."""
        self.loaded = False
        self.changed: Signal[Roster] = Signal(app, "roster")
        self._app = app
        self._background = background
        self._station = station
        self._due: dict[str, float] = {}

    def start(self) -> None:
        """Reads the book and begins to echo."""
        self.load()
        self._app.set_interval(_TICK_SECONDS, self._tick)

    def load(self) -> None:
        """Reads the nodes again; what is known of those that did not change is kept."""
        self._background.run("nodes", self._read, self._loaded, self._say)

    def state(self, name: str) -> NodeState | None:
        return next((state for state in self.states if state.name == name), None)

    def choose(self, name: str) -> None:
        """The node to ask from now on; remembered for the next start."""
        self.current = name
        self._remember(_NODE, name)
        self.changed.publish(self)

    def moved_to(self, name: str) -> None:
        """The destination of a transfer; remembered for `M`."""
        self.destination = name
        self._remember(_DESTINATION, name)

    def echo(self, name: str) -> None:
        """Asks one node now, unless it is being asked."""
        state = self.state(name)
        if state is None or state.asking:
            return
        self._put(replace(state, asking=True))

        def work(cancel: Event) -> Echo:
            return list(self._station.peer(name).echo(1, cancel))[-1]

        self._background.run(
            f"echo-{name}",
            work,
            lambda echo: self._answered(state, echo, None),
            lambda error: self._answered(state, None, error),
        )

    def save(self, node: Node, done: Callable[[], None], failed: Callable[[PacsError], None]) -> None:
        """Keeps a node in the book."""
        self._write(lambda: self._station.book.save_node(node), done, failed)

    def remove(self, name: str, done: Callable[[], None], failed: Callable[[PacsError], None]) -> None:
        """Takes a node out of the book."""
        self._write(lambda: self._station.book.remove_node(name), done, failed)

    def _write(self, write: Callable[[], None], done: Callable[[], None], failed: Callable[[PacsError], None]) -> None:
        def written(_: None) -> None:
            self.load()
            done()

        self._background.run("", lambda cancel: write(), written, failed)

    def _remember(self, key: str, value: str) -> None:
        self._background.run(
            f"remember-{key}",
            lambda cancel: self._station.book.set_preference(key, value),
            lambda _: None,
            self._say,
            wait=True,
        )

    def _read(self, cancel: Event) -> tuple[list[Node], str, str]:
        book = self._station.book
        return book.nodes(), book.preference(_NODE), book.preference(_DESTINATION)

    def _loaded(self, read: tuple[list[Node], str, str]) -> None:
        nodes, current, destination = read
        known = {state.name: state for state in self.states}
        now = monotonic()
        states = []
        for node in nodes:
            state = known.get(node.name)
            if state is None or state.node != node:
                state = NodeState(node)
                self._due[node.name] = now
            states.append(state)
        self.states = tuple(states)
        names = [node.name for node in nodes]
        self.current = next((name for name in (self.current, current, *names) if name in names), "")
        self.destination = next((name for name in (self.destination, destination) if name in names), "")
        self.loaded = True
        self.changed.publish(self)

    def _tick(self) -> None:
        """Echoes the node that has waited longest, while somebody is looking."""
        if not (self._app.app_focus and self._app.screen_stack) or isinstance(self._app.screen, ModalScreen):
            return
        now = monotonic()
        due = [state.name for state in self.states if not state.asking and self._due.get(state.name, 0.0) <= now]
        if due:
            self.echo(min(due, key=lambda name: self._due.get(name, 0.0)))

    def _answered(self, asked: NodeState, echo: Echo | None, error: PacsError | None) -> None:
        state = self.state(asked.name)
        if state is None or state.node != asked.node:
            return
        self._due[state.name] = monotonic() + self._station.settings.echo_seconds
        if isinstance(error, Cancelled):
            self._put(replace(state, asking=False))
        else:
            self._put(NodeState(state.node, echo, error))

    def _put(self, new: NodeState) -> None:
        self.states = tuple(new if state.name == new.name else state for state in self.states)
        self.changed.publish(self)

    def _say(self, error: PacsError) -> None:
        self._app.notify(str(error), severity="error", markup=False)
