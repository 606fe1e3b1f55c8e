"""What a listener is doing and has done."""

from __future__ import annotations

from msgspec import Struct


class Activity(Struct, frozen=True):
    """One association that is open now."""

    calling: str
    called: str
    host: str
    since: float
    """Seconds it has been open."""
    operation: str
    """C-STORE, C-FIND and so on; empty between two operations."""
    instances: int
    """Received and kept so far."""
    bytes: int
    """Over its connection, both ways."""


class Totals(Struct, frozen=True):
    """Since the listener was opened, what is open now included."""

    associations: int = 0
    """Accepted."""
    rejected: int = 0
    aborted: int = 0
    """Connections that ended otherwise than by release or rejection."""
    instances: int = 0
    bytes: int = 0


class Snapshot(Struct, frozen=True):
    """A listener at one moment."""

    open: tuple[Activity, ...]
    totals: Totals
