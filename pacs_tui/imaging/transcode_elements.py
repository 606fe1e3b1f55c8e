"""A data set from one encoding into another, value by value and byte for byte (PS3.5 7 and annex A).

Nothing is interpreted that need not be: text stays as it is, whatever its character set, and what a private element
holds is not known to us. Only heads change, and the order of the bytes in numbers where the byte order does.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from pydicom.datadict import dictionary_VR

from pacs_tui.errors import PictureError

PIXELS = frozenset((0x7FE00008, 0x7FE00009, 0x7FE00010))
UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_PHOTOMETRIC, _PLANAR, _BITS, _REPRESENTATION = 0x00280004, 0x00280006, 0x00280100, 0x00280103
_DEPTH = 64
_LONG = frozenset(
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)  # fmt: skip
_SHORT = frozenset(
    (b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS",
     b"ST", b"TM", b"UI", b"UL", b"US")
)  # fmt: skip
WIDTHS = {
    b"AT": 2, b"OW": 2, b"SS": 2, b"US": 2, b"FL": 4, b"OF": 4, b"OL": 4, b"SL": 4, b"UL": 4,
    b"FD": 8, b"OD": 8, b"OV": 8, b"SV": 8, b"UV": 8,
}  # fmt: skip
"""Bytes of the numbers in a value; what is not here is not made of numbers."""

Data = bytes | mmap.mmap
"""A data set, in memory or mapped; slices of it are bytes."""


class Encoding(NamedTuple):
    """How a transfer syntax writes elements."""

    explicit: bool
    little: bool = True

    @property
    def order(self) -> str:
        return "<" if self.little else ">"


class Head(NamedTuple):
    """What stands before a value, and where the value is."""

    tag: int
    vr: bytes
    """Empty where the encoding is implicit."""
    length: int
    value: int


class Damaged(PictureError):
    """The data set cannot be read as its transfer syntax says."""

    def __init__(self, what: str) -> None:
        super().__init__(f"The data set is damaged: {what}.")


def read_head(data: Data, at: int, encoding: Encoding) -> Head:
    """The element that begins at `at`; Damaged where none can."""
    try:
        if not encoding.explicit:
            group, number, length = struct.unpack_from(encoding.order + "HHI", data, at)
            return Head(group << 16 | number, b"", length, at + 8)
        group, number, vr, short = struct.unpack_from(encoding.order + "HH2sH", data, at)
        tag = group << 16 | number
        if group == 0xFFFE:
            # items and delimiters have no VR (PS3.5 7.5)
            (length,) = struct.unpack_from(encoding.order + "I", data, at + 4)
            return Head(tag, b"", length, at + 8)
        if vr in _SHORT:
            return Head(tag, vr, short, at + 8)
        if vr not in _LONG:
            raise Damaged(f"{_name(tag)} has the VR {vr!r}")
        (length,) = struct.unpack_from(encoding.order + "I", data, at + 8)
        return Head(tag, vr, length, at + 12)
    except struct.error:
        raise Damaged(f"it ends in the middle of an element, at byte {at}") from None


def encode(tag: int, vr: bytes, value: bytes, target: Encoding) -> bytes:
    """An element with a value that is in the target's byte order already."""
    return encode_head(tag, vr, len(value), target) + value


def encode_head(tag: int, vr: bytes, length: int, target: Encoding) -> bytes:
    """What stands before a value of this length."""
    group, number = tag >> 16, tag & 0xFFFF
    if not target.explicit:
        return struct.pack(target.order + "HHI", group, number, length)
    if vr not in _LONG:
        if length <= 0xFFFF:
            return struct.pack(target.order + "HH2sH", group, number, vr, length)
        # too long for a VR whose length has 16 bits (PS3.5 6.2.2)
        vr = b"UN"
    return struct.pack(target.order + "HH2sHI", group, number, vr, 0, length)


