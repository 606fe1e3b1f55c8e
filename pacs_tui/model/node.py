"""A node: a DICOM application entity we can talk to."""

from __future__ import annotations

import re

from msgspec import Struct
from msgspec.structs import force_setattr

from pacs_tui.errors import UsageError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")


def ae_title(text: str) -> str:
    """A valid AE title without its padding, or UsageError (PS3.5 6.2: 1-16 characters, no backslash, no control)."""
    title = text.strip(" ")
    if not 1 <= len(title) <= 16 or "\\" in title or not all(" " <= c <= "~" for c in title):
        raise UsageError(f"AE title {title!r}: give 1 to 16 printable ASCII characters without a backslash.")
    return title


class Node(Struct, frozen=True):
    """An application entity: where it listens, under which title, and how we call ourselves towards it."""

    name: str
    ae_title: str
    host: str
    port: int
    calling: str = ""
    """The AE title we use towards it; empty means the one from settings."""
    retrieve: str = "auto"
    """How previews are fetched: auto (C-GET, else C-MOVE), get or move."""
    charset: str = ""
    """SpecificCharacterSet to assume for text that names none."""
    readonly: bool = False
    """True: nothing is ever sent to it."""
    comment: str = ""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise UsageError(f"Node name {self.name!r}: use 1 to 32 letters, digits, '_', '-' or '.'.")
        force_setattr(self, "ae_title", ae_title(self.ae_title))
        if self.calling:
            force_setattr(self, "calling", ae_title(self.calling))
        if not 1 <= self.port <= 65535:
            raise UsageError(f"Node {self.name}: port {self.port} is not between 1 and 65535.")
        if not self.host or not all("!" <= c <= "~" for c in self.host):
            raise UsageError(f"Node {self.name}: host {self.host!r} is not a host name or address.")
        if self.retrieve not in ("auto", "get", "move"):
            raise UsageError(f"Node {self.name}: retrieve is {self.retrieve!r}; use auto, get or move.")

    @property
    def address(self) -> str:
        """host:port, as it is printed."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Echo(Struct, frozen=True):
    """The answer to one C-ECHO."""

    node: str
    milliseconds: float
    """Round trip of the C-ECHO itself."""
    connect_milliseconds: float
    """Connection and association negotiation before it; 0.0 on a warm association."""
