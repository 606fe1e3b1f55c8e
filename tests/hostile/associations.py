"""A-ASSOCIATE-RQ against the rules (PS3.8 9.3.2, PS3.7 annex D), each followed by an echo and a release."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from tests.faults import wire
from tests.faults.wire import CT, EXPLICIT, IMPLICIT, STUDY_FIND, VERIFICATION, item
from tests.hostile.bombing import Case
from tests.hostile.victim import TITLE

APPLICATION = item(0x10, b"1.2.840.10008.3.1.1.1")
LENGTH = item(0x51, struct.pack(">I", 16384))
IMPLEMENTATION = item(0x52, b"1.2.3")


def context(number: int, abstract: bytes, *syntaxes: bytes) -> bytes:
    names = b"".join(item(0x40, each) for each in syntaxes)
    return item(0x20, bytes((number, 0, 0, 0)) + item(0x30, abstract) + names)


ECHO = context(3, VERIFICATION.encode(), IMPLICIT.encode())


def request(
    items: bytes, called: bytes = TITLE.encode(), calling: bytes = b"HOSTILE", version: int = 1
) -> bytes:  # fmt: skip
    """The PDU, whatever stands in it."""
    fixed = struct.pack(">HH16s16s32s", version, 0, called.ljust(16), calling.ljust(16), b"")
    return wire.pdu(wire.ASSOCIATE_RQ, fixed + items)


def user(*more: bytes) -> bytes:
    return item(0x50, b"".join((LENGTH, IMPLEMENTATION, *more)))


def cases() -> Iterator[Case]:
    """Every one of them."""
    for name, data in (*_titles(), *_items(), *_contexts(), *_users()):
        yield Case(f"A-ASSOCIATE-RQ: {name}", data + wire.echo() + wire.RELEASE)


def _titles() -> Iterator[tuple[str, bytes]]:
    good = APPLICATION + ECHO + user()
    for title in (b" " * 16, bytes(16), b"\x1b[2J", b"A\\B", b"\xc4RCHIV", b"\xff" * 16, b"A\nB", b"NOBODY", b"\t"):
        yield f"called {title!r}", request(good, called=title)
        yield f"calling {title!r}", request(good, calling=title)
    for version in (0, 2, 3, 0x8000, 0xFFFF):
        yield f"version {version}", request(good, version=version)
    yield "no items", request(b"")
    yield "too short for titles", wire.pdu(wire.ASSOCIATE_RQ, b"\0\1")
    yield "nothing", wire.pdu(wire.ASSOCIATE_RQ, b"")


def _items() -> Iterator[tuple[str, bytes]]:
    good = APPLICATION + ECHO + user()
    for kind in (0x00, 0x11, 0x21, 0x30, 0x40, 0x51, 0x60, 0xFF):
        yield f"an item {kind:02X}", request(good + item(kind, b"1.2.3"))
        yield f"an empty item {kind:02X}", request(item(kind, b"") + good)
    yield "an item of 64 KiB", request(good + item(0x10, b"1" * 65535))
    yield "a user item of 64 KiB", request(APPLICATION + ECHO + item(0x50, LENGTH + item(0x55, b"x" * 65_000)))
    yield "60,000 items", request(good + item(0x99, b"") * 60_000)
    yield "20,000 application contexts", request(APPLICATION + item(0x10, b"1.2.3") * 20_000 + good)
    yield "other application", request(item(0x10, b"1.2.3.4") + ECHO + user())
    yield "no application", request(ECHO + user())
    yield "no user information", request(APPLICATION + ECHO)
    yield "no contexts", request(APPLICATION + user())
    yield "an item over the end", request(good + b"\x20\0\xff\xff1.2")
    yield "half a head", request(good + b"\x20\0")
    yield "over the cap", request(good + bytes(1 << 18))


def _contexts() -> Iterator[tuple[str, bytes]]:
    verification, implicit = VERIFICATION.encode(), IMPLICIT.encode()
    for number in (0, 2, 128, 129, 255):
        yield f"context {number}", request(APPLICATION + context(number, verification, implicit) + user())
    for count in (2, 128, 200, 5000):
        same = context(3, verification, implicit)
        yield f"{count} contexts of one number", request(APPLICATION + same * count + user())
        many = b"".join(context((2 * n + 1) % 256, verification, implicit) for n in range(count))
        yield f"{count} contexts", request(APPLICATION + many + user())
    for abstract in (b"", b" ", b"\0", b"1" * 65, b"1.2.3/../../etc", b"\xff\xfe", b"1..2", b"x" * 60_000):
        found = context(3, abstract, implicit)
        yield f"abstract syntax {abstract[:20]!r}", request(APPLICATION + found + user())
        found = context(3, STUDY_FIND.encode(), abstract)
        yield f"transfer syntax {abstract[:20]!r}", request(APPLICATION + found + ECHO + user())
    yield "no transfer syntax", request(APPLICATION + context(3, verification) + user())
    yield "no syntaxes", request(APPLICATION + item(0x20, b"\3\0\0\0") + user())
    yield "an empty context", request(APPLICATION + item(0x20, b"") + user())
    several = [f"1.2.826.0.1.{number}".encode() for number in range(2500)]
    yield "2,500 transfer syntaxes", request(APPLICATION + context(1, CT.encode(), *several) + ECHO + user())


def _users() -> Iterator[tuple[str, bytes]]:
    uid = VERIFICATION.encode()
    named = struct.pack(">H", len(uid)) + uid
    role = item(0x54, named + b"\1\1")
    extended = item(0x56, named + b"\1\1\1")
    find = STUDY_FIND.encode()
    query = item(0x56, struct.pack(">H", len(find)) + find + b"\1\1\1")
    tried: Sequence[tuple[str, bytes]] = (
        ("a role twice", role * 2), ("2,000 roles", role * 2000), ("extended twice", query * 2),
        ("2,000 extended", extended * 2000), ("a role over the end", item(0x54, b"\xff\xff1.2")),
        ("an empty role", item(0x54, b"")), ("an empty extension", item(0x56, b"")),
        ("half a window", item(0x53, b"\0")), ("a window", item(0x53, bytes(4))),
        ("no identity", item(0x58, b"")), ("identity 9", item(0x58, b"\x09\1\0\1a\0\1b")),
        ("a long identity", item(0x58, b"\2\1\xff\xff" + b"a" * 60_000)), ("an unknown one", item(0x5F, b"abc")),
        ("two lengths", LENGTH), ("a short length", item(0x51, b"\0\1")), ("a version of 100", item(0x55, b"V" * 100)),
        ("a version that is none", item(0x55, b"\xff\x00\x1b")),
    )  # fmt: skip
    for name, more in tried:
        both = APPLICATION + ECHO + context(5, find, EXPLICIT.encode())
        yield name, request(both + item(0x50, LENGTH + IMPLEMENTATION + more))
    for length in (1, 7, 63, 64, 511, 0x7FFFFFFF, 0xFFFFFFFF):
        small = item(0x50, item(0x51, struct.pack(">I", length)) + IMPLEMENTATION)
        yield f"maximum length {length}", request(APPLICATION + ECHO + small)
