"""Senders that store without end, whatever happens to the archive, and note what was acknowledged."""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.faults import wire
from tests.faults.instances import Made
from tests.faults.serving import TITLE

_TINY, _LARGE = 600, 100_000
_TRY_AGAIN_SECONDS = 0.002


class Ledger:
    """What was sent and what was acknowledged, by SOP Instance UID. Thread-safe."""

    def __init__(self) -> None:
        self.sent: dict[str, Made] = {}
        self.acknowledged: dict[str, Made] = {}
        self.twice = 0
        """Acknowledgements beyond the first of an instance."""
        self.refusals: list[str] = []
        self.broken = 0
        """Associations that ended under a sender."""
        self._lock = threading.Lock()

    def send(self, made: Made) -> None:
        with self._lock:
            self.sent[made.uid] = made

    def answer(self, made: Made, response: wire.Response) -> bool:
        """Write down the answer; True for an acknowledgement."""
        with self._lock:
            if response.status:
                self.refusals.append(f"{made.uid}: {response.status:04X} {response.comment}")
                return False
            self.twice += made.uid in self.acknowledged
            self.acknowledged[made.uid] = made
            return True

    def lost(self) -> None:
        with self._lock:
            self.broken += 1


class Sender(threading.Thread):
    """Stores its instances one by one; what is not acknowledged is sent again over the next association."""

    def __init__(self, number: int, port: int, ledger: Ledger, stop: threading.Event) -> None:
        super().__init__(name=f"sender-{number}", daemon=True)
        self.neighbour = self
        """Stores some of our instances at the same time."""
        self._number = number
        self._port = port
        self._ledger = ledger
        self._stop_sending = stop
        self._given: deque[Made] = deque()
        self._line: wire.Line | None = None
        self._chance = random.Random(number)

    def run(self) -> None:
        for made in self._instances():
            self._ledger.send(made)
            request = wire.store(made.uid, made.data())
            while not self._stop_sending.is_set() and not self._acknowledged(made, request):
                pass
            if self._stop_sending.is_set():
                break
        if self._line is not None:
            with suppress(OSError, wire.Broken):
                self._line.release()

    def _instances(self) -> Iterator[Made]:
        number = 0
        while True:
            while self._given:
                yield self._given.popleft()
            made = Made(self._number, number, _LARGE if self._chance.random() < 0.12 else _TINY)
            number += 1
            if self._chance.random() < 0.08:
                self.neighbour._given.append(made)
            yield made

    def _acknowledged(self, made: Made, request: bytes) -> bool:
        try:
            if self._line is None:
                self._line = wire.Line(self._port, TITLE)
            # a refusal is written down and ends the matter too
            self._ledger.answer(made, self._line.ask(request))
            return True
        except (OSError, wire.Broken):
            if self._line is not None:
                self._ledger.lost()
                self._line.close()
                self._line = None
            self._stop_sending.wait(_TRY_AGAIN_SECONDS)
            return False


@contextmanager
def sending(port: int, senders: int = 4) -> Iterator[Ledger]:
    """So many senders, each with a neighbour, for the length of the block."""
    ledger, stop = Ledger(), threading.Event()
    crew = [Sender(number, port, ledger, stop) for number in range(1, senders + 1)]
    for one, following in zip(crew, [*crew[1:], crew[0]], strict=True):
        one.neighbour = following
    for one in crew:
        one.start()
    try:
        yield ledger
    finally:
        stop.set()
        for one in crew:
            one.join(30)
        assert not any(one.is_alive() for one in crew), "a sender waits for an answer that never comes"
