"""A C-FIND server that is never the limit: its rows are encoded before anybody asks. `python -m bench.canned ROWS`.

It answers every query with all of its rows, in implicit VR little endian, command and identifier in a PDU each, as
DCMTK's archives do. It believes what it is sent; only a benchmark may.
"""

from __future__ import annotations

import socket
import struct
import sys
import threading
from collections.abc import Iterator, Sequence

from bench.corpus import Population, Study

_IMPLICIT = b"1.2.840.10008.1.2"
_STUDY_FIND = b"1.2.840.10008.5.1.4.1.2.2.1\0"
_APPLICATION = b"1.2.840.10008.3.1.1.1"
_AT_ONCE = 500
"""Rows of one write."""


def serve(rows: int) -> None:
    """Print the port, answer until standard input ends."""
    encoded = [_identifier(Population(rows).study(index)) for index in range(rows)]
    assert len({len(row) for row in encoded}) == 1, "one prefix serves all rows"
    listening = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_accept, args=(listening, encoded), daemon=True).start()
    print(listening.getsockname()[1], flush=True)
    sys.stdin.read()


def _accept(listening: socket.socket, rows: Sequence[bytes]) -> None:
    while True:
        connection, _ = listening.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_answer, args=(connection, rows), daemon=True).start()


def _answer(connection: socket.socket, rows: Sequence[bytes]) -> None:
    """One association: an identifier that is complete is answered, whatever it says."""
    number = 0
    with connection, connection.makefile("rb") as stream:
        while len(head := stream.read(6)) == 6:
            kind, length = head[0], struct.unpack_from(">I", head, 2)[0]
            body = stream.read(length)
            if kind == 1:
                connection.sendall(_accepted(body))
            elif kind == 5:
                connection.sendall(struct.pack(">BxI4x", 6, 4))
            elif kind == 7:
                return
            elif kind == 4:
                for context, control, data in _fragments(body):
                    if control & 1:
                        number = _message_id(data)
                    elif control & 2:
                        for piece in _responses(context, number, rows):
                            connection.sendall(piece)


def _accepted(request: bytes) -> bytes:
    """The A-ASSOCIATE-AC that takes every context with implicit VR (PS3.8 9.3.3)."""
    items = _item(0x10, _APPLICATION)
    at = 68
    while at + 4 <= len(request):
        kind, length = struct.unpack_from(">BxH", request, at)
        if kind == 0x20:
            items += _item(0x21, bytes([request[at + 4], 0, 0, 0]) + _item(0x40, _IMPLICIT))
        at += 4 + length
    items += _item(0x50, _item(0x51, struct.pack(">I", 131072)) + _item(0x52, b"1.2.826.0.1.3680043.8.498.77.1"))
    body = b"\0\1\0\0" + request[4:68] + items
    return struct.pack(">BxI", 2, len(body)) + body


def _item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(body)) + body


def _fragments(body: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Context, message control header and data of every PDV (PS3.8 9.3.5.1)."""
    at = 0
    while at + 6 <= len(body):
        length, context, control = struct.unpack_from(">IBB", body, at)
        yield context, control, body[at + 6 : at + 4 + length]
        at += 4 + length


def _message_id(command: bytes) -> int:
    at = command.index(struct.pack("<HHI", 0, 0x0110, 2))
    return int.from_bytes(command[at + 8 : at + 10], "little")


def _responses(context: int, number: int, rows: Sequence[bytes]) -> Iterator[bytes]:
    """All C-FIND-RSPs: pending ones, then Success (PS3.7 9.3.2.2)."""
    prefix = _pdu(context, 3, _command(number, 0xFF00, 0x0001)) + _pdu(context, 2, b"", len(rows[0]))
    for at in range(0, len(rows), _AT_ONCE):
        yield prefix + prefix.join(rows[at : at + _AT_ONCE])
    yield _pdu(context, 3, _command(number, 0x0000, 0x0101))


def _pdu(context: int, control: int, data: bytes, follows: int = 0) -> bytes:
    length = len(data) + follows + 2
    return struct.pack(">BxIIBB", 4, length + 4, length, context, control) + data


def _command(number: int, status: int, data_set: int) -> bytes:
    elements = _element(0, 0x0002, _STUDY_FIND) + b"".join(
        _element(0, element, struct.pack("<H", value))
        for element, value in ((0x0100, 0x8020), (0x0120, number), (0x0800, data_set), (0x0900, status))
    )
    return _element(0, 0x0000, struct.pack("<I", len(elements))) + elements


def _element(group: int, element: int, value: bytes, padding: bytes = b" ") -> bytes:
    value += padding * (len(value) & 1)
    return struct.pack("<HHI", group, element, len(value)) + value


def _identifier(study: Study) -> bytes:
    """A row of a study: the attributes the console asks for."""
    values = (
        (0x0008, 0x0020, study.day), (0x0008, 0x0030, "101112"), (0x0008, 0x0050, study.accession),
        (0x0008, 0x0052, "STUDY"), (0x0008, 0x0061, study.modality), (0x0008, 0x0080, "Synthetic General"),
        (0x0008, 0x0090, "FAMILY^DOCTOR"), (0x0008, 0x1030, "CHEST WITH CONTRAST"), (0x0010, 0x0010, study.name),
        (0x0010, 0x0020, study.patient_id), (0x0010, 0x0030, "19600214"), (0x0010, 0x0040, "F"),
        (0x0020, 0x000D, study.uid), (0x0020, 0x0010, str(study.number)), (0x0020, 0x1206, "2"),
        (0x0020, 0x1208, "10"),
    )  # fmt: skip
    return b"".join(
        _element(group, element, text.encode(), b"\0" if element == 0x000D else b" ") for group, element, text in values
    )


if __name__ == "__main__":
    serve(int(sys.argv[1]))
