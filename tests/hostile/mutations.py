"""Recorded streams, changed: at every byte, in every field of a PDU, and at random."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator

from tests.faults.wire import P_DATA
from tests.hostile.bombing import Case
from tests.hostile.traffic import Seed

_TYPES = (0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x47, 0xFF)
_LENGTHS = (0, 1, 3, 5, 6, 7, 0x0001_0000, 0x0002_0001, 0x0004_0001, 0x7FFF_FFFF, 0xFFFF_FFFF)
_PDV_LENGTHS = (0, 1, 2, 3, 5, 0xFFFF, 0x0001_FFFF, 0xFFFF_FFFF)
_CONTEXTS = (0, 2, 128, 129, 251, 254, 255)
_CONTROLS = (0, 1, 2, 3, 4, 7, 0x80, 0xFF)


def pdus(stream: bytes) -> list[bytes]:
    """The PDUs of a stream that is in order."""
    found, at = [], 0
    while at < len(stream):
        (length,) = struct.unpack_from(">I", stream, at + 2)
        found.append(stream[at : at + 6 + length])
        at += 6 + length
    return found


def cut(seed: Seed) -> Iterator[Case]:
    """Ended, and reset, after every byte; and all of it in segments of one byte."""
    for at in range(len(seed.data)):
        yield Case(f"{seed.name} cut at {at}", seed.data[:at])
        yield Case(f"{seed.name} reset at {at}", seed.data[:at], reset=True)
    yield Case(f"{seed.name} byte by byte", seed.data, segment=1)
    yield Case(f"{seed.name} seven by seven", seed.data, segment=7)


def fields(seed: Seed) -> Iterator[Case]:
    """Every field of the first PDU of each type, with the values nobody expects."""
    parts = pdus(seed.data)
    first = {part[0]: number for number, part in reversed([*enumerate(parts)])}
    for kind, number in first.items():
        part, name = parts[number], f"{seed.name} PDU {kind}"
        changed = [(f"type {value}", bytes((value,)) + part[1:]) for value in _TYPES if value != kind]
        near = (len(part) - 7, len(part) - 5)
        changed += [(f"length {n}", part[:2] + struct.pack(">I", n) + part[6:]) for n in (*_LENGTHS, *near)]
        if kind == P_DATA:
            changed += _pdv_fields(part)
        for what, other in changed:
            yield Case(f"{name} {what}", b"".join((*parts[:number], other, *parts[number + 1 :])))


def _pdv_fields(part: bytes) -> Iterator[tuple[str, bytes]]:
    for length in (*_PDV_LENGTHS, len(part) - 9, len(part) - 11):
        yield f"PDV length {length}", part[:6] + struct.pack(">I", length) + part[10:]
    for context in _CONTEXTS:
        yield f"context {context}", part[:10] + bytes((context,)) + part[11:]
    for control in _CONTROLS:
        yield f"control {control}", part[:11] + bytes((control,)) + part[12:]
    yield "no PDV", struct.pack(">BBI", P_DATA, 0, 0)
    yield "no PDV, ten times", struct.pack(">BBI", P_DATA, 0, 0) * 10
    yield "an empty PDV", struct.pack(">BBIIBB", P_DATA, 0, 6, 2, part[10], part[11])
    yield "empty PDVs first", struct.pack(">BBIIBB", P_DATA, 0, 6, 2, part[10], part[11] & 1) * 1000 + part
    yield "odd fragments", b"".join(_fragments(part, 7))


def _fragments(part: bytes, size: int) -> Iterator[bytes]:
    data, context, control = part[12:], part[10], part[11]
    for at in range(0, len(data), size):
        piece = data[at : at + size]
        last = control if at + size >= len(data) else control & 1
        yield struct.pack(">BBIIBB", P_DATA, 0, len(piece) + 6, len(piece) + 2, context, last) + piece


def orders(seed: Seed) -> Iterator[Case]:
    """PDUs left out, doubled, and in other orders."""
    parts = pdus(seed.data)
    for number in range(min(len(parts), 8)):
        before, this, after = parts[:number], parts[number], parts[number + 1 :]
        yield Case(f"{seed.name} without PDU {number}", b"".join((*before, *after)))
        yield Case(f"{seed.name} PDU {number} doubled", b"".join((*before, this, this, *after)))
        yield Case(f"{seed.name} PDU {number} last", b"".join((*before, *after, this)))
        yield Case(f"{seed.name} PDU {number} a hundred times", b"".join((*before, *[this] * 100, *after)))
    yield Case(f"{seed.name} backwards", b"".join(reversed(parts)))
    yield Case(f"{seed.name} twice", seed.data * 2)


def noise(seeds: list[Seed], rng: random.Random, count: int) -> Iterator[Case]:
    """Bytes changed, put in, taken out or copied anywhere, of a random recorded stream."""
    for number in range(count):
        seed = rng.choice(seeds)
        # the head of a stream is where structure is
        reach = min(len(seed.data), rng.choice((300, 1000, len(seed.data))))
        data = bytearray(seed.data)
        for _ in range(rng.choice((1, 1, 2, 4, 16))):
            at = rng.randrange(reach)
            length = rng.choice((1, 1, 2, 4, 64))
            change = rng.randrange(4)
            if change == 0:
                data[at : at + length] = rng.randbytes(length)
            elif change == 1:
                data[at:at] = rng.randbytes(length)
            elif change == 2:
                del data[at : at + length]
            else:
                data[at : at + length] = rng.choice((b"\0", b"\xff")) * length
        yield Case(f"{seed.name} noise {number}", bytes(data))