def swapped(value: bytes, width: int) -> bytes:
    """Numbers of `width` bytes in the other byte order."""
    if width == 1:
        return value
    whole = len(value) // width * width
    numbers = np.frombuffer(value, f"u{width}", whole // width)
    return numbers.byteswap().tobytes() + value[whole:]


@dataclass(slots=True)
class _Scope:
    """What an element needs to know of the data set it is in."""

    signed: bool = False
    """PixelRepresentation, by which the VR of some elements goes."""
    bits: int = 16
    """BitsAllocated."""


class Rewriter:
    """Rewrites a data set; `icon` turns the bytes of an item with encapsulated pixel data into native ones."""

    def __init__(
        self, data: Data, source: Encoding, target: Encoding,
        icon: Callable[[bytes], tuple[bytes, str]] | None = None,
    ) -> None:  # fmt: skip
        self._data = data
        self._source = source
        self._target = target
        self._icon = icon
        self._scope = _Scope()

    @property
    def bits_allocated(self) -> int:
        """Of the pixel data, once the elements before it were rewritten."""
        return self._scope.bits

    def top(self, at: int) -> tuple[dict[int, bytes], Head | None]:
        """The elements from `at` to the pixel data or the end, by tag, and the head of the pixel data."""
        elements: dict[int, bytes] = {}
        size = len(self._data)
        while at < size:
            head = read_head(self._data, at, self._source)
            if head.tag in PIXELS:
                return elements, head
            at = self._element(head, self._source, self._scope, elements, 0)
        return elements, None

    def _element(self, head: Head, source: Encoding, scope: _Scope, out: dict[int, bytes], depth: int) -> int:
        """Encode one element anew; where the next begins."""
        tag, _, length, value = head
        vr = head.vr or _dictionary_vr(tag, scope.signed)
        if length == UNDEFINED or vr == b"SQ":
            # UN of undefined length is a sequence in implicit VR, whatever surrounds it (PS3.5 6.2.2 note 2).
            inner = Encoding(False) if vr == b"UN" and source.explicit else source
            body, end = self._sequence(value, length, inner, scope, depth + 1)
            out[tag] = encode_head(tag, b"SQ", UNDEFINED if length == UNDEFINED else len(body), self._target) + body
            return end
        end = value + length
        if end > len(self._data):
            raise Damaged(f"{_name(tag)} is longer than what is left")
        raw = self._data[value:end]
        if length == 2 and tag in (_REPRESENTATION, _BITS):
            number = int.from_bytes(raw, "little" if source.little else "big")
            if tag == _BITS:
                scope.bits = number
            else:
                scope.signed = number == 1
        if source.little != self._target.little:
            raw = swapped(raw, WIDTHS.get(vr, 1))
        # Group lengths are retired, and would be wrong now (PS3.5 7.2).
        if tag & 0xFFFF:
            out[tag] = encode(tag, vr, raw, self._target)
        return end

    def _sequence(self, at: int, length: int, source: Encoding, scope: _Scope, depth: int) -> tuple[bytes, int]:
        """Items, with their delimiter where the length is undefined; and where the next element begins."""
        if depth > _DEPTH:
            raise Damaged(f"sequences are nested more than {_DEPTH} deep")
        parts: list[bytes] = []
        end = None if length == UNDEFINED else at + length
        while end is None or at < end:
            head = read_head(self._data, at, source)
            if head.tag == _SEQUENCE_END and end is None:
                parts.append(self._delimiter(_SEQUENCE_END))
                return b"".join(parts), head.value
            if head.tag != _ITEM:
                raise Damaged(f"{_name(head.tag)} stands where an item belongs")
            body, at = self._item(head, source, scope, depth)
            undefined = head.length == UNDEFINED
            parts += (encode_head(_ITEM, b"", UNDEFINED if undefined else len(body), self._plain), body)
            if undefined:
                parts.append(self._delimiter(_ITEM_END))
        if at != end:
            raise Damaged("an item is longer than its sequence")
        return b"".join(parts), at

    @property
    def _plain(self) -> Encoding:
        """Items and delimiters have no VR in any encoding."""
        return Encoding(False, self._target.little)

    def _delimiter(self, tag: int) -> bytes:
        return encode_head(tag, b"", 0, self._plain)

    def _item(self, item: Head, source: Encoding, scope: _Scope, depth: int) -> tuple[bytes, int]:
        at, inner = item.value, _Scope(scope.signed)
        end = None if item.length == UNDEFINED else at + item.length
        elements: dict[int, bytes] = {}
        encapsulated = False
        stop = at
        while end is None or at < end:
            head = read_head(self._data, at, source)
            stop = at
            if head.tag == _ITEM_END and end is None:
                at = head.value
                break
            if head.tag in PIXELS and head.length == UNDEFINED:
                encapsulated, at = True, end_of_fragments(self._data, head.value)
            else:
                at = self._element(head, source, inner, elements, depth)
            stop = at
        if end is not None and at != end:
            raise Damaged("an element is longer than its item")
        if encapsulated:
            self._native(elements, self._data[item.value : stop])
        return joined(elements), at

    def _native(self, elements: dict[int, bytes], item: bytes) -> None:
        """Put the decoded pixels of an icon into its item."""
        if self._icon is None:
            raise Damaged("there is compressed pixel data in a sequence")
        pixels, photometric = self._icon(item)
        target = self._target
        elements[_PHOTOMETRIC] = encode(_PHOTOMETRIC, b"CS", even(photometric.encode("ascii"), b" "), target)
        if _PLANAR in elements:
            elements[_PLANAR] = encode(_PLANAR, b"US", b"\0\0", target)
        elements[0x7FE00010] = encode(0x7FE00010, b"OB" if target.explicit else b"OW", even(pixels), target)


def joined(elements: Mapping[int, bytes]) -> bytes:
    """A data set of these elements, in the order of their tags."""
    return b"".join(element for _, element in sorted(elements.items()))


def even(value: bytes, padding: bytes = b"\0") -> bytes:
    """A value of even length (PS3.5 6.2)."""
    return value + padding * (len(value) & 1)


def end_of_fragments(data: Data, at: int) -> int:
    """Where the element after encapsulated pixel data begins (PS3.5 A.4); `at` is the first item's place."""
    little = Encoding(False)
    while True:
        head = read_head(data, at, little)
        if head.tag == _SEQUENCE_END:
            return head.value
        if head.tag != _ITEM or head.length == UNDEFINED:
            raise Damaged("its compressed pixel data has no end")
        at = head.value + head.length


def _dictionary_vr(tag: int, signed: bool) -> bytes:
    """The VR of an element that came without one; of several, that which its data set means."""
    if tag >> 16 & 1:
        # private: its creator is known by its place, the rest by nobody (PS3.5 7.8)
        return b"LO" if 0x10 <= tag & 0xFFFF <= 0xFF else b"UN"
    if not tag & 0xFFFF:
        return b"UL"
    try:
        vr = str(dictionary_VR(tag))
    except KeyError:
        return b"UN"
    if "OW" in vr:
        return b"OW"
    if "SS" in vr:
        return b"SS" if signed else b"US"
    return vr[:2].encode("ascii")


def _name(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
