"""Where to move what is marked, and what that means before it begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from pacs_tui.errors import PacsError
from pacs_tui.model import text
from pacs_tui.model.job import Plan
from pacs_tui.tui.presentation.explained import failure
from pacs_tui.tui.presentation.line import Line, content, fit, span
from pacs_tui.tui.presentation.nodes import echo_sign, echo_words
from pacs_tui.tui.roster import NodeState, Roster
from pacs_tui.tui.widgets.key_bar import KeyBar
from pacs_tui.tui.widgets.virtual_list import VirtualList

Ask = Callable[[str, Callable[[Plan], None], Callable[[PacsError], None]], None]
"""Asks for the plan to a destination; the newest question supersedes those before."""


class Destinations(VirtualList):
    """The nodes; those that cannot be moved to say why."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "choose", "next")]

    def __init__(self, source: str) -> None:
        super().__init__()
        self._source = source
        self._states: tuple[NodeState, ...] = ()

    def show(self, roster: Roster, at: str = "") -> None:
        """Paints the nodes; `at` is where the cursor goes, the first possible one by default."""
        first = not self._states
        self._states = roster.states
        names = [state.name for state in self._states]
        cursor = names.index(at) if at in names else None
        if first and cursor is None:
            cursor = next((i for i, state in enumerate(self._states) if not self._why_not(state)), 0)
        self.set_length(len(names), cursor)

    @property
    def name_here(self) -> str:
        return self._states[self.cursor].name if self._states else ""

    @property
    def reason(self) -> str:
        """Why the node under the cursor cannot be moved to, empty where it can."""
        return self._why_not(self._states[self.cursor]) if self._states else "There is no node."

    def line(self, index: int, cells: int) -> Line:
        state = self._states[index]
        reason = self._why_not(state)
        words, role = echo_words(state)
        return fit(
            (
                (" ", ""),
                echo_sign(state),
                span(f" {text.pad(text.printable(state.name), 16)} ", "dim" if reason else "strong"),
                (text.pad(words, 13), role),
                span(reason or state.node.comment, "warn" if reason else "dim"),
            ),
            cells,
        )

    def _why_not(self, state: NodeState) -> str:
        if state.name == self._source:
            return "is where it comes from"
        return "is read-only" if state.node.readonly else ""


class MoveDialog(ModalScreen[Plan | None]):
    """Choose a destination, look at the plan, start. Dismisses with the plan that was agreed to."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "next", "next", show=False),
        Binding("escape", "back", "back"),
    ]

    def __init__(self, roster: Roster, source: str, what: str, destination: str, ask: Ask) -> None:
        super().__init__()
        self._roster, self._source, self._what, self._ask = roster, source, what, ask
        self._straight_to = destination
        self._plan: Plan | None = None
        self._asked = ""
        """The destination whose plan is awaited or shown."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as box:
            box.border_title = content([((" Move ", "title"),)])
            yield Static(content([(span(self._what, "strong"),), (span(f"from {self._source} to", "dim"),)]))
            yield Destinations(self._source)
            yield Static(id="plan", markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        self._list.show(self._roster, self._straight_to or self._roster.destination)
        self._roster.changed.subscribe(self, self._list.show)
        if self._straight_to:
            self._ask_plan()
        else:
            self._say(_START)

    @on(VirtualList.Moved)
    def _moved(self) -> None:
        if self._list.name_here != self._asked:
            self._plan, self._asked = None, ""
            self._say(_START)

    @on(VirtualList.Chosen)
    def _chosen(self) -> None:
        self.action_next()

    def action_next(self) -> None:
        """The plan first; agreed to, it is the answer."""
        if self._plan is not None:
            self.dismiss(self._plan)
        elif not self._asked:
            self._ask_plan()

    def action_back(self) -> None:
        self.dismiss(None)

    @property
    def _list(self) -> Destinations:
        return self.query_one(Destinations)

    def _ask_plan(self) -> None:
        if reason := self._list.reason:
            self._say([(span(f"{self._list.name_here} {reason}.", "warn"),), ()])
            return
        to = self._asked = self._list.name_here
        self._say([((f"Asking {self._source} what belongs to it …", "busy"),), ()])

        def planned(plan: Plan) -> None:
            if self._asked == to:
                self._plan = plan
                self._say(self._plan_lines(plan))

        def failed(error: PacsError) -> None:
            if self._asked == to:
                self._asked = ""
                self._say(failure(error))

        self._ask(to, planned, failed)

    def _plan_lines(self, plan: Plan) -> list[Line]:
        counts = (("study", "studies", plan.studies), ("series", "series", plan.series),
                  ("instance", "instances", len(plan.instances)))  # fmt: skip
        amount = ", ".join(f"{number} {one if number == 1 else many}" for one, many, number in counts)
        state = self._roster.state(plan.destination)
        lines: list[Line] = [((amount, "strong"), span(f"  {plan.source} → {plan.destination}"))]
        if state is not None and state.error is not None:
            lines.append((span(f"{plan.destination} does not answer now; the job would fail.", "warn"),))
        return [*lines, ((" Enter ", "key"), ("starts the transfer, which outlives this terminal", "dim"))]

    def _say(self, lines: list[Line]) -> None:
        if self.is_attached:
            self.query_one("#plan", Static).update(content(lines))
            self.refresh_bindings()


_START: list[Line] = [((" Enter ", "key"), ("shows the plan; nothing is sent before you have seen it", "dim")), ()]
