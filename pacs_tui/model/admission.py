"""Who may open an association, and what it may ask for."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Right(StrEnum):
    """A service an association may use."""

    ECHO = "echo"
    STORE = "store"
    FIND = "find"
    RETRIEVE = "retrieve"
    """C-MOVE and C-GET."""


EVERY_RIGHT = frozenset(Right)
CALLING_TITLE = 3
CALLED_TITLE = 7
"""A-ASSOCIATE-RJ, source 1: a title that is not recognized (PS3.8 9.3.4)."""


class Admission(Struct, frozen=True):
    """The answer to an A-ASSOCIATE-RQ: what it may do, or why not at all."""

    rights: frozenset[Right] = EVERY_RIGHT
    refusal: int | None = None
    """A-ASSOCIATE-RJ reason of source 1 (PS3.8 9.3.4)."""
