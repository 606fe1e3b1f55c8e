"""Cases, how they are played against a server, and what it makes of them."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.faults import wire
from tests.hostile.victim import TITLE, Victim
from tests.hostile.watcher import Watcher

_AT_ONCE = 4
_SECONDS = 60.0
_FROM = "127.0.0.1"
_RESET = struct.pack("ii", 1, 0)
_KINDS = frozenset((wire.ASSOCIATE_AC, wire.ASSOCIATE_RJ, wire.P_DATA, wire.RELEASE_RQ, wire.RELEASE_RP, wire.ABORT))
_FINE = frozenset((0x0000, 0xFF00, 0xFF01, 0xB000, 0xFE00))


@dataclass(frozen=True, slots=True)
class Case:
    """Bytes for a server, and how they leave."""

    name: str
    data: bytes
    segment: int = 0
    """Bytes a write; 0 for all at once."""
    reset: bool = False
    """End with a RST instead of a FIN."""


@dataclass(frozen=True, slots=True)
class Outcome:
    case: Case
    port: int
    kinds: tuple[int, ...]
    """Types of the PDUs that came."""
    statuses: tuple[int, ...]

    @property
    def refused(self) -> bool:
        """True where the server had a reason to say so: anything but polite answers and a release."""
        polite = self.kinds[-1:] == (wire.RELEASE_RP,) and wire.ABORT not in self.kinds
        return not polite or not _FINE.issuperset(self.statuses)


def play(case: Case, port: int) -> Outcome:
    """Send it, end our half, read what comes to its end; AssertionError for an answer that is no DICOM."""
    with socket.create_connection(("127.0.0.1", port), _SECONDS, (_FROM, 0)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        mine = int(sock.getsockname()[1])
        answer = bytearray()
        try:
            _send(sock, case)
            if case.reset:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                return Outcome(case, mine, (), ())
            sock.shutdown(socket.SHUT_WR)
            while part := sock.recv(65536):
                answer += part
        except (ConnectionResetError, BrokenPipeError):
            # it has had enough, and closed with our bytes unread: what it said before counts
            _rest(sock, answer)
    kinds, statuses = read(bytes(answer))
    return Outcome(case, mine, kinds, statuses)


def _send(sock: socket.socket, case: Case) -> None:
    if not case.segment:
        sock.sendall(case.data)
        return
    for at in range(0, len(case.data), case.segment):
        sock.sendall(case.data[at : at + case.segment])


def _rest(sock: socket.socket, answer: bytearray) -> None:
    try:
        while part := sock.recv(65536):
            answer += part
    except OSError:
        return


def read(answer: bytes) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Types of the PDUs and statuses of the commands in an answer, of which the end may have been lost in a reset."""
    kinds: list[int] = []
    statuses: list[int] = []
    at = 0
    while at + 6 <= len(answer):
        kind, _, length = struct.unpack_from(">BBI", answer, at)
        assert kind in _KINDS, answer[at : at + 100]
        assert length < 1 << 18
        body = answer[at + 6 : at + 6 + length]
        at += 6 + length
        if at > len(answer):
            break
        kinds.append(kind)
        if kind == wire.P_DATA:
            statuses += _statuses(body)
    return tuple(kinds), tuple(statuses)


def _statuses(body: bytes) -> Iterable[int]:
    at = 0
    while at < len(body):
        length, _, control = struct.unpack_from(">IBB", body, at)
        assert 2 <= length <= len(body) - at - 4
        if control & 1:
            found = wire.parse_command(body[at + 6 : at + 4 + length])
            if 0x0900 in found:
                yield int.from_bytes(found[0x0900], "little")
        at += 4 + length


def bombard(victim: Victim, cases: Sequence[Case], sender: int) -> list[Outcome]:
    """Play all of them while somebody else works; what came of each. Afterwards everything is as it was before.

    `sender` makes the instances of the bystander its own.
    """
    begin = victim.log.stat().st_size
    before = victim.costs()
    watchers = [Watcher(victim.port, TITLE, sender)]
    for watcher in watchers:
        watcher.start()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        outcomes = list(pool.map(lambda case: play(case, victim.port), cases))
    for watcher in watchers:
        watcher.end()
    now = victim.await_rest(before)
    victim.check(begin, [outcome.port for outcome in outcomes if outcome.refused or outcome.case.reset])
    refused = sum(outcome.refused for outcome in outcomes)
    slowest, rounds = watchers[0].slowest, watchers[0].rounds
    print(f"{len(cases)} cases, {refused} refused; {before} -> {now}; bystander: {rounds} rounds, {slowest:.3f} s")
    return outcomes
