"""Asks nodes for the screen: a query at a time, and the children of whatever is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from pacs_tui.errors import Cancelled, PacsError, QueryError
from pacs_tui.model.match import Match
from pacs_tui.tui.background import Background, Request
from pacs_tui.tui.tree import ResultTree, Row

if TYPE_CHECKING:
    from threading import Event

    from pacs_tui.model.query import Query
    from pacs_tui.station import Station

_LANE = "find"
_ARRANGE = "arrange"


class Asked(Struct, frozen=True):
    """The query on the screen and how far it has come."""

    node: str = ""
    line: str = ""
    sent: str = ""
    """The matching keys as they went out."""
    phase: str = "none"
    """none, asking, done, cancelled or failed."""
    studies: int = 0
    seconds: float = 0.0
    limit: int | None = None
    more: bool = False
    """True where the peer has more than the limit."""
    error: PacsError | None = None


def understood(line: str, limit: int | None = None) -> Query:
    """The query a typed line means today. Raises QueryError; the language is loaded when it is first spoken."""
    from pacs_tui.model.query import parse

    return parse(line, date.today(), limit)


class Finder:
    """Fills a ResultTree; `changed` is called whenever the tree or `asked` has changed."""

    def __init__(self, background: Background, station: Station, tree: ResultTree, changed: Callable[[], None]) -> None:
        self.asked = Asked()
        self.tree = tree
        self._background = background
        self._station = station
        self._changed = changed
        self._began = 0.0
        self._numbers = count(1)
        self._opening: dict[str, tuple[Row, Request]] = {}

    def start(self, node: str, line: str) -> None:
        """Asks `node` the line, up to the limit of the settings. Raises QueryError for what cannot be read."""
        limit = self._station.settings.query_limit
        query = understood(line, limit)
        self._drop()
        self._background.stop(_ARRANGE)
        self.tree.clear()
        self._ask(node, line, query, limit)

    def rest(self) -> bool:
        """Asks again without a limit; rows that are here already stay where they are. False if nothing is left."""
        if not self.asked.more:
            return False
        self._ask(self.asked.node, self.asked.line, understood(self.asked.line), None)
        return True

    def cancel(self) -> bool:
        """Stops the query, or else everything that is being opened; False if nothing runs."""
        if self.asked.phase == "asking":
            self._request.cancel.set()
            self._end("cancelled")
            self._background.stop(_LANE)
            return True
        running = list(self._opening.values())
        for row, request in running:
            request.drop()
            self._opened(row, "unasked")
        self._opening.clear()
        return bool(running)

    def open(self, row: Row) -> None:
        """Shows what is below a row; asks the node for it the first time."""
        if row.level.below is None or row.state == "loading":
            return
        if row.state != "loaded":
            from pacs_tui.model.query import children

            try:
                self._ask_children(row, children(row.path))
            except QueryError as error:
                self._opened(row, "failed", str(error))
                return
        self.tree.set_expanded(row, True)
        self._changed()

    def arrange(self) -> None:
        """Makes what is shown follow filter, order and new rows, in a thread; one runs at a time."""
        if self._background.busy(_ARRANGE):
            return
        version = self.tree.version

        def arranged(rows: list[Row]) -> None:
            self.tree.visible = rows
            self.tree.stale = self.tree.version != version
            self._changed()

        self._background.run(_ARRANGE, lambda _: self.tree.arrangement(), arranged, lambda error: None)

    def tick(self) -> None:
        """Brings the seconds up to date while a query runs."""
        if self.asked.phase == "asking":
            self._note(seconds=monotonic() - self._began)

    def _ask(self, node: str, line: str, query: Query, limit: int | None) -> None:
        # One row more than is shown tells whether there is more.
        sent = replace(query, limit=None if limit is None else limit + 1)
        self._began = monotonic()
        self._left = limit
        self.asked = Asked(node, line, query.sent, "asking", self.tree.studies, limit=limit)

        def work(cancel: Event) -> Iterator[Match]:
            yield from self._station.peer(node).find(sent, cancel)

        self._request = self._background.stream(_LANE, work, self._rows, self._done, self._failed)
        self._changed()

    def _rows(self, matches: list[Match]) -> None:
        more = self._left is not None and len(matches) > self._left
        if self._left is not None:
            matches = matches[: self._left]
            self._left -= len(matches)
        self.tree.add(matches)
        self._note(studies=self.tree.studies, more=more, seconds=monotonic() - self._began)

    def _done(self) -> None:
        self._end("done")

    def _failed(self, error: PacsError) -> None:
        self._end("cancelled" if isinstance(error, Cancelled) else "failed", error)

    def _end(self, phase: str, error: PacsError | None = None) -> None:
        self._note(phase=phase, seconds=monotonic() - self._began, error=error)

    def _note(self, **changes: object) -> None:
        self.asked = replace(self.asked, **changes)
        self._changed()

    def _ask_children(self, row: Row, query: Query) -> None:
        row.state, row.error = "loading", ""
        lane = f"children-{next(self._numbers)}"
        node = row.match.node

        def work(cancel: Event) -> Iterator[Match]:
            yield from self._station.peer(node).find(query, cancel)

        def rows(matches: list[Match]) -> None:
            self.tree.add_children(row, matches)
            self._changed()

        def done() -> None:
            del self._opening[lane]
            self._opened(row, "loaded")

        def failed(error: PacsError) -> None:
            del self._opening[lane]
            self._opened(row, "failed", str(error))

        self._opening[lane] = (row, self._background.stream(lane, work, rows, done, failed))

    def _opened(self, row: Row, state: str, error: str = "") -> None:
        row.state, row.error = state, error
        if state != "loaded" and not row.children:
            row.expanded = False
        self._changed()

    def _drop(self) -> None:
        """A new query: nothing of the last one may arrive any more."""
        for _, request in self._opening.values():
            request.drop()
        self._opening.clear()
