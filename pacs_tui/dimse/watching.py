"""C-CANCEL for a query that yields nothing, seen by a thread of its own: the one that serves is in the database."""

from __future__ import annotations

import logging
import select
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pacs_tui.dimse.upper_layer import Connection

_log = logging.getLogger(__name__)
_ROUND_SECONDS = 0.1
_ROUNDS = 20
"""Rounds without a query after which the thread waits for the next one."""


@dataclass(eq=False, slots=True)
class Watched:
    """One query; its owner counts `rows` up."""

    connection: Connection
    interrupt: Callable[[], None]
    rows: int = 0
    interrupted: bool = False
    seen: int = -1
    """Rows when it was last looked at."""


class Watch:
    """One thread for all queries of a listener; the first query starts it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._queries: set[Watched] = set()
        self._thread: threading.Thread | None = None
        self._resting = False
        self._closed = False

    def add(self, connection: Connection, interrupt: Callable[[], None]) -> Watched:
        """Interrupt a query that yields nothing for a while, once its peer says something."""
        watched = Watched(connection, interrupt)
        with self._changed:
            self._queries.add(watched)
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="dimse-watch", daemon=True)
                self._thread.start()
            elif self._resting:
                self._changed.notify()
        return watched

    def remove(self, watched: Watched) -> None:
        """Once this returns, the query is not interrupted any more."""
        with self._changed:
            self._queries.discard(watched)

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(2.0)

    def _run(self) -> None:
        idle = 0
        while True:
            with self._changed:
                stalled = self._stalled()
                idle = 0 if self._queries else idle + 1
                if not stalled and not self._closed:
                    self._resting = idle > _ROUNDS
                    self._changed.wait(None if self._resting else _ROUND_SECONDS)
                    self._resting = False
                if self._closed:
                    return
            if stalled:
                heard = _heard(stalled)
                with self._changed:
                    for watched in heard:
                        if watched in self._queries:
                            _interrupt(watched)

    def _stalled(self) -> list[Watched]:
        """The queries without a row since the last round, but for those that were interrupted: they are again."""
        stalled = []
        for watched in self._queries:
            if watched.interrupted:
                # The first may have fallen between two statements.
                _interrupt(watched)
            elif watched.seen == watched.rows:
                stalled.append(watched)
            watched.seen = watched.rows
        return stalled


def _heard(stalled: Sequence[Watched]) -> list[Watched]:
    """Those whose peer says something, or hangs up, within a round."""
    poll = select.poll()
    by_number: dict[int, Watched] = {}
    for watched in stalled:
        number = watched.connection.fileno()
        if number >= 0:
            poll.register(number, select.POLLIN)
            by_number[number] = watched
    return [by_number[number] for number, _ in poll.poll(_ROUND_SECONDS * 1000)]


def _interrupt(watched: Watched) -> None:
    watched.interrupted = True
    try:
        watched.interrupt()
    except Exception:  # noqa: BLE001  one query's trouble must not end the watch over the others
        _log.exception("a query cannot be interrupted")
