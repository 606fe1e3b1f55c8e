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
_SHORT_VRS = frozenset((
    b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS",
    b"ST", b"TM", b"UI", b"UL", b"US",
))  # fmt: skip
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_TAG = struct.Struct("<HH")
_TAG_LENGTH = struct.Struct("<HHI")
_EXPLICIT = struct.Struct("<HH2sH")
_LENGTH = struct.Struct("<I")
_VALUE_CAP = 1 << 16
_DEPTH_CAP = 64
SEQUENCES = frozenset((0x00081032, 0x00400275))
"""Procedure Code and Request Attributes: sequences whose items are kept as they are, for identifier.py to read."""


class Truncated(Exception):
    """The bytes end before the elements that were asked for."""


class Unusual(Exception):
    """Something this scanner leaves to pydicom."""


def scan(data: bytes | memoryview, explicit: bool, stop: int = 0xFFFFFFFF, complete: bool = True) -> Raw:
    """Top-level elements with tags up to `stop`; values over 64 KiB and sequences but SEQUENCES are left out.

    With `complete` the bytes are the whole data set and may end after any element; else Truncated says that the
    elements up to `stop` are not all there yet. Unusual for a length that runs over the end or tags out of order.
    """
    found: Raw = {}
    data = bytes(data)
    at, end, last = 0, len(data), -1
    while at < end:
        if explicit:
            at, last = _scan_short(data, at, last, stop, found)
        if end - at < 12 and (not complete or end - at < 8):
            if at == end:
                break
            raise Unusual if complete else Truncated
        tag, vr, length, value = _head(data, at, end, explicit)
        if tag > stop:
            return found
        if tag <= last:
            raise Unusual
        last = tag
        if length == _UNDEFINED:
            at = _skip_undefined(data, value, explicit, complete)
            if tag in SEQUENCES and at - value <= _VALUE_CAP:
                found[tag] = (vr, data[value : at - 8])
            continue
        at = value + length
        if at > end:
            raise Unusual if complete else Truncated
        if length <= _VALUE_CAP and (vr != b"SQ" or tag in SEQUENCES):
            found[tag] = (vr, data[value:at])
    if not complete:
        raise Truncated
    return found


def _scan_short(data: bytes, at: int, last: int, stop: int, found: Raw) -> tuple[int, int]:
    """Read on while all is ordinary; the position and the tag before it. The loop of every row and every head."""
    end, short, unpack = len(data), _SHORT_VRS, _EXPLICIT.unpack_from
    heads = end - 12
    while at <= heads:
        group, element, vr, length = unpack(data, at)
        tag = group << 16 | element
        start = at + 8
        after = start + length
        if vr not in short or not last < tag <= stop or after > end:
            break
        found[tag] = (vr, data[start:after])
        at, last = after, tag
    return at, last


def scan_plain(data: bytes, explicit: bool) -> Raw | None:
    """Every element of a small data set, VR included; None where there is a sequence or anything unusual."""
    found: Raw = {}
    if explicit:
        # An element may end closer to the end than the loop reads ahead.
        at, _ = _scan_short(data + bytes(4), 0, -1, _UNDEFINED, found)
        return found if at == len(data) else None
    at, end, last = 0, len(data), -1
    while end - at >= 8:
        group, element, length = _TAG_LENGTH.unpack_from(data, at)
        tag = group << 16 | element
        vr = vr_of(tag).encode()
        after = at + 8 + length
        if vr not in _SHORT_VRS or tag <= last or after > end:
            return None
        found[tag] = (vr, data[at + 8 : after])
        at, last = after, tag
    return found if at == end else None


class Reading:
    """The rows of one answer share what was read last of them: each keeps its bytes, and nothing else."""

    __slots__ = ("last",)

    def __init__(self) -> None:
        self.last: tuple[object, Raw] = (None, {})
        """A row and its elements."""


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
