"""A hospital of one list: `Services` that do as a test says, behind a real listener."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from pacs_tui.dimse.listener import Listener
from pacs_tui.errors import Refused
from pacs_tui.model.admission import EVERY_RIGHT, Admission, Right
from pacs_tui.model.find import FindAnswer, FindRequest
from pacs_tui.model.node import Node
from pacs_tui.model.tag import Column
from pacs_tui.model.transfer import Held, StoreRequest, Target
from pacs_tui.settings import Limits, Timeouts

PATIENT_ID = (Column(0x00100020, "LO"),)


class Kept:
    """One instance in memory."""

    def __init__(self, done: Callable[[bytes, Mapping[str, str]], int]) -> None:
        self._done = done
        self._data = bytearray()
        self.writes = 0
        self.aborted = False

    def write(self, chunks: Sequence[bytes | memoryview]) -> None:
        self.writes += 1
        for chunk in chunks:
            self._data += chunk

    def commit(self, attributes: Mapping[str, str]) -> int:
        return self._done(bytes(self._data), attributes)

    def abort(self) -> None:
        self.aborted = True


class FakeServices:
    """Admits everybody with `rights`, keeps what it is sent, answers `answer` to every query."""

    def __init__(self, rights: frozenset[Right] = EVERY_RIGHT) -> None:
        self.rights = rights
        self.kept: list[Kept] = []
        self.stored: list[tuple[bytes, dict[str, str]]] = []
        self.requests: list[FindRequest] = []
        self.arrived = threading.Event()
        self.answer: Callable[[FindRequest], FindAnswer] = lambda _: FindAnswer(PATIENT_ID, ())

    def admit(self, calling: str, called: str, host: str) -> Admission:
        return Admission(self.rights) if called == "FAKE" else Admission(frozenset(), 7)

    def store(self, request: StoreRequest) -> Kept:
        def done(data: bytes, attributes: Mapping[str, str]) -> int:
            self.stored.append((data, dict(attributes)))
            self.arrived.set()
            return 0

        self.kept.append(Kept(done))
        return self.kept[-1]

    def find(self, request: FindRequest) -> FindAnswer:
        self.requests.append(request)
        return self.answer(request)

    def retrieve(self, called: str, target: Target) -> Sequence[Held]:
        raise Refused("nothing is held", "", status=0xA701)

    def destination(self, called: str, title: str) -> Node | None:
        return None


@contextmanager
def serving(
    services: FakeServices, limits: Limits | None = None, timeouts: Timeouts | None = None
) -> Iterator[tuple[Listener, Node]]:
    """A listener with these services, and the node that it is."""
    listener = Listener(services, [("127.0.0.1", 0)], limits or Limits(), timeouts)
    listener.open()
    try:
        yield listener, Node("FAKE", "FAKE", "127.0.0.1", listener.ports[0])
    finally:
        listener.close(1.0)
