"""The keys of an identifier, sorted: those that narrow the answer, and those this archive cannot use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pacs_tui.archive import matching
from pacs_tui.archive.attributes import BY_KEYWORD, BY_TAG
from pacs_tui.errors import Refused
from pacs_tui.model.find import FindRequest
from pacs_tui.model.level import Level, Root
from pacs_tui.model.tag import Element

MAX_KEYS = 1000
"""Attributes of one query; each becomes a column of the statement."""
_LEVELS = tuple(Level)
_ABOVE: dict[Root, tuple[Level, ...]] = {
    Root.PATIENT: _LEVELS,
    Root.STUDY: (Level.STUDY, Level.SERIES, Level.IMAGE),
}
_TIMEZONE = 0x00080201
_ABOUT_THE_QUERY = frozenset((0x00080005, 0x00080052, 0x00080053, _TIMEZONE, 0xFFFCFFFC))
"""Character set, level, view, timezone and padding say how to read an identifier, not what to find (C.4.1.1.3)."""


def narrowing(request: FindRequest) -> dict[int, Element]:
    """The keys that have a value and an attribute here, by tag."""
    return {key.tag: key for key in _with_value(request.keys) if _usable(key)}


def unsupported(request: FindRequest) -> tuple[Element, ...]:
    """Keys with a value for which there is no attribute here: they cannot narrow the answer."""
    return tuple(key for key in _with_value(request.keys) if not _usable(key))


def refuse_unsupported(request: FindRequest) -> None:
    """Refused (A900), naming the first key that cannot be used: an answer that ignores it would be too long."""
    for key in unsupported(request):
        tag = _offending(key).tag
        raise Refused(
            f"({tag >> 16:04X},{tag & 0xFFFF:04X}) cannot be a matching key here.", "status:C-FIND:A900",
            status=0xA900, element=f"{key.tag:08X}",
        )  # fmt: skip


def check_number(request: FindRequest) -> None:
    """Refused (A900) for more attributes than a statement has room for."""
    if len(request.keys) > MAX_KEYS:
        raise Refused(
            f"{len(request.keys)} keys; this archive takes {MAX_KEYS} at a time.", "status:C-FIND:A900", status=0xA900
        )


def check_hierarchy(request: FindRequest, keys: Iterable[int]) -> None:
    """Unique keys of the levels above have to have a value (C.4.1.2.1), unless relational queries were agreed."""
    levels = _ABOVE[request.root]
    if request.level not in levels:
        raise Refused("Study Root has no PATIENT level; ask Patient Root.", "status:C-FIND:A900", status=0xA900)
    if request.relational:
        return
    for level in levels[: levels.index(request.level)]:
        tag = BY_KEYWORD[level.key].tag
        if tag not in keys:
            raise Refused(
                f"A query of level {request.level.value} needs {level.key}.", "status:C-FIND:A900", status=0xA900,
                element=f"{tag:08X}",
            )  # fmt: skip


def _with_value(keys: Iterable[Element]) -> Iterator[Element]:
    return (key for key in keys if not (_is_no_key(key.tag) or matching.is_silent(key)))


def _is_no_key(tag: int) -> bool:
    element = tag & 0xFFFF
    return tag in _ABOUT_THE_QUERY or element == 0 or (bool(tag >> 16 & 1) and 0x10 <= element <= 0xFF)


def _usable(key: Element) -> bool:
    return key.tag in BY_TAG and _offending(key) is key and (not key.items or bool(BY_TAG[key.tag].items))


def _offending(key: Element) -> Element:
    """The key in an item that no attribute is kept for, else the key itself."""
    attribute = BY_TAG.get(key.tag)
    known = {each.tag for each in attribute.items} if attribute else set()
    inner = (each for item in key.items for each in _with_value(item) if each.tag not in known or each.items)
    return next(inner, key)
