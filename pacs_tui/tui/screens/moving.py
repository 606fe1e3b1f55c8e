"""The part of the console that moves what is marked."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

from pacs_tui.errors import PacsError, UsageError
from pacs_tui.model.job import Job, Plan
from pacs_tui.tui.screens.view import View
from pacs_tui.tui.widgets.results import Results


class Moving(View):
    """`m` and `M`: destination, plan, job."""

    def why_not_move(self, action: str) -> str:
        """Why nothing can be moved now; empty where it can."""
        results = self.query_one(Results)
        if self.pacs.readonly:
            return "This console was started with --readonly: it moves nothing."
        if not results.found.chosen(results.row):
            return "Nothing is marked, and there is no row to move: press f to find something."
        if action == "move_again" and not self.pacs.roster.destination:
            return "Nothing was moved yet: press m to choose a destination."
        return ""

    def action_move(self) -> None:
        if not self.refused("move"):
            self._open("")

    def action_move_again(self) -> None:
        if not self.refused("move_again"):
            self._open(self.pacs.roster.destination)

    def _open(self, destination: str) -> None:
        from pacs_tui.tui import targets
        from pacs_tui.tui.dialogs.move import MoveDialog

        results = self.query_one(Results)
        rows = results.found.chosen(results.row)
        source = rows[0].match.node
        try:
            wanted = targets.targets(rows)
        except UsageError as error:
            self.say(str(error), "error")
            return
        label = targets.label(rows)
        station, background = self.pacs.station, self.pacs.background

        def ask(to: str, done: Callable[[Plan], None], failed: Callable[[PacsError], None]) -> None:
            def work(cancel: Event) -> Plan:
                return station.planner.plan(source, to, label, wanted, cancel)

            background.run("plan", work, done, failed)

        dialog = MoveDialog(self.pacs.roster, source, label, destination, ask)
        self.app.push_screen(dialog, self._decided)

    def _decided(self, plan: Plan | None) -> None:
        self.pacs.background.stop("plan")
        if plan is None:
            return
        self.pacs.roster.moved_to(plan.destination)
        self.query_one(Results).unmark()
        self.pacs.jobs.enqueue(plan, self._enqueued)

    def _enqueued(self, job: Job) -> None:
        self.say(f"Job {job.id}: {job.total} instances to {job.destination}")
