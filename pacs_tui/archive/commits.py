"""Group commit: what several associations hand in at the same moment becomes one transaction.

There is no writer thread. Whoever comes first writes down everything that waits, its own and that of others; those who
come while it does so wait for their turn, and most find that somebody has done their work.

`post` does not wait: an archive that relies on the operating system (`durability = "os"`) answers first and commits
within 50 ms. Until then the instance's two names (files.py) say that its row is owed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from pacs_tui.archive.arrival import Arrival, Fate, Result
from pacs_tui.archive.database import is_outage

_MOST = 256
"""Arrivals of one transaction: it bounds how long the first of them waits."""
_POSTED = 64
_DELAY_SECONDS = 0.05
_RETRY_SECONDS = 1.0

_log = logging.getLogger(__name__)

After = Callable[[Result | None], None]
"""Called once with what was committed, or None where nobody knows; before anybody else's transaction begins."""


class _Entry:
    """An arrival in the queue, and what came of it."""

    __slots__ = ("after", "arrival", "done", "error", "posted", "result")

    def __init__(self, arrival: Arrival, after: After, posted: bool) -> None:
        self.arrival = arrival
        self.after = after
        self.posted = posted
        self.done = False
        self.result: Result | None = None
        self.error: Exception | None = None

    def end(self, result: Result | None, error: Exception | None) -> None:
        self.result, self.error = result, error
        try:
            self.after(result)
        except OSError as failed:
            _log.error("%s is committed, its file could not be settled: %s", self.arrival.sop_instance, failed)
        self.done = True


class Commits:
    """Thread-safe; `write` puts arrivals into one transaction and commits it, or raises and has changed nothing."""

    def __init__(self, write: Callable[[Sequence[Arrival]], Sequence[Result]]) -> None:
        self._write = write
        self._waiting: deque[_Entry] = deque()
        self._turn = threading.Lock()
        self._posted: dict[tuple[int, str], bytes] = {}
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._flusher: threading.Thread | None = None
        self._failure: Exception | None = None
        self._first = self._last = 0.0

    @property
    def waiting(self) -> int:
        """Arrivals that are not committed yet."""
        return len(self._waiting)

    def add(self, arrival: Arrival, after: After) -> Result:
        """What became of it, once that is committed; the error of its own transaction otherwise."""
        entry = _Entry(arrival, after, False)
        self._waiting.append(entry)
        while not entry.done:
            with self._turn:
                if not entry.done:
                    self._write_waiting()
        if entry.error is not None:
            raise entry.error
        assert entry.result is not None
        return entry.result

    def content_posted(self, area_id: int, sop_instance: str) -> bytes | None:
        """The digest of an instance that was posted and is not committed yet."""
        return self._posted.get((area_id, sop_instance))

    def post(self, arrival: Arrival, after: After) -> None:
        """Have it committed soon; raises what the last commit failed with, until one succeeds again."""
        if self._failure is not None:
            raise self._failure
        self._last = now = time.monotonic()
        if not self._waiting:
            self._first = now
        self._posted[arrival.area_id, arrival.sop_instance] = arrival.content
        self._waiting.append(_Entry(arrival, after, True))
        # Who posts commits, while posts keep coming: a second thread would only fight it for the interpreter.
        if len(self._waiting) >= _POSTED or now - self._first > _DELAY_SECONDS:
            self.flush()
            return
        if self._flusher is None:
            self._start_flusher()
        if not self._wake.is_set():
            self._wake.set()

    def flush(self, retry: bool = True) -> None:
        """Have everything that was handed in committed; a failure is kept for the next `post` or `add`.

        Without `retry`, not while the index is out: nobody but the flusher need wait for it.
        """
        if self._failure is not None and not retry:
            return
        # What is posted and does not wait is being written by somebody else: a query must not come before it.
        if self._waiting or self._posted:
            with self._turn:
                if self._waiting:
                    self._write_waiting()

    def close(self) -> None:
        """Commit what was posted and end the thread; what cannot be committed is left to the next start."""
        self._stop.set()
        self._wake.set()
        if self._flusher is not None:
            self._flusher.join(5.0)
        self.flush()
        for entry in self._waiting:
            entry.after(None)
        self._waiting.clear()

    def _start_flusher(self) -> None:
        with self._turn:
            if self._flusher is None:
                self._flusher = threading.Thread(target=self._flush_posted, name="archive-commit", daemon=True)
                self._flusher.start()

    def _flush_posted(self) -> None:
        while not self._stop.is_set():
            self._wake.wait()
            while self._waiting and not self._stop.is_set():
                early = self._last + _DELAY_SECONDS - time.monotonic()
                if early > 0:
                    self._stop.wait(early)
                    continue
                self.flush()
                if self._failure is not None:
                    self._stop.wait(_RETRY_SECONDS)
            # cleared first: a post that came since then is seen, or sets it again
            self._wake.clear()
            if self._waiting:
                self._wake.set()

    def _write_waiting(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(_MOST, len(self._waiting)))]
        error = self._try(batch)
        if error is None:
            return
        # One bad arrival must not take the others with it; an index that is out would keep each of them waiting.
        alone = len(batch) > 1 and not is_outage(error)
        errors = [self._try([entry]) for entry in batch] if alone else [error] * len(batch)
        outage = all(each is not None for each in errors)
        for entry, failed in reversed([*zip(batch, errors, strict=True)]):
            if failed is None:
                continue
            if entry.posted and outage:
                # acknowledged: it waits until the index is back, and nothing more is taken
                self._failure = failed
                self._waiting.appendleft(entry)
                continue
            if entry.posted:
                _log.error("%s is stored, its row is left to the next start: %s", entry.arrival.sop_instance, failed)
            entry.end(None, failed)

    def _try(self, batch: Sequence[_Entry]) -> Exception | None:
        began = time.monotonic()
        try:
            results = self._write([entry.arrival for entry in batch])
        except Exception as error:  # noqa: BLE001  whatever it is belongs to those who wait
            _log.debug("a transaction of %d failed after %.3f s: %s", len(batch), time.monotonic() - began, error)
            return error
        self._failure = None
        for entry, result in zip(batch, results, strict=True):
            if entry.posted:
                self._posted.pop((entry.arrival.area_id, entry.arrival.sop_instance), None)
                if result.fate is Fate.DIFFERENT:
                    _log.error("%s was posted twice with different contents", entry.arrival.sop_instance)
            entry.end(result, None)
        return None
