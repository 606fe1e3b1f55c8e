"""DICOM written byte by byte, so that what the archive is told and says does not pass through its own code.

PS3.8 9.3 (PDUs), PS3.7 annex E (commands); one association, one context for each of the classes below.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CT = "1.2.840.10008.5.1.4.1.1.2"
VERIFICATION = "1.2.840.10008.1.1"
STUDY_FIND, STUDY_MOVE, STUDY_GET = (f"1.2.840.10008.5.1.4.1.2.2.{last}" for last in (1, 2, 3))
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
CLASSES = (CT, VERIFICATION, STUDY_FIND, STUDY_MOVE, STUDY_GET)
CONTEXTS = {abstract: 2 * number + 1 for number, abstract in enumerate(CLASSES)}
ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)
STORE, GET, FIND, MOVE, ECHO = 0x0001, 0x0010, 0x0020, 0x0021, 0x0030
NO_DATA = 0x0101
SUCCESS, OUT_OF_RESOURCES = 0x0000, 0xA700

_FRAGMENT = 65536
_SECONDS = 60.0


class Broken(Exception):
    """The line ended, or something came that does not belong."""


@dataclass(frozen=True, slots=True)
class Response:
    """What came back for one request: the final status and its comment, and the identifiers before it."""

    status: int
    comment: str
    rows: tuple[bytes, ...]


def pdu(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBI", kind, 0, len(body)) + body


def item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(body)) + body


def associate_rq(called: str, calling: str = "FAULTS", abstracts: Sequence[str] = CLASSES) -> bytes:
    """Propose these classes, Explicit VR Little Endian, and to take C-STORE for CT (PS3.8 9.3.2, PS3.7 D.3.3.4)."""
    fixed = struct.pack(">HH16s16s32s", 1, 0, called.encode().ljust(16), calling.encode().ljust(16), b"")
    contexts = b"".join(
        item(0x20, bytes((CONTEXTS[each], 0, 0, 0)) + item(0x30, each.encode()) + item(0x40, EXPLICIT.encode()))
        for each in abstracts
    )
    role = item(0x54, struct.pack(">H", len(CT)) + CT.encode() + b"\1\1") if STUDY_GET in abstracts else b""
    user = item(0x50, item(0x51, struct.pack(">I", 131072)) + item(0x52, b"1.2.826.0.1.3680043.8.498.7") + role)
    return pdu(ASSOCIATE_RQ, fixed + item(0x10, b"1.2.840.10008.3.1.1.1") + contexts + user)


def p_data(context: int, control: int, data: bytes) -> bytes:
    return struct.pack(">BBIIBB", P_DATA, 0, len(data) + 6, len(data) + 2, context, control) + data


RELEASE = pdu(RELEASE_RQ, bytes(4))
ABORTED = pdu(ABORT, bytes(4))


def command(elements: Mapping[int, int | str]) -> bytes:
    """A command set: element of group 0000 to US or text."""
    body = b""
    for element, value in sorted(elements.items()):
        data = struct.pack("<H", value) if isinstance(value, int) else value.encode() + b"\0" * (len(value) & 1)
        body += struct.pack("<HHI", 0, element, len(data)) + data
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body


def message(abstract: str, elements: Mapping[int, int | str], data: bytes | None = None) -> bytes:
    """A request or a response as it goes over the line."""
    context = CONTEXTS[abstract]
    whole = {0x0800: NO_DATA if data is None else 1, **elements}
    if 0x0120 not in elements:
        whole[0x0110] = 1
    out = [p_data(context, 3, command(whole))]
    for at in range(0, len(data or b""), _FRAGMENT):
        assert data is not None
        out.append(p_data(context, 2 if at + _FRAGMENT >= len(data) else 0, data[at : at + _FRAGMENT]))
    return b"".join(out)


def store(instance_uid: str, data: bytes, sop_class: str = CT) -> bytes:
    return message(sop_class, {0x0002: sop_class, 0x0100: STORE, 0x0700: 0, 0x1000: instance_uid}, data)


def stored(instance_uid: str, message_id: int) -> bytes:
    """Success, as the receiving side of a C-GET answers."""
    return message(CT, {0x0002: CT, 0x0100: STORE | 0x8000, 0x0120: message_id, 0x0900: SUCCESS, 0x1000: instance_uid})


def echo() -> bytes:
    return message(VERIFICATION, {0x0002: VERIFICATION, 0x0100: ECHO})


def find(keys: bytes) -> bytes:
    return message(STUDY_FIND, {0x0002: STUDY_FIND, 0x0100: FIND, 0x0700: 0}, keys)


def move(destination: str, keys: bytes) -> bytes:
    return message(STUDY_MOVE, {0x0002: STUDY_MOVE, 0x0100: MOVE, 0x0600: destination, 0x0700: 0}, keys)


def get(keys: bytes) -> bytes:
    return message(STUDY_GET, {0x0002: STUDY_GET, 0x0100: GET, 0x0700: 0}, keys)


def parse_command(data: bytes) -> dict[int, bytes]:
    """Element number to value of a command set."""
    found, at = {}, 0
    while at < len(data):
        _, element, length = struct.unpack_from("<HHI", data, at)
        found[element] = data[at + 8 : at + 8 + length]
        at += 8 + length
    return found


class Line:
    """One association over one socket. Everything raises Broken or OSError; `close` just drops the line."""

    def __init__(self, port: int, called: str, request: bytes | None = None, seconds: float = _SECONDS) -> None:
        """Connect and negotiate; Broken where that is not answered with an A-ASSOCIATE-AC."""
        self.socket = socket.create_connection(("127.0.0.1", port), seconds)
        try:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.sendall(request or associate_rq(called))
            kind, _ = self.read()
            if kind != ASSOCIATE_AC:
                raise Broken(f"PDU {kind} in answer to an A-ASSOCIATE-RQ")
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self) -> tuple[int, bytes]:
        kind, _, length = struct.unpack(">BBI", self._exactly(6))
        return kind, self._exactly(length)

    def message(self) -> tuple[dict[int, bytes], bytes]:
        """The next command and its data set, empty where there is none."""
        parts: dict[int, bytes] = {0: b"", 1: b""}
        ended = {0: False, 1: False}
        while True:
            kind, body = self.read()
            if kind != P_DATA:
                raise Broken(f"PDU {kind} where a message belongs")
            at = 0
            while at < len(body):
                length, _, control = struct.unpack_from(">IBB", body, at)
                parts[control & 1] += body[at + 6 : at + 4 + length]
                ended[control & 1] = bool(control & 2)
                at += 4 + length
            if ended[1]:
                found = parse_command(parts[1])
                if found[0x0800] == b"\1\1" or ended[0]:
                    return found, parts[0]

    def ask(self, request: bytes) -> Response:
        """Send one request and read to its final response."""
        self.socket.sendall(request)
        rows: list[bytes] = []
        while True:
            found, data = self.message()
            status = int.from_bytes(found[0x0900], "little")
            if status not in (0xFF00, 0xFF01):
                comment = found.get(0x0902, b"").decode("latin-1").strip(" \0")
                return Response(status, comment, tuple(rows))
            rows.append(data)

    def release(self) -> None:
        """Ask for release, read the answer, close."""
        with self.socket:
            self.socket.sendall(RELEASE)
            kind, _ = self.read()
            if kind != RELEASE_RP:
                raise Broken(f"PDU {kind} in answer to an A-RELEASE-RQ")

    def close(self) -> None:
        self.socket.close()

    def _exactly(self, count: int) -> bytes:
        got = b""
        while len(got) < count:
            more = self.socket.recv(count - len(got))
            if not more:
                raise Broken("the line ended")
            got = got + more if got else more
        return got
