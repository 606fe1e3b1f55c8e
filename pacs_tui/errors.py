"""What can go wrong, as far as somebody above would act differently on it.

    PacsError
    ├── UsageError            what was typed cannot be used             exit 2
    │   ├── QueryError        the one-line query language               exit 2
    │   └── SettingsError     config.toml                               exit 2
    ├── NotFound              an unknown node, job or instance          exit 8
    ├── StorageError          a file or database of ours cannot be read or written   exit 1
    ├── PictureError          this instance cannot be drawn             exit 1
    ├── Cancelled             somebody pressed the key                  exit 7
    └── NetworkError          a peer; carries a `code` that explain.py turns into advice
        ├── Unreachable       no TCP connection, silence, or a line that broke       exit 3
        └── Refused           the peer answered, and said no            exit 4

The exit codes are `Exit`; a verb that ends `partial` or `unverified` raises nothing.
"""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every verb (docs/cli.md)."""

    OK = 0
    ERROR = 1
    USAGE = 2
    UNREACHABLE = 3
    REFUSED = 4
    PARTIAL = 5
    UNVERIFIED = 6
    CANCELLED = 7
    NOT_FOUND = 8


class PacsError(Exception):
    """A sentence for an administrator: what, where, what to do."""

    exit = Exit.ERROR


class UsageError(PacsError):
    exit = Exit.USAGE


class QueryError(UsageError):
    """The query line cannot be read; the sentence names the word."""


class SettingsError(UsageError):
    """config.toml cannot be used; the sentence names file and key."""


class NotFound(PacsError):
    exit = Exit.NOT_FOUND


class StorageError(PacsError):
    """A file or database that belongs to us."""


class PictureError(PacsError):
    """One sentence to show where the picture would be."""


class Cancelled(PacsError):
    exit = Exit.CANCELLED


class NetworkError(PacsError):
    """A failed exchange with a peer.

    `code` names the case in explain.py's table: `tcp:refused`, `timeout:connect`, `rj:1:1:7` (result:source:reason,
    PS3.8 9.3.4), `abort:0:0` (source:reason, PS3.8 9.3.8), `status:C-MOVE:A801`. `facts` fills the placeholders of the
    explanation: node, host, port, called, calling, destination, comment.
    """

    def __init__(self, message: str, code: str, **facts: object) -> None:
        super().__init__(message)
        self.code = code
        self.facts: dict[str, str] = {name: str(value) for name, value in facts.items()}


class Unreachable(NetworkError):
    exit = Exit.UNREACHABLE


class Refused(NetworkError):
    """The peer said no: A-ASSOCIATE-RJ, no presentation context, or a failure status (`status` then holds it)."""

    exit = Exit.REFUSED

    def __init__(self, message: str, code: str, *, status: int | None = None, **facts: object) -> None:
        super().__init__(message, code, **facts)
        self.status = status
