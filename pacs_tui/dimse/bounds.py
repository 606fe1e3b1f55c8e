"""What pydicom is spared: data sets of strangers that cost it far more time, memory or words than they have bytes."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Sequence

from pydicom.dataelem import RawDataElement

_IDENTIFIER_CAP = 1 << 15
"""Bytes of an identifier, but for those of UIDs: a list of 10,000 is twenty times as long."""
_OF_UIDS = b"0123456789.\\"
_ITEMS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")
"""The tag of an item, in little and in big endian."""
_UNDEFINED = b"\xff\xff\xff\xff"
_NO_LENGTH = 0xFFFFFFFF
_MOST_ITEMS = 512
_MOST_UNDEFINED = 64
_MOST_VALUES = 16_384
_MOST_IN_HEAD = 512
MOST_CHARSETS = 16
"""Character sets of one data set; pydicom tries one after the other on every text."""


def silence() -> None:
    """Let pydicom and pynetdicom say nothing of what they read.

    One identifier is worth a hundred thousand warnings to them, each a line of the log and kept in memory for ever.
    """
    for name in ("pydicom", "pynetdicom"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
        warnings.filterwarnings("ignore", module=name)


def check_identifier(data: bytes) -> None:
    """ValueError for an identifier no query needs, and pydicom would work on for seconds."""
    if len(data) > _IDENTIFIER_CAP and len(data.translate(None, _OF_UIDS)) > _IDENTIFIER_CAP:
        raise ValueError(f"identifier of {len(data)} bytes that is no list of UIDs")
    if too_many_items(data):
        raise ValueError(f"identifier with more than {_MOST_ITEMS} items")
    if data.count(_UNDEFINED) > _MOST_UNDEFINED:
        raise ValueError("identifier with sequences nested too deeply")
    if data.count(b"\\") > _MOST_VALUES:
        raise ValueError(f"identifier with more than {_MOST_VALUES} values")


def check_whole(elements: Iterable[object]) -> None:
    """ValueError for an element, as pydicom read it and has not decoded it, that ends before its length says."""
    for element in elements:
        if isinstance(element, RawDataElement) and element.length not in (len(element.value or b""), _NO_LENGTH):
            raise ValueError(f"{element.tag} runs over the end")


def check_charsets(named: object) -> None:
    """ValueError for a SpecificCharacterSet, as pydicom reads it, of more values than a text can be tried with."""
    if isinstance(named, Sequence) and not isinstance(named, str) and len(named) > MOST_CHARSETS:
        raise ValueError(f"{len(named)} character sets")


def too_many_items(data: bytes) -> bool:
    """True where a sequence holds more than anybody looks at."""
    return max(data.count(mark) for mark in _ITEMS) > _MOST_ITEMS


def beginning(data: bytes) -> bytes:
    """A head without what lies behind hundreds of items or undefined lengths, which pydicom works on for seconds."""
    for mark in (*_ITEMS, _UNDEFINED):
        parts = data.split(mark, _MOST_IN_HEAD)
        if len(parts) > _MOST_IN_HEAD:
            data = data[: len(data) - len(parts[-1])]
    return data
