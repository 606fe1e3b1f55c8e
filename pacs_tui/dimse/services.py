"""What a listener needs answered. The archive answers it; so does the console's own small receiver.

Payloads are bytes, paths and model values. Every method may be called from several threads at once. A method refuses
by raising `errors.Refused` with `status` set; the listener answers that status with the sentence as ErrorComment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from pacs_tui.model.admission import Admission
from pacs_tui.model.find import FindAnswer, FindRequest
from pacs_tui.model.node import Node
from pacs_tui.model.transfer import Held, StoreRequest, Target


class Incoming(Protocol):
    """One instance being received: written in pieces, then committed or aborted, exactly one of the two."""

    def write(self, chunks: Sequence[bytes | memoryview]) -> None:
        """Take the next bytes of the Part 10 file; the views are valid only during the call."""

    def commit(self, attributes: Mapping[str, str]) -> int:
        """The data set is complete; `attributes` is its header, decoded lazily. Return the C-STORE status."""

    def abort(self) -> None:
        """The sender broke off: leave nothing behind."""


class Services(Protocol):
    """The services of one or more application entities."""

    def admit(self, calling: str, called: str, host: str) -> Admission:
        """What an association of these titles from this host (an address) may do, or the reason to reject it."""

    def store(self, request: StoreRequest) -> Incoming:
        """Begin to receive an instance."""

    def find(self, request: FindRequest) -> FindAnswer:
        """Answer a query; rows are produced while they are sent, and dropped at a C-CANCEL."""

    def retrieve(self, called: str, target: Target) -> Sequence[Held]:
        """The instances a C-MOVE or C-GET asks for."""

    def destination(self, called: str, title: str) -> Node | None:
        """Where a C-MOVE destination lives, None when it is unknown (A801)."""
