"""Command sets against the rules (PS3.7 6.3, 9.3 and annex E) on associations that are in order."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from tests.faults import wire
from tests.faults.instances import Made, study_keys
from tests.faults.wire import (
    CONTEXTS,
    CT,
    ECHO,
    FIND,
    GET,
    MOVE,
    STORE,
    STUDY_FIND,
    STUDY_GET,
    STUDY_MOVE,
    VERIFICATION,
)
from tests.hostile.bombing import Case
from tests.hostile.victim import SECOND, TITLE

_REQUESTS: tuple[tuple[int, str], ...] = (
    (STORE, CT), (GET, STUDY_GET), (FIND, STUDY_FIND), (MOVE, STUDY_MOVE), (ECHO, VERIFICATION),
)  # fmt: skip
_NO_REQUESTS = (0x0000, 0x0002, 0x0022, 0x0100, 0x0110, 0x0120, 0x0130, 0x0140, 0x0150, 0x0FFF, 0x7FFF, 0xFFFF)
_MADE = Made(900, 1, 100)


def one(element: int, value: bytes) -> bytes:
    return struct.pack("<HHI", 0, element, len(value)) + value


def whole(body: bytes) -> bytes:
    """With its group length."""
    return one(0, struct.pack("<I", len(body))) + body


def usual(field: int, abstract: str, **changed: bytes | None) -> dict[int, bytes]:
    """The elements of a request, some changed (`e0100=b"..."`) or left out (None)."""
    elements: dict[int, bytes] = {
        0x0002: abstract.encode() + b"\0" * (len(abstract) & 1), 0x0100: struct.pack("<H", field),
        0x0110: b"\1\0", 0x0700: b"\0\0", 0x0800: b"\1\1" if field == ECHO else b"\1\0",
    }  # fmt: skip
    if field == STORE:
        elements[0x1000] = _MADE.uid.encode() + b"\0" * (len(_MADE.uid) & 1)
    if field == MOVE:
        elements[0x0600] = SECOND.encode()
    for name, value in changed.items():
        number = int(name[1:], 16)
        elements.pop(number, None)
        if value is not None:
            elements[number] = value
    return dict(sorted(elements.items()))


def body_of(elements: Mapping[int, bytes]) -> bytes:
    return b"".join(one(element, value) for element, value in elements.items())


def data_for(field: int) -> bytes:
    return b"" if field == ECHO else _MADE.data() if field == STORE else study_keys()


def message(abstract: str, command: bytes, data: bytes = b"") -> bytes:
    """Both parts of a message, as they are."""
    context = CONTEXTS[abstract]
    return wire.p_data(context, 3, command) + (wire.p_data(context, 2, data) if data else b"")


def stream(*messages: bytes) -> bytes:
    """An association with these messages, an echo to see that it is in step, and a release."""
    return wire.associate_rq(TITLE, "HOSTILE") + b"".join(messages) + wire.echo() + wire.RELEASE


def cases() -> Iterator[Case]:
    """Every one of them."""
    for field, abstract in _REQUESTS:
        for name, body in (*_elements(field, abstract), *_forms(field, abstract)):
            yield Case(f"{field:04X}: {name}", stream(message(abstract, whole(body), data_for(field))))
        for name, sent in _parts(field, abstract):
            yield Case(f"{field:04X}: {name}", stream(sent))
    for field in _NO_REQUESTS:
        for more in (b"", b"x" * 70_000):
            body = body_of(usual(field, VERIFICATION, e0800=b"\1\0" if more else b"\1\1"))
            yield Case(f"field {field:04X}, {len(more)}", stream(message(VERIFICATION, whole(body), more[:60_000])))
    for field, _ in _REQUESTS:
        body = body_of({**usual(field | 0x8000, CT, e0120=b"\1\0", e0900=b"\0\0", e0800=b"\1\1")})
        yield Case(f"a response {field:04X} nobody asked for", stream(message(CT, whole(body))))
        for other in CONTEXTS:
            body = body_of(usual(field, other))
            yield Case(f"{field:04X} in a context of {other}", stream(message(other, whole(body), data_for(field))))


def _elements(field: int, abstract: str) -> Iterator[tuple[str, bytes]]:
    given = usual(field, abstract)
    for element in given:
        name = f"e{element:04X}"
        for what, value in (
            ("missing", None), ("empty", b""), ("one byte", b"\1"), ("three bytes", b"\1\1\1"), ("long", bytes(8)),
            ("60 KB", b"1" * 60_000), ("ones", b"\xff" * 6), ("controls", b"\x1b[2J\n\r"), ("a path", b"../../etc/x"),
        ):  # fmt: skip
            yield f"({element:04X}) {what}", body_of(usual(field, abstract, **{name: value}))
        yield f"({element:04X}) doubled", body_of(given) + one(element, given[element])
    for element, value in ((0x0900, b"\0\0"), (0x0120, b"\7\0"), (0x0001, b"\0\0"), (0x5010, b"RETIRED ")):
        yield f"with ({element:04X})", body_of({**given, element: value})


def _forms(field: int, abstract: str) -> Iterator[tuple[str, bytes]]:
    given = body_of(usual(field, abstract))
    yield "a length over the end", given + struct.pack("<HHI", 0, 0x1031, 0xFFFF)
    yield "an undefined length", given + struct.pack("<HHI", 0, 0x1031, 0xFFFFFFFF)
    yield "another group", given + struct.pack("<HHI", 8, 5, 0)
    yield "half a head", given + b"\0\0\0"
    yield "backwards", b"".join(reversed([one(e, v) for e, v in usual(field, abstract).items()]))
    yield "5,000 elements", given + b"".join(one(0x2000 + number, b"") for number in range(5000))
    yield "nothing", b""
    yield "explicit", struct.pack("<HH2sH", 0, 2, b"UI", 4) + b"1.2\0"


def _parts(field: int, abstract: str) -> Iterator[tuple[str, bytes]]:
    context = CONTEXTS[abstract]
    command, data = whole(body_of(usual(field, abstract))), data_for(field) or b"1234"
    yield "a wrong group length", message(abstract, one(0, b"\xff\xff\xff\xff") + command[12:], data_for(field))
    yield "no group length", message(abstract, command[12:], data_for(field))
    yield "its data set never", wire.p_data(context, 3, command)
    yield "data before it", wire.p_data(context, 2, data) + wire.p_data(context, 3, command)
    yield "data in another context", wire.p_data(context, 3, command) + wire.p_data(context ^ 2, 2, data)
    yield "a command in its data", wire.p_data(context, 3, command) + wire.p_data(context, 1, command)
    yield "both in one PDU", wire.pdu(
        wire.P_DATA, b"".join(struct.pack(">IBB", len(part) + 2, context, control) + part
                              for part, control in ((command, 3), (data, 2))))  # fmt: skip
    yield (
        "over two commands",
        wire.p_data(context, 1, command[:20]) + wire.echo() + wire.p_data(context, 3, command[20:]),
    )
    yield "70,000 bytes of it", wire.p_data(context, 1, bytes(60_000)) + wire.p_data(context, 3, bytes(10_000))
    yield "a release inside it", wire.p_data(context, 1, command[:20]) + wire.RELEASE
    yield "an abort inside it", wire.p_data(context, 3, command) + wire.p_data(context, 0, data) + wire.ABORTED
    yield "a second one at once", message(abstract, command, data_for(field)) * 2
    yield "a cancel of it first", _cancel(context, 1) + message(abstract, command, data_for(field))
    yield "a cancel of another", message(abstract, command, data_for(field)) + _cancel(context, 77)
    yield "a cancel with data", _cancel(context, 1, b"\1\0") + wire.p_data(context, 2, b"12")


def _cancel(context: int, number: int, kind: bytes = b"\1\1") -> bytes:
    elements = {0x0100: b"\xff\x0f", 0x0120: struct.pack("<H", number), 0x0800: kind}
    return wire.p_data(context, 3, whole(body_of(elements)))
