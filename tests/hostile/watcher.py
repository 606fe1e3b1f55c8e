"""An association of somebody who has nothing to do with it all, and must not notice anything."""

from __future__ import annotations

import itertools
import threading
import time

from tests.faults import wire
from tests.faults.instances import Made, image_keys, parse

PATIENCE = 15.0
"""Seconds any answer may take while everything else goes on; two cores are shared by all."""


class Watcher(threading.Thread):
    """Echoes, stores and finds what it stored, over one association, until told to stop."""

    def __init__(self, port: int, called: str, sender: int) -> None:
        super().__init__(name="watcher", daemon=True)
        self._port, self._called, self._sender = port, called, sender
        self._stop_asked = threading.Event()
        self._line = wire.Line(port, called, seconds=PATIENCE)
        self.rounds = 0
        self.slowest = 0.0
        self.failure = ""

    def run(self) -> None:
        try:
            for number in itertools.count():
                if self._stop_asked.is_set():
                    break
                self._round(Made(self._sender, number, 2000))
            self._line.release()
        except (OSError, wire.Broken, AssertionError) as error:
            self.failure = f"round {self.rounds}: {error!r}"

    def _round(self, made: Made) -> None:
        echoed = self._ask(wire.echo())
        stored = self._ask(wire.store(made.uid, made.data()))
        found = self._ask(wire.find(image_keys(made.study, made.series, made.uid)))
        for answer in (echoed, stored, found):
            assert answer.status == 0, answer
        uids = [parse(row)[0x00080018] for row in found.rows]
        assert uids == [made.uid], (uids, made.uid)
        self.rounds += 1
        # a bystander, not a load
        self._stop_asked.wait(0.02)

    def _ask(self, request: bytes) -> wire.Response:
        began = time.monotonic()
        answer = self._line.ask(request)
        self.slowest = max(self.slowest, time.monotonic() - began)
        return answer

    def end(self) -> None:
        """Stop; AssertionError where anything went wrong."""
        self._stop_asked.set()
        self.join(2 * PATIENCE)
        assert not self.is_alive()
        assert not self.failure, self.failure
        assert self.rounds > 0
        assert self.slowest < PATIENCE
