"""C-STORE of what is none, or not what was announced (PS3.4 B.2)."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterator

from pydicom.uid import DeflatedExplicitVRLittleEndian

from tests.dimse.test_dataset import bundled
from tests.faults import wire
from tests.faults.instances import Made, data_set, element
from tests.faults.wire import CT, EXPLICIT, IMPLICIT, STORE
from tests.hostile.associations import APPLICATION, context, request, user
from tests.hostile.bombing import Case
from tests.hostile.commands import body_of, usual, whole
from tests.hostile.identifiers import BIG_ENDIAN, CHARSETS, implicit, item_head, long_head

_DEFLATED = str(DeflatedExplicitVRLittleEndian)
_FRAGMENT = 100_000
_UNDEFINED = 0xFFFFFFFF


def sent(instance: bytes, data: bytes, syntax: str = EXPLICIT, sop_class: bytes = CT.encode()) -> bytes:
    """An association that stores this and releases."""
    contexts = context(1, CT.encode(), syntax.encode()) + context(3, wire.VERIFICATION.encode(), IMPLICIT.encode())
    elements = usual(STORE, CT, e1000=instance + b"\0" * (len(instance) & 1))
    elements[0x0002] = sop_class + b"\0" * (len(sop_class) & 1)
    command = wire.p_data(1, 3, whole(body_of(elements)))
    parts = [data[at : at + _FRAGMENT] for at in range(0, len(data), _FRAGMENT)] or [b""]
    body = b"".join(wire.p_data(1, 2 if n == len(parts) - 1 else 0, part) for n, part in enumerate(parts))
    return request(APPLICATION + contexts + user()) + command + body + wire.echo() + wire.RELEASE


def cases(rng: random.Random) -> Iterator[Case]:
    """Every one of them."""
    made = Made(901, 0, 64)
    whole_set, uid = made.data(), made.uid.encode()
    for at in range(0, len(whole_set), 5):
        yield Case(f"C-STORE cut at {at}", sent(uid + b".%d" % at, whole_set[:at]))
    for name, data in _heads(made):
        for syntax in (EXPLICIT, IMPLICIT, BIG_ENDIAN):
            yield Case(f"C-STORE {syntax}: {name}", sent(uid, data, syntax))
    for name, data in _bombs(whole_set):
        yield Case(f"C-STORE deflated: {name}", sent(uid, data, _DEFLATED))
    for name, instance, data in _uids(made):
        yield Case(f"C-STORE {name}", sent(instance, data))
    head = bundled("CT_small.dcm").read_bytes()[:2000]
    for number in range(100):
        changed = bytearray(head[132 + 12 :] if number % 2 else whole_set)
        for _ in range(8):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        yield Case(f"C-STORE noise {number}", sent(uid, bytes(changed)))


def _heads(made: Made) -> Iterator[tuple[str, bytes]]:
    good = made.data()
    uids = data_set(((0x00080016, b"UI", CT), (0x00080018, b"UI", made.uid)))
    sequence = long_head(0x00081115, b"SQ", _UNDEFINED)
    yield "nested 10,000 deep", uids + (sequence + item_head()) * 10_000
    unknown = long_head(0x00081115, b"UN", _UNDEFINED)
    yield "nested in an unknown", uids + unknown + (implicit(0x00081115, b"", _UNDEFINED) + item_head()) * 16_000
    yield "30,000 items", uids + long_head(0x00081115, b"SQ", 240_000) + item_head(0) * 30_000
    requests = long_head(0x00400275, b"SQ", 64_000) + item_head(0) * 8000
    yield "8,000 requests", good[: good.index(b"\xe0\x7f\x10\x00")] + requests
    yield "a head that does not end", uids + long_head(0x00080070, b"UN", 0x7FFFFF00) + bytes(400_000)
    yield "zeros", bytes(10_000)
    yield "ones", b"\xff" * 10_000
    yield "a group length alone", element(0x00080000, b"UL", b"\xff\xff\xff\xff")
    yield "behind itself", good + good
    for charset in CHARSETS:
        named = element(0x00080005, b"CS", charset.encode())
        yield f"charset {charset[:20]!r}", named + good + element(0x00100010, b"PN", b"\\ud800\xff\x1b$B;3")


def _bombs(good: bytes) -> Iterator[tuple[str, bytes]]:
    def deflated(data: bytes) -> bytes:
        packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        return packer.compress(data) + packer.flush()

    yield "a bomb", deflated(good[:200] + element(0x00081115, b"UN", bytes(1)) + bytes(200_000_000))
    yield "a bomb of items", deflated(long_head(0x00081115, b"SQ", _UNDEFINED) + item_head(0) * 10_000_000)
    yield "no deflate", good
    yield "cut", deflated(good)[:50]
    yield "empty", deflated(b"")


def _uids(made: Made) -> Iterator[tuple[str, bytes, bytes]]:
    good = made.data()
    for name, uid in (
        ("a NUL", b"1.2\0.3"), ("a path", b"../../../tmp/x"), ("a root", b"/etc/passwd"), ("too long", b"1." * 40),
        ("60 KB", b"1.2" * 20_000), ("a letter", b"1.2.a"), ("dots", b"1..2"), ("empty", b""), ("blank", b" "),
        ("digits of others", "1.٢.3".encode()), ("a newline", b"1.2\n"), ("two", b"1.2\\1.3"), ("other", b"1.2.3.4"),
    ):  # fmt: skip
        yield f"announced as {name}", uid, good
        changed = element(0x00080016, b"UI", CT.encode())
        changed += element(0x00080018, b"UI", uid) if len(uid) < 60_000 else b""
        yield f"holding {name}", made.uid.encode(), changed + good[len(changed) :]
        study = good.replace(element(0x0020000D, b"UI", made.study.encode()), element(0x0020000D, b"UI", uid[:1000]))
        yield f"of a study {name}", made.uid.encode(), study
    other = data_set(((0x00080016, b"UI", "1.2.840.10008.5.1.4.1.1.4"), (0x00080018, b"UI", made.uid)))
    yield "of another class", made.uid.encode(), other + good[len(other) :]
    yield "twice, differently", made.uid.encode(), good + struct.pack("<HH2sHI", 0x7FE1, 0x10, b"OB", 0, 0)
