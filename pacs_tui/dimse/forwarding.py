"""The sub-operations of a C-MOVE: its instances over one or more associations to the destination (PS3.4 C.4.2.3.1).

    parcels     a study each, or parts of a study where there are fewer studies than associations
    worker      a thread with an association of its own: takes parcels until there are none
    growth      the next worker starts when the last one's association is open; a destination that refuses one more
                is left with those it has
    trouble     a worker whose association breaks opens another for the rest; one that gets nowhere puts its rest back
                and leaves; when the last has left, what is still waiting has failed

The owner, which serves the C-MOVE, waits here and on its own association at once, and alone counts the results.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass

from pacs_tui.dimse import contexts as ctx
from pacs_tui.dimse.association import Association
from pacs_tui.dimse.storing import Manner, Pair, Sender, proposals
from pacs_tui.dimse.upper_layer import Connection, Violation
from pacs_tui.errors import PacsError
from pacs_tui.model.transfer import Held, Sent

_log = logging.getLogger(__name__)
_UNSENT = 0xA702
"""What an instance gets that no association was left for."""
_PARTS = 4
"""Parts of a study for each association it is spread over, so that none is idle at the end."""
_SMALLEST_PART = 16
_AGAIN_SECONDS = 0.5
"""Between a broken association and the next: a destination that admits one has to notice first."""

Open = Callable[[Sequence[ctx.Proposal], Callable[[Connection], None]], Association]
"""Opens an association to the destination; the connection is handed out before the negotiation."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """Instances of one study that go over one association, in order."""

    instances: tuple[Held, ...]
    pairs: frozenset[Pair]

    @classmethod
    def of(cls, instances: Iterable[Held]) -> Parcel:
        held = tuple(instances)
        return cls(held, frozenset((one.sop_class, one.transfer_syntax) for one in held))


def parcels(instances: Sequence[Held], associations: int) -> Iterator[Parcel]:
    """Instances by study, in their own order, and in parts where that keeps more associations at work."""
    studies: dict[str, list[Held]] = {}
    for held in instances:
        studies.setdefault(held.study_uid, []).append(held)
    for study in studies.values():
        size = len(study)
        if len(studies) < associations and size >= 2 * _SMALLEST_PART:
            size = max(_SMALLEST_PART, -(-size // (associations * _PARTS)))
        for at in range(0, len(study), size):
            yield from _within_limits(study[at : at + size])


def _within_limits(run: Sequence[Held]) -> Iterator[Parcel]:
    """Cut where the contexts would be too many for one association."""
    part: list[Held] = []
    pairs: set[Pair] = set()
    for held in run:
        pair = held.sop_class, held.transfer_syntax
        if pair not in pairs:
            if part and not _fit(pairs | {pair}):
                yield Parcel.of(part)
                part, pairs = [], set()
            pairs.add(pair)
        part.append(held)
    yield Parcel.of(part)


def _fit(pairs: Set[Pair]) -> bool:
    """True when the contexts, with those to fall back on, are at most 128 (PS3.8 9.3.2.2)."""
    return len(pairs) + len({sop_class for sop_class, _ in pairs}) <= ctx.MAX_CONTEXTS


class Forwarding:
    """Start it, `wait` until `ended`, take the `results`; `close` it on every path."""

    def __init__(self, instances: Sequence[Held], open_: Open, associations: int, manner: Manner, who: str) -> None:
        self._waiting = deque(parcels(instances, associations))
        self._open = open_
        self._most = min(associations, len(self._waiting))
        self._manner = manner
        self._who = who
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._at_work = 0
        self._connections: set[Connection] = set()
        self._unanswered: set[str] = set()
        self._reason = ""
        self._stop = threading.Event()
        self._closing = False
        self._results: deque[tuple[Held, Sent]] = deque()
        self._wakes, self._wake = os.pipe()

    def start(self) -> None:
        """Begin with one worker."""
        with self._lock:
            self._hire()

    @property
    def ended(self) -> bool:
        """True when no worker is left, and so every result is there."""
        return not self._at_work

    def results(self) -> Iterator[tuple[Held, Sent]]:
        """What has come in since the last time."""
        while self._results:
            yield self._results.popleft()

    def wait(self, connection: Connection, seconds: float) -> None:
        """Return when a worker has left, `connection` has something to say, or the time is over."""
        if connection.buffered or self.ended:
            return
        poll = select.poll()
        poll.register(self._wakes, select.POLLIN)
        # One that was closed meanwhile is found out by reading it.
        with contextlib.suppress(ValueError):
            poll.register(connection.fileno(), select.POLLIN)
        if self._wakes in (number for number, _ in poll.poll(seconds * 1000)):
            os.read(self._wakes, 1)

    def stop(self) -> None:
        """Start no further sub-operation; those under way end."""
        self._stop.set()

    def interrupt(self) -> None:
        """Break what is still open, or about to be."""
        self._stop.set()
        with self._lock:
            self._closing = True
            connections = list(self._connections)
        for connection in connections:
            connection.interrupt()

    def await_end(self, seconds: float) -> None:
        """Return when the last worker has left, or the time is over."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def close(self) -> None:
        """Break what is still open, and return when every worker has gone."""
        self.interrupt()
        for thread in self._threads:
            thread.join()
        os.close(self._wakes)
        os.close(self._wake)

    # ------------------------------------------------------------------ workers

    def _hire(self) -> None:
        """Another worker, where there is work for it; the lock is held."""
        if self._at_work < self._most and self._waiting and not self._stop.is_set():
            thread = threading.Thread(target=self._work, name=f"dimse-move-{self._who}", daemon=True)
            self._threads.append(thread)
            self._at_work += 1
            thread.start()

    def _work(self) -> None:
        futile = 0
        try:
            while self._waiting and not self._stop.is_set():
                broken = self._associate()
                if broken is None:
                    continue
                futile = 0 if broken.answered else futile + 1
                if not broken.opened or futile > 1:
                    return
                _log.warning("C-MOVE to %s: %s", self._who, self._reason)
                self._stop.wait(_AGAIN_SECONDS)
        except Exception as error:  # noqa: BLE001  whatever a worker meets, the C-MOVE must come to its end
            _log.exception("C-MOVE to %s", self._who)
            self._reason = f"an error of ours: {error}"
        finally:
            self._leave()

    def _leave(self) -> None:
        with self._lock:
            if self._waiting and not self._stop.is_set():
                if self._at_work > 1:
                    _log.info("C-MOVE to %s goes on with an association less: %s", self._who, self._reason)
                    self._most = self._at_work - 1
                else:
                    _log.warning("C-MOVE to %s given up: %s", self._who, self._reason)
                    for parcel in self._waiting:
                        self._results.extend((held, self._lost(held)) for held in parcel.instances)
                    self._waiting.clear()
            self._at_work -= 1
            os.write(self._wake, b"\0")

    def _lost(self, held: Held) -> Sent:
        return Sent(held.sop_instance, _UNSENT, self._reason)

    def _associate(self) -> _Broken | None:
        """One association, for as many parcels as its contexts cover; None when it came to a good end."""
        proposed = self._proposed()
        broken = _Broken()
        association: Association | None = None
        try:
            association = self._open(proposals(proposed), self._opened)
            broken.opened = True
            with self._lock:
                self._hire()
            sender = Sender(association, self._manner)
            while (parcel := self._take(proposed)) is not None:
                self._send(sender, parcel, broken)
            association.release()
            return None
        except (PacsError, Violation) as error:
            self._reason = str(error)
            if association is not None and isinstance(error, Violation):
                association.abort(2, error.reason)
            return broken
        finally:
            if association is not None:
                association.abort()
                with self._lock:
                    self._connections.discard(association.connection)

    def _opened(self, connection: Connection) -> None:
        with self._lock:
            self._connections.add(connection)
            if self._closing:
                connection.interrupt()

    def _proposed(self) -> frozenset[Pair]:
        """What the parcels to come need, as far as one association holds it."""
        with self._lock:
            pairs: frozenset[Pair] = frozenset()
            for parcel in self._waiting:
                if not _fit(pairs | parcel.pairs):
                    break
                pairs |= parcel.pairs
            return pairs

    def _take(self, proposed: frozenset[Pair]) -> Parcel | None:
        with self._lock:
            if self._stop.is_set() or not self._waiting or not self._waiting[0].pairs <= proposed:
                return None
            return self._waiting.popleft()

    def _send(self, sender: Sender, parcel: Parcel, broken: _Broken) -> None:
        """Send a parcel; where the line breaks, what was not answered goes back to those that wait."""
        rest = deque(parcel.instances)
        try:
            with contextlib.closing(sender.stream(parcel.instances)) as answers:
                for result in answers:
                    self._results.append(result)
                    broken.answered += 1
                    rest.popleft()
                    if self._stop.is_set():
                        return
        except (PacsError, Violation) as error:
            first = rest.popleft()
            with self._lock:
                # It may have been what the destination died of: once more, after all others.
                if first.sop_instance in self._unanswered:
                    self._results.append((first, Sent(first.sop_instance, _UNSENT, str(error))))
                else:
                    self._unanswered.add(first.sop_instance)
                    rest.append(first)
                if rest:
                    self._waiting.appendleft(Parcel.of(rest))
            raise


@dataclass(slots=True)
class _Broken:
    """How far an association came that did not end well."""

    opened: bool = False
    answered: int = 0
