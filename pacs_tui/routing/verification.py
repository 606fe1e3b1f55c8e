"""Verification: asking the destination, instance by instance, what it holds of a plan."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from threading import Event

from pacs_tui.errors import Cancelled
from pacs_tui.model.job import PlannedInstance
from pacs_tui.model.level import Level
from pacs_tui.model.query import by_uid
from pacs_tui.routing.peers import QueryPeer

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
_GROWTH = 1.6


class Verification:
    """What one node holds of the planned instances, as far as it was asked.

    A count is not proof (it may count other instances), so UIDs are compared.
    """

    def __init__(self, peer: QueryPeer, instances: Sequence[PlannedInstance], cancel: Event) -> None:
        self._peer = peer
        self._cancel = cancel
        self._missing: dict[tuple[str, str], set[str]] = {}
        for instance in instances:
            self._missing.setdefault((instance.study_uid, instance.series_uid), set()).add(instance.sop_instance)
        self._total = sum(map(len, self._missing.values()))
        self._news: set[str] = set()

    @property
    def missing(self) -> frozenset[str]:
        """Planned instances not seen so far."""
        return frozenset().union(*self._missing.values())

    @property
    def seen(self) -> int:
        return self._total - sum(map(len, self._missing.values()))

    @property
    def complete(self) -> bool:
        return self.seen == self._total

    def news(self) -> frozenset[str]:
        """What was seen since this was last called."""
        news = frozenset(self._news)
        self._news.clear()
        return news

    def ask(self) -> bool:
        """Asks for every series that is not complete (C-FIND at IMAGE level, PS3.4 C.4.1.2.1); True for any news.

        Raises NetworkError where the node cannot be asked, Cancelled. What was seen before that stays seen.
        """
        before = self.seen
        for (study_uid, series_uid), missing in self._missing.items():
            if not missing:
                continue
            if self._cancel.is_set():
                raise Cancelled("Verification was stopped.")
            for match in self._peer.find(by_uid(Level.IMAGE, study_uid, series_uid, keys=()), self._cancel):
                uid = match.uid.strip(" \0")
                if uid in missing:
                    missing.remove(uid)
                    self._news.add(uid)
        return self.seen > before

    def watch(self, patience: float, enough: int, pause: float = FIRST_PAUSE) -> Iterator[None]:
        """Asks again and again, after growing pauses, and yields after each time.

        Ends when all are there, when `enough` are (what the source claims to have sent: there is nothing more to wait
        for), or when nothing new was seen for `patience` seconds. Raises as `ask`.
        """
        quiet_since = time.monotonic()
        while True:
            found = self.ask()
            yield
            if self.complete or self.seen >= enough:
                return
            now = time.monotonic()
            if found:
                quiet_since = now
            left = quiet_since + patience - now
            if left <= 0:
                return
            if self._cancel.wait(min(pause, left)):
                raise Cancelled("Verification was stopped.")
            pause = min(pause * _GROWTH, LONGEST_PAUSE)
