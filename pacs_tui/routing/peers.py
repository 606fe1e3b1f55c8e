"""What routing needs of a node: the part of dimse's Peer that asks, and the part that moves."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event
from typing import Protocol

from pacs_tui.model.match import Match
from pacs_tui.model.query import Query
from pacs_tui.model.transfer import Progress, Target


class QueryPeer(Protocol):
    """A node that answers C-FIND (PS3.4 C.4.1). Raises NetworkError, and Cancelled once `cancel` is set."""

    def find(self, query: Query, cancel: Event | None = None) -> Iterator[Match]: ...


class RoutingPeer(QueryPeer, Protocol):
    """A node that also answers C-MOVE (PS3.4 C.4.2)."""

    def move(self, target: Target, destination: str, cancel: Event | None = None) -> Iterator[Progress]:
        """Asks the node to send the target to the AE title `destination`; the last Progress is final."""
        ...
