"""The console: nodes, results, jobs, preview and details on one screen."""

from __future__ import annotations

import socket
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.events import DescendantFocus

from pacs_tui.errors import PacsError, QueryError
from pacs_tui.tui.finder import Finder, understood
from pacs_tui.tui.job_board import JobsNow
from pacs_tui.tui.presentation.line import Line
from pacs_tui.tui.previewer import Previewer, has_picture
from pacs_tui.tui.roster import Roster
from pacs_tui.tui.screens.moving import Moving
from pacs_tui.tui.screens.view import Section
from pacs_tui.tui.tree import ResultTree
from pacs_tui.tui.widgets.details import Details
from pacs_tui.tui.widgets.header import Header
from pacs_tui.tui.widgets.job_list import JobList
from pacs_tui.tui.widgets.key_bar import KeyBar
from pacs_tui.tui.widgets.node_list import NodeList
from pacs_tui.tui.widgets.picture import PictureView
from pacs_tui.tui.widgets.preview import Preview
from pacs_tui.tui.widgets.prompt import COMMAND, FILTER, FIND, Kind, Prompt
from pacs_tui.tui.widgets.results import Results
from pacs_tui.tui.widgets.virtual_list import VirtualList

_TICK_SECONDS = 0.25


class Console(Moving):
    """Wires the panes to what fills them; every key answers at once, whatever is still under way."""

    AUTO_FOCUS = "#results"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "find", "find"),
        Binding("slash", "filter", "filter", key_display="/"),
        Binding("m", "move", "move"),
        Binding("v", "view", "view"),
        Binding("d", "details", "details"),
        Binding("plus", "rest", "the rest", key_display="+"),
        Binding("j", "jobs", "jobs"),
        Binding("n", "nodes", "nodes"),
        Binding("s", "sort", "sort"),
        Binding("e", "echo", "echo"),
        Binding("M", "move_again", "move to the same node again", show=False),
        Binding("r", "refresh", "ask the same again", show=False),
        Binding("y", "copy_uid", "copy the UID", show=False),
        Binding("Y", "copy_command", "copy the command line: find on a patient, move below", show=False),
        Binding("colon", "command", "command", key_display=":"),
        Binding("escape", "back", "cancel, then clear filter, then marks", show=False),
        *(Binding(str(n), f"choose_node({n})", f"ask node {n}", show=False) for n in range(1, 10)),
    ]
    SECTIONS: ClassVar[list[Section]] = [
        ("Results", Results),
        ("Nodes", NodeList),
        ("Every list", VirtualList),
        ("Where you type", Prompt),
    ]

    FINDS = True

    def compose(self) -> ComposeResult:
        station = self.pacs.station
        yield Header(station.settings.ae_title, socket.gethostname(), self.pacs.readonly)
        with Container(id="body"):
            yield NodeList(id="nodes")
            yield Results(ResultTree(), id="results")
            yield Details(id="details")
            yield JobList(id="jobs")
            yield Preview(id="preview")
        yield KeyBar()

    @property
    def results(self) -> Results:
        return self.query_one(Results)

    def on_mount(self) -> None:
        pacs = self.pacs
        self.about: VirtualList = self.results
        """The list whose row the details tell about."""
        self.queries: list[str] = []
        self.finder = Finder(pacs.background, pacs.station, self.results.found, self._found)
        preview = self.query_one(Preview)
        self.previewer = Previewer(
            self,
            pacs.background,
            pacs.station,
            lambda: preview.canvas,
            lambda row: preview.waiting(row.level.word),
            lambda row, picture: preview.show(picture),
            lambda row, error: preview.say(str(error)),
        )
        pacs.roster.changed.subscribe(self, self._nodes_changed)
        pacs.jobs.changed.subscribe(self, self._jobs_changed)
        self._ticker = self.set_interval(_TICK_SECONDS, self.finder.tick, pause=True)

    def begin(self) -> None:
        """Reads what the last run left; called after the first paint."""
        station = self.pacs.station
        self.pacs.background.run("queries", lambda _: station.book.queries(), self._queries_read, self._failed)

    # ------------------------------------------------------------------ what came in

    def _found(self) -> None:
        asked = self.finder.asked
        (self._ticker.resume if asked.phase == "asking" else self._ticker.pause)()
        self.set_class(asked.phase == "failed", "-trouble")
        self.results.show(asked)
        self.refresh_bindings()

    def _nodes_changed(self, roster: Roster) -> None:
        self.query_one(NodeList).show(roster)
        self._tell()
        self.refresh_bindings()

    def _jobs_changed(self, now: JobsNow) -> None:
        self.query_one(Header).now = now
        self.query_one("#jobs", JobList).show(now)

    def _queries_read(self, queries: list[str]) -> None:
        self.queries = queries

    def _failed(self, error: PacsError) -> None:
        self.say(str(error), "error")

    @on(VirtualList.Moved)
    def _moved(self, event: VirtualList.Moved) -> None:
        if event.list is self.results:
            self._point()
            self.refresh_bindings()
        if event.list is self.about:
            self._tell()

    @on(PictureView.Resized)
    def _preview_resized(self) -> None:
        self._point()

    @on(Results.Marked)
    def _marks_changed(self) -> None:
        self.refresh_bindings()

    @on(Results.Stale)
    def _stale(self) -> None:
        self.finder.arrange()

    @on(Results.Opened)
    def _opened(self, event: Results.Opened) -> None:
        self.finder.open(event.row)

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        if isinstance(event.widget, VirtualList):
            self.about = event.widget
            self.set_class(isinstance(event.widget, NodeList), "-about-node")
            self._tell()

    def _point(self) -> None:
        row = self.results.row
        self.previewer.point(row)
        if row is None or not has_picture(row):
            self.query_one(Preview).say("" if row is None else "→ opens it: series and instances have a picture")

    def _tell(self) -> None:
        self.query_one(Details).show(self._about())

    def _about(self) -> list[Line]:
        if isinstance(self.about, NodeList):
            return self.about.details(self.pacs.station.settings.ae_title)
        if isinstance(self.about, JobList):
            return self.about.details()
        return self.results.details()

    # ------------------------------------------------------------------ reasons

    def why_not(self, action: str) -> str:
        row, pacs = self.results.row, self.pacs
        if action in ("find", "refresh", "echo") and not pacs.roster.states:
            return "No node is known yet: press n, then a to add one."
        if action == "refresh" and self.finder.asked.phase == "none":
            return "Nothing was asked yet: press f."
        if action in ("filter", "sort") and not self.results.found.patients:
            return f"There are no rows to {action} yet: press f to find some."
        if action in ("copy_uid", "copy_command") and row is None:
            return "There is no row to copy from."
        if action == "rest" and not self.finder.asked.more:
            return "There is no rest: everything that was found is here."
        if action == "details" and self.has_class("-wide") and not self.has_class("-view"):
            return "The details have a place of their own at this width."
        if action in ("move", "move_again"):
            return self.why_not_move(action)
        return super().why_not(action)

    # ------------------------------------------------------------------ keys

    async def action_find(self) -> None:
        if not self.refused("find"):
            (await self._prompt()).open(FIND, self.finder.asked.line, self.queries)

    async def action_filter(self) -> None:
        if not self.refused("filter"):
            (await self._prompt()).open(FILTER, self.results.found.filter)

    async def action_command(self) -> None:
        (await self._prompt()).open(COMMAND)

    def action_sort(self) -> None:
        if not self.refused("sort"):
            self.results.next_order()

    def action_rest(self) -> None:
        if not self.refused("rest"):
            self.finder.rest()

    def action_refresh(self) -> None:
        if not self.refused("refresh"):
            self.find(self.finder.asked.line)

    def action_echo(self) -> None:
        if self.refused("echo"):
            return
        nodes = self.query_one(NodeList)
        self.pacs.roster.echo(nodes.state.name if nodes.has_focus and nodes.state else self.pacs.roster.current)

    def action_view(self) -> None:
        """The preview as large as the screen allows, below a few rows; and back."""
        self.toggle_class("-view")
        self.set_focus(self.results)

    def action_details(self) -> None:
        if self.refused("details"):
            return
        self.toggle_class("-details")
        if self.focused is not None and not self.focused.display:
            self.set_focus(self.results)

    def action_jobs(self) -> None:
        from pacs_tui.tui.screens.jobs import JobsScreen

        job = self.query_one("#jobs", JobList).job
        self.app.push_screen(JobsScreen(job.id if job else None))

    def action_nodes(self) -> None:
        from pacs_tui.tui.screens.nodes import NodesScreen

        self.app.push_screen(NodesScreen())

    def action_copy_uid(self) -> None:
        if not self.refused("copy_uid"):
            from pacs_tui.tui import targets

            rows = self.results.found.chosen(self.results.row)
            self.copy("\n".join(row.match.uid for row in rows), f"UID of {targets.counted(rows)} copied")

    def action_copy_command(self) -> None:
        if self.refused("copy_command"):
            return
        from pacs_tui.tui import targets

        tree, row = self.results.found, self.results.row
        if not tree.marks and row is not None and row.parent is None:
            command = targets.find_command(self.finder.asked.node, self.finder.asked.line)
        else:
            try:
                wanted = targets.targets(tree.chosen(row))
            except PacsError as error:
                self._failed(error)
                return
            command = targets.move_command(self.finder.asked.node, self.pacs.roster.destination, wanted)
        self.copy(command, f"Copied: {command.splitlines()[0]}")

    def action_back(self) -> None:
        if self.finder.cancel():
            return
        if self.results.found.filter:
            self.results.set_filter("")
        elif self.results.found.marks:
            self.results.unmark()
        elif self.has_class("-view"):
            self.action_view()

    def action_choose_node(self, number: int) -> None:
        states = self.pacs.roster.states
        if number <= len(states):
            self.choose_node(states[number - 1].name)
        else:
            self.say(f"There is no node {number}.", "warning")

    @on(VirtualList.Chosen, "#nodes")
    def _node_chosen(self) -> None:
        if state := self.query_one(NodeList).state:
            self.choose_node(state.name)

    @on(VirtualList.Chosen, "#jobs")
    def _job_chosen(self) -> None:
        self.action_jobs()

    # ------------------------------------------------------------------ what keys and commands share

    def choose_node(self, name: str) -> None:
        """The node to ask from now on; what is on the screen stays until the next query."""
        if self.pacs.roster.state(name) is None:
            self.say(f"There is no node {name}.", "warning")
            return
        self.pacs.roster.choose(name)
        self.set_focus(self.results)

    def find(self, line: str) -> None:
        """Asks the chosen node. Raises QueryError for what cannot be read."""
        self.finder.start(self.pacs.roster.current, line)
        self.set_focus(self.results)

    def remember(self, line: str) -> None:
        """Keeps a line among the saved queries."""
        if not line:
            return
        self.queries = [line, *(old for old in self.queries if old != line)]
        station = self.pacs.station
        self.pacs.background.run("", lambda _: station.book.save_query(line), lambda _: None, self._failed)

    # ------------------------------------------------------------------ the prompt

    async def _prompt(self) -> Prompt:
        """The prompt, made when something is first typed: it is never on the first screen."""
        for prompt in self.query(Prompt):
            return prompt
        prompt = Prompt(self._prompt_submitted, self._prompt_closed)
        await self.mount(prompt, before=self.query_one(KeyBar))
        return prompt

    @on(Prompt.Edited)
    def _prompt_edited(self, event: Prompt.Edited) -> None:
        prompt = self.query_one(Prompt)
        if not prompt.display:
            return
        if event.kind is FILTER:
            self.results.set_filter(event.text)
            prompt.hint(f"{len(self.results.found.visible)} rows   Enter keeps it, Esc clears it")
        elif event.kind is COMMAND:
            from pacs_tui.tui import commands

            prompt.hint(commands.hint(event.text))
        else:
            prompt.hint(*self._understood(event.text))

    def _understood(self, line: str) -> tuple[str, str]:
        node = self.pacs.roster.current
        if not line.strip():
            return f"Enter asks {node} for everything   ↑ earlier queries   ? in the console lists the fields", "dim"
        try:
            return f"{node} is asked: {understood(line).sent}", "dim"
        except QueryError as error:
            return str(error), "warn"

    def _prompt_submitted(self, kind: Kind, text: str) -> None:
        prompt = self.query_one(Prompt)
        try:
            if kind is FIND:
                self.find(text)
                self.remember(text)
            elif kind is FILTER:
                self.results.set_filter(text)
            elif text:
                from pacs_tui.tui import commands

                commands.run(self, text)
        except PacsError as error:
            prompt.hint(str(error), "bad")
            return
        prompt.close()
        if self.app.screen is self and not prompt.display:
            self.set_focus(self.results)

    def _prompt_closed(self, kind: Kind) -> None:
        if kind is FILTER:
            self.results.set_filter("")
        self.set_focus(self.results)
