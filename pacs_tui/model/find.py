"""A query as the archive receives it, and its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from pacs_tui.model.level import Level, Root
from pacs_tui.model.tag import Column, Element


class FindRequest(Struct, frozen=True):
    """A C-FIND identifier, decoded (PS3.4 C.4.1.1.3); `keys` leaves out the level and the character set."""

    called: str
    root: Root
    level: Level
    keys: tuple[Element, ...]
    relational: bool = False
    """True where relational queries were negotiated (PS3.4 C.5.1.1)."""
    combined: bool = False
    """True where combined date-time matching was negotiated (PS3.4 C.2.2.2.5)."""
    fuzzy: bool = False
    """True where fuzzy semantic matching of person names was negotiated (PS3.4 C.2.2.2.1.1)."""
    calling: str = ""


class FindAnswer(Struct, frozen=True):
    """Rows of text in the order of `columns`; values of one attribute are joined by backslashes.

    A sequence is text too: RS (1E) begins an item, US (1F) ends each value, in the order of `Column.items`. `rows` may
    raise `errors.Refused` between two: what came before is sent, and its status ends the answer; `facts["element"]`,
    eight hex digits, is the attribute that offended. A generator is closed in the thread that reads it, also after a
    C-CANCEL.
    """

    columns: tuple[Column, ...]
    rows: Iterable[Sequence[str]]
    unsupported: bool = False
    """True where an optional key was not used for matching: pending responses then say FF01 (PS3.4 C.4.1.1.4)."""
    interrupt: Callable[[], None] | None = None
    """Makes `rows` raise soon; called from another thread, while `rows` has yielded nothing for a while and the peer
    has sent something, never after the last row."""
