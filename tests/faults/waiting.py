"""Waiting for a fact, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")
_AGAIN_SECONDS = 0.02


def until(fact: Callable[[], _T | None], what: str, seconds: float = 20.0) -> _T:
    """The first true answer; AssertionError when none comes in time."""
    deadline = time.monotonic() + seconds
    while not (found := fact()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
        time.sleep(_AGAIN_SECONDS)
    return found
