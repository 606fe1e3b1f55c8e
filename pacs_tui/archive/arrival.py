"""An instance on its way into the index, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from enum import Enum, auto

from pacs_tui.archive.attributes import BY_KEYWORD


@dataclass(frozen=True, slots=True)
class Arrival:
    """An instance that has arrived whole: what the index writes down about it. Its UIDs have been checked."""

    area_id: int
    study_uid: str
    series_uid: str
    sop_instance: str
    sop_class: str
    transfer_syntax: str
    header: Mapping[str, str]
    """Keyword to text; looked at only where a row needs it."""
    content: bytes
    """BLAKE3 of the data set."""
    size: int
    """Bytes of the Part 10 file."""
    received: int
    """Unix time, seconds."""
    calling: str = ""
    replace: bool = False
    """Other content under this UID gives way."""


class Fate(Enum):
    """What became of an arrival."""

    NEW = auto()
    KNOWN = auto()
    """The same content was there already."""
    DIFFERENT = auto()
    """Other content is held, and stays."""
    REPLACED = auto()
    """Other content was held, and gave way."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a transaction did with one arrival."""

    fate: Fate
    before: bytes = b""
    """Digest of the content that was held under this UID."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """A contradiction, to be listed (schema.conflict)."""

    area_id: int
    kind: str
    subject: str
    held: str
    came: str
    calling: str
    file: str
    received: int


def tags_of(header: Mapping[str, str]) -> Set[int]:
    """The tags a header has; those of a listener know theirs without looking at every keyword."""
    tags = getattr(header, "tags", None)
    if callable(tags):
        known: Set[int] = tags()
        return known
    return {BY_KEYWORD[keyword].tag for keyword in header if keyword in BY_KEYWORD}
