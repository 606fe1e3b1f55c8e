"""A scanner for the head of a data set: top-level elements as bytes, nothing decoded (PS3.5 7.1).

Implicit and explicit VR, little endian; sequences are stepped over. Whatever it does not understand raises Unusual,
and the caller hands the bytes to pydicom.
"""

from __future__ import annotations

import struct

from pydicom.datadict import dictionary_VR

Raw = dict[int, tuple[bytes, bytes]]
"""Tag 0xGGGGEEEE -> (VR or b"" where implicit, value bytes)."""

LONG_VRS = frozenset((b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"SQ", b"UC", b"UR", b"UT", b"UN", b"SV", b"UV"))
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_TAG = struct.Struct("<HH")
_TAG_LENGTH = struct.Struct("<HHI")
_EXPLICIT = struct.Struct("<HH2sH")
_LENGTH = struct.Struct("<I")
_VALUE_CAP = 1 << 16
_DEPTH_CAP = 64


class Truncated(Exception):
    """The bytes end before the elements that were asked for."""


class Unusual(Exception):
    """Something this scanner leaves to pydicom."""


def scan(data: bytes | memoryview, explicit: bool, stop: int = 0xFFFFFFFF, complete: bool = True) -> Raw:
    """Top-level elements with tags up to `stop`; values over 64 KiB and sequences are left out.

    With `complete` the bytes are the whole data set and may end after any element; else Truncated says that the
    elements up to `stop` are not all there yet. Unusual for a length that runs over the end or tags out of order.
    """
    found: Raw = {}
    at, end, last = 0, len(data), -1
    long_vrs, explicit_head, implicit_head = LONG_VRS, _EXPLICIT.unpack_from, _TAG_LENGTH.unpack_from
    while at < end:
        if end - at < 12 and (not complete or end - at < 8):
            raise Unusual if complete else Truncated
        # The loop of every row of every answer: the heads are read here, not in a function.
        if explicit:
            group, element, vr, length = explicit_head(data, at)
            value = at + 8
            if vr in long_vrs:
                if end - at < 12:
                    raise Unusual
                length = _LENGTH.unpack_from(data, at + 8)[0]
                value = at + 12
            elif not vr.isupper() or not vr.isalpha():
                raise Unusual
        else:
            group, element, length = implicit_head(data, at)
            vr, value = b"", at + 8
        tag = group << 16 | element
        if tag > stop:
            return found
        if tag <= last:
            raise Unusual
        last = tag
        if length == _UNDEFINED:
            at = _skip_undefined(data, value, explicit, complete)
            continue
        at = value + length
        if at > end:
            raise Unusual if complete else Truncated
        if length <= _VALUE_CAP and vr != b"SQ":
            found[tag] = (vr, bytes(data[value:at]))
    if not complete:
        raise Truncated
    return found


def _head(data: bytes | memoryview, at: int, end: int, explicit: bool) -> tuple[int, bytes, int, int]:
    if not explicit:
        group, element, length = _TAG_LENGTH.unpack_from(data, at)
        return group << 16 | element, b"", length, at + 8
    group, element, vr, length = _EXPLICIT.unpack_from(data, at)
    tag = group << 16 | element
    if vr in LONG_VRS:
        if end - at < 12:
            raise Unusual
        return tag, vr, _LENGTH.unpack_from(data, at + 8)[0], at + 12
    if not vr.isalpha() or not vr.isupper():
        raise Unusual
    return tag, vr, length, at + 8


def _skip_undefined(data: bytes | memoryview, at: int, explicit: bool, complete: bool) -> int:
    """The position after the delimiter of a value of undefined length; items and sequences may nest."""
    depth, end = 1, len(data)
    while depth:
        if end - at < 8:
            raise Unusual if complete else Truncated
        group, element, length = _TAG_LENGTH.unpack_from(data, at)
        tag = group << 16 | element
        if tag in (_SEQUENCE_END, _ITEM_END):
            at += 8
            depth -= tag == _SEQUENCE_END
        elif tag == _ITEM:
            at += 8 + (0 if length == _UNDEFINED else length)
        else:
            if end - at < 12:
                raise Unusual if complete else Truncated
            _, vr, length, value = _head(data, at, end, explicit)
            if length == _UNDEFINED:
                if vr == b"UN":
                    # its items are implicit whatever surrounds them (PS3.5 6.2.2 note 2)
                    raise Unusual
                depth += 1
                at = value
            else:
                at = value + length
        if depth > _DEPTH_CAP:
            raise Unusual
    return at


_VRS: dict[int, str] = {}


def vr_of(tag: int) -> str:
    """The dictionary's VR of a tag, UN where it has none; the first of several."""
    vr = _VRS.get(tag)
    if vr is None:
        try:
            vr = str(dictionary_VR(tag))[:2]
        except KeyError:
            vr = "UN"
        _VRS[tag] = vr
    return vr
