"""Callers of every sort, one association each: half of them behave, the others do not. Bytes are prepared once."""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count

from tests.faults import wire
from tests.faults.instances import Made, data_set, element, image_keys, study_keys, study_target
from tests.faults.serving import TITLE

_REQUEST = wire.associate_rq(TITLE)
_STORED = [Made(1, number, 2000) for number in range(100)]
_STORES = [wire.store(made.uid, made.data()) for made in _STORED]
_LARGE = Made(2, 0, 150_000)
_LARGE_STORE = wire.store(_LARGE.uid, _LARGE.data())
_FIND = wire.find(study_keys())
_SECONDS = 30.0
Visit = Callable[["Visitor"], None]


@dataclass(slots=True)
class Visitor:
    """Somebody who calls again and again; `answered` counts what went as it should."""

    port: int
    chance: random.Random
    silent: list[socket.socket]
    """Connections that say nothing, the oldest first."""
    answered: int = 0

    def visit(self) -> None:
        """One association, good or bad by turns of chance."""
        kind = self.chance.choice(GOOD if self.chance.random() < 0.5 else BAD)
        if kind in GOOD:
            kind(self)
            self.answered += 1
            return
        # how a bad one ends is the archive's affair, as long as it ends
        with suppress(OSError, wire.Broken):
            kind(self)

    def line(self) -> wire.Line:
        return wire.Line(self.port, TITLE, _REQUEST, _SECONDS)

    def plain(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), _SECONDS)

    def cut(self, data: bytes) -> bytes:
        """Some of it, not all."""
        return data[: self.chance.randrange(1, len(data))]


def _asks(request: Callable[[Visitor], bytes], status: int) -> Visit:
    def visit(visitor: Visitor) -> None:
        with visitor.line() as line:
            answer = line.ask(request(visitor))
            assert answer.status == status, f"{answer.status:04X} {answer.comment}"
            line.release()

    return visit


def _sends(data: Callable[[Visitor], bytes], then: Callable[[socket.socket], None]) -> Visit:
    """Before there is an association."""

    def visit(visitor: Visitor) -> None:
        with visitor.plain() as sock:
            sock.sendall(data(visitor))
            then(sock)

    return visit


def _breaks(data: Callable[[Visitor], bytes], then: Callable[[socket.socket], None]) -> Visit:
    """Inside an association."""

    def visit(visitor: Visitor) -> None:
        with visitor.line() as line:
            line.socket.sendall(data(visitor))
            then(line.socket)

    return visit


def _closes(sock: socket.socket) -> None:
    sock.close()


def _resets(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def _aborts(sock: socket.socket) -> None:
    sock.sendall(wire.ABORTED)


def _waits(sock: socket.socket) -> None:
    """Until the archive has had enough."""
    while sock.recv(65536):
        pass


def _says_nothing(visitor: Visitor) -> None:
    visitor.silent.append(visitor.plain())
    if len(visitor.silent) > 5:
        visitor.silent.pop(0).close()


def _over_long(tag: int, vr: bytes, length: int) -> bytes:
    made = Made(3, 0, 0)
    body = bytearray(data_set(((0x00080016, b"UI", wire.CT), (0x00080018, b"UI", made.uid))))
    body += element(tag, vr, b"X" * length)
    body += data_set(((0x0020000D, b"UI", made.study), (0x0020000E, b"UI", made.series)))
    return wire.store(made.uid, bytes(body))


_LONG_UID = wire.store("1." + "2" * 300, _STORED[0].data())
_LONG_NAME = _over_long(0x00100010, b"PN", 60_000)
_WRONG_UID = wire.store("1.2.3", _STORED[0].data())
_COMMAND_ONLY = _LARGE_STORE[: _LARGE_STORE.index(b"\x04\x00", 6)]
GOOD: tuple[Visit, ...] = (
    _asks(lambda v: wire.echo(), wire.SUCCESS),
    _asks(lambda v: _FIND, wire.SUCCESS),
    _asks(lambda v: wire.find(image_keys(_STORED[0].study, _STORED[0].series)), wire.SUCCESS),
    _asks(lambda v: v.chance.choice(_STORES), wire.SUCCESS),
    _asks(lambda v: wire.move("NOBODY", study_target(_STORED[0].study)), 0xA801),
    _asks(lambda v: _LONG_UID, 0x0117),
    _asks(lambda v: _WRONG_UID, 0xA900),
)
BAD: tuple[Visit, ...] = (
    _says_nothing,
    _sends(lambda v: v.chance.randbytes(200), _closes),
    _sends(lambda v: v.chance.randbytes(2000), _waits),
    _sends(lambda v: b"GET / HTTP/1.1\r\nHost: archive\r\n\r\n", _waits),
    _sends(lambda v: v.cut(_REQUEST), _closes),
    _sends(lambda v: v.cut(_REQUEST), _resets),
    _sends(lambda v: _REQUEST, _resets),
    _sends(lambda v: _REQUEST, _aborts),
    _sends(lambda v: wire.associate_rq("ELSEWHERE"), _waits),
    _sends(lambda v: b"\1\0\xff\xff\xff\xff" + bytes(100), _waits),
    _breaks(lambda v: b"", _closes),
    _breaks(lambda v: b"", _aborts),
    _breaks(lambda v: v.cut(_LARGE_STORE), _closes),
    _breaks(lambda v: v.cut(_LARGE_STORE), _resets),
    _breaks(lambda v: v.cut(_LARGE_STORE), _aborts),
    _breaks(lambda v: _COMMAND_ONLY, _aborts),
    _breaks(lambda v: _FIND, _resets),
    _breaks(lambda v: wire.pdu(wire.P_DATA, v.chance.randbytes(300)), _waits),
    _breaks(lambda v: wire.pdu(0x63, bytes(4)), _waits),
    _breaks(lambda v: wire.p_data(1, 3, v.chance.randbytes(100)), _waits),
    _breaks(lambda v: wire.find(v.chance.randbytes(100)), _closes),
    _breaks(lambda v: _LONG_NAME, _closes),
)


def crew(port: int, size: int) -> list[Visitor]:
    """Visitors with chances of their own."""
    return [Visitor(port, random.Random(number), []) for number, _ in zip(count(1), range(size), strict=False)]
