"""The only bridge between blocking work and the screen: threads on one side, callbacks of the UI on the other."""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable, Iterable
from functools import partial
from itertools import count
from time import monotonic
from typing import Generic, TypeVar

from textual.message_pump import MessagePump

from pacs_tui.errors import PacsError

T = TypeVar("T")

BATCH_SECONDS = 0.05
"""Rows that arrive within this time are shown together."""

_log = logging.getLogger(__name__)


class Request:
    """One piece of work: its number, its lane and the event that asks it to stop."""

    def __init__(self, number: int, lane: str) -> None:
        self.number = number
        self.lane = lane
        self.cancel = threading.Event()
        self.dropped = False
        """True once nothing of it may reach the screen any more."""
        self.thread: threading.Thread | None = None

    def drop(self) -> None:
        """Asks the work to stop and refuses whatever it still sends."""
        self.dropped = True
        self.cancel.set()


class _Buffer(Generic[T]):
    """Rows on their way from a thread to the screen, handed over in batches, one at a time."""

    def __init__(self, pump: MessagePump, request: Request, deliver: Callable[[list[T]], None]) -> None:
        self._pump = pump
        self._request = request
        self._deliver = deliver
        self._lock = threading.Lock()
        self._rows: list[T] = []
        self._posted = False
        self._not_before = 0.0

    def put(self, row: T) -> None:
        """Called by the thread."""
        with self._lock:
            self._rows.append(row)
            posted, self._posted = self._posted, True
        if not posted:
            self._pump.call_later(self._schedule)

    def _schedule(self) -> None:
        wait = self._not_before - monotonic()
        if wait > 0:
            self._pump.set_timer(wait, self.drain)
        else:
            self.drain()

    def drain(self) -> None:
        """Called on the UI thread: shows what has arrived."""
        with self._lock:
            rows, self._rows = self._rows, []
            self._posted = False
        if not rows or self._request.dropped:
            return
        began = monotonic()
        self._deliver(rows)
        ended = monotonic()
        # A batch that was slow to show makes the next one wait longer, so the keys keep nine tenths of the time.
        self._not_before = ended + max(BATCH_SECONDS, 9 * (ended - began))


class Background:
    """Runs work in named threads and brings its results to the UI thread.

    Every call must come from the UI thread. A request on a lane supersedes the older one there: the older is cancelled
    and everything it still sends is dropped by its number. With `wait` the newer starts only after the older thread
    has left, and of those that wait only the last ever runs. The empty lane is private: it supersedes nothing.
    """

    def __init__(self, pump: MessagePump) -> None:
        self._pump = pump
        self._numbers = count(1)
        self._current: dict[str, Request] = {}
        self._waiting: dict[str, tuple[Request, Callable[[], None]]] = {}
        self._running: dict[int, Request] = {}
        self._closed = False

    def run(
        self,
        lane: str,
        work: Callable[[threading.Event], T],
        done: Callable[[T], None],
        failed: Callable[[PacsError], None],
        *,
        wait: bool = False,
    ) -> Request:
        """Calls `work(cancel)` in a thread, then `done(result)` or `failed(error)` on the UI thread."""
        request = self._request(lane)

        def target() -> None:
            self._post(request, done, work(request.cancel))

        self._submit(request, target, failed, wait)
        return request

    def stream(
        self,
        lane: str,
        work: Callable[[threading.Event], Iterable[T]],
        rows: Callable[[list[T]], None],
        done: Callable[[], None],
        failed: Callable[[PacsError], None],
    ) -> Request:
        """Iterates over `work(cancel)` in a thread; `rows(batch)` as they arrive, then `done()` or `failed(error)`."""
        request = self._request(lane)
        buffer = _Buffer(self._pump, request, rows)

        def target() -> None:
            try:
                for row in work(request.cancel):
                    buffer.put(row)
            finally:
                self._pump.call_later(buffer.drain)
            self._post(request, done)

        self._submit(request, target, failed, False)
        return request

    def stop(self, lane: str) -> None:
        """Cancels the request of a lane and drops what it still sends."""
        self._waiting.pop(lane, None)
        if request := self._current.pop(lane, None):
            request.drop()

    def busy(self, lane: str) -> bool:
        """True while the newest request of the lane runs or waits."""
        return lane in self._current

    @property
    def threads(self) -> int:
        """Threads that have not left yet."""
        return len(self._running)

    def close(self, limit: float) -> None:
        """Cancels everything and waits for the threads, `limit` seconds in all."""
        self._closed = True
        self._waiting.clear()
        for request in self._running.values():
            request.drop()
        deadline = monotonic() + limit
        for request in list(self._running.values()):
            if request.thread is not None:
                request.thread.join(max(0.0, deadline - monotonic()))

    def _request(self, lane: str) -> Request:
        number = next(self._numbers)
        return Request(number, lane or f"request-{number}")

    def _submit(
        self, request: Request, target: Callable[[], None], failed: Callable[[PacsError], None], wait: bool
    ) -> None:
        if self._closed:
            return
        older = self._current.get(request.lane)
        if older is not None:
            older.drop()
        self._current[request.lane] = request
        start = partial(self._start, request, partial(self._guarded, request, target, failed))
        if wait and any(r.lane == request.lane for r in self._running.values()):
            self._waiting[request.lane] = (request, start)
        else:
            start()

    def _start(self, request: Request, target: Callable[[], None]) -> None:
        # Daemons: a peer that never answers must not keep the process alive after `close` gave up on it.
        context = contextvars.copy_context()
        name = f"{request.lane}#{request.number}"
        request.thread = threading.Thread(target=context.run, args=(target,), name=name, daemon=True)
        self._running[request.number] = request
        request.thread.start()

    def _guarded(self, request: Request, target: Callable[[], None], failed: Callable[[PacsError], None]) -> None:
        try:
            target()
        except PacsError as error:
            self._post(request, failed, error)
        except Exception as error:  # noqa: BLE001 - a fault of ours is shown and logged, and the console lives on
            _log.exception("%s failed", request.lane)
            self._post(request, failed, PacsError(f"A fault of pacs-tui itself: {type(error).__name__}: {error}"))
        finally:
            self._pump.call_later(self._left, request)

    def _post(self, request: Request, callback: Callable[..., None], *results: object) -> None:
        self._pump.call_later(self._deliver, request, callback, results)

    def _deliver(self, request: Request, callback: Callable[..., None], results: tuple[object, ...]) -> None:
        if not request.dropped:
            if self._current.get(request.lane) is request:
                del self._current[request.lane]
            callback(*results)

    def _left(self, request: Request) -> None:
        self._running.pop(request.number, None)
        if self._current.get(request.lane) is request:
            del self._current[request.lane]
        if request.lane in self._waiting and not any(r.lane == request.lane for r in self._running.values()):
            waiting, start = self._waiting.pop(request.lane)
            if not waiting.dropped and not self._closed:
                start()
