"""Instances by number: the same number is the same data set in every process, byte for byte."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.faults.wire import CT, EXPLICIT

ROOT = "1.2.826.0.1.3680043.8.498.55"
PER_SERIES, SERIES_PER_STUDY = 20, 2
_LONG = (b"OB", b"OW", b"SQ", b"UN", b"UT")


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    """One element in Explicit VR Little Endian (PS3.5 7.1.2), padded to even length."""
    if len(value) & 1:
        value += b"\0" if vr in (b"UI", b"OB") else b" "
    group, number = tag >> 16, tag & 0xFFFF
    if vr in _LONG:
        return struct.pack("<HH2sHI", group, number, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", group, number, vr, len(value)) + value


def data_set(values: Iterable[tuple[int, bytes, str]]) -> bytes:
    """Elements of text, in the order given."""
    return b"".join(element(tag, vr, value.encode("ascii")) for tag, vr, value in values)


@dataclass(frozen=True, slots=True)
class Made:
    """One instance that can be made again at any time."""

    sender: int
    number: int
    pixels: int
    """Bytes of its pixel data."""

    @property
    def study(self) -> str:
        return f"{ROOT}.{self.sender}.{self.number // (PER_SERIES * SERIES_PER_STUDY)}"

    @property
    def series(self) -> str:
        return f"{self.study}.{self.number // PER_SERIES % SERIES_PER_STUDY}"

    @property
    def uid(self) -> str:
        return f"{self.series}.{self.number % PER_SERIES}"

    def data(self) -> bytes:
        """The data set."""
        noise = random.Random(f"{self.sender} {self.number}").randbytes(self.pixels)
        return data_set((
            (0x00080016, b"UI", CT), (0x00080018, b"UI", self.uid), (0x00080020, b"DA", "20261120"),
            (0x00080060, b"CS", "CT"), (0x00100010, b"PN", f"FAULT^NUMBER{self.sender}"),
            (0x00100020, b"LO", f"FAULTS{self.sender}"), (0x0020000D, b"UI", self.study),
            (0x0020000E, b"UI", self.series), (0x00200011, b"IS", str(self.number // PER_SERIES % SERIES_PER_STUDY)),
            (0x00200013, b"IS", str(self.number % PER_SERIES)),
        )) + element(0x7FE00010, b"OW", noise)  # fmt: skip


def study_keys() -> bytes:
    """Every study, with what it counts."""
    return data_set((
        (0x00080052, b"CS", "STUDY"), (0x0020000D, b"UI", ""), (0x00201206, b"IS", ""), (0x00201208, b"IS", ""),
    ))  # fmt: skip


def series_keys(study: str) -> bytes:
    return data_set((
        (0x00080052, b"CS", "SERIES"), (0x0020000D, b"UI", study), (0x0020000E, b"UI", ""), (0x00201209, b"IS", ""),
    ))  # fmt: skip


def image_keys(study: str, series: str, instance: str = "") -> bytes:
    return data_set((
        (0x00080018, b"UI", instance), (0x00080052, b"CS", "IMAGE"), (0x0020000D, b"UI", study),
        (0x0020000E, b"UI", series),
    ))  # fmt: skip


def study_target(study: str) -> bytes:
    """What a C-GET or C-MOVE of one study names."""
    return data_set(((0x00080052, b"CS", "STUDY"), (0x0020000D, b"UI", study)))


def parse(identifier: bytes) -> dict[int, str]:
    """Tag to text of a flat identifier in Explicit VR Little Endian."""
    return {tag: value.decode("latin-1").strip(" \0") for tag, value in _elements(identifier)}


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        group, number, vr, length = struct.unpack_from("<HH2sH", data, at)
        at += 8
        if vr in _LONG:
            (length,) = struct.unpack_from("<I", data, at)
            at += 4
        yield group << 16 | number, data[at : at + length]
        at += length


SYNTAX = EXPLICIT
"""The transfer syntax of all of them."""
