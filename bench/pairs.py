"""Paired timings: two ways to do the same work, taken in turn, and the ratio pair by pair."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

Timed = Callable[[], float]
"""Does the work once and returns its seconds."""


@dataclass(frozen=True)
class Pair:
    """Seconds of both sides, round by round."""

    ours: tuple[float, ...]
    theirs: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """How many times faster we are: the median of the ratios, so that a slow moment hits both sides."""
        return statistics.median(b / a for a, b in zip(self.ours, self.theirs, strict=True))


def paired(ours: Timed, theirs: Timed, rounds: int = 7) -> Pair:
    """One warm-up each, then `rounds` pairs, the order changing from round to round."""
    ours(), theirs()
    a: list[float] = []
    b: list[float] = []
    for number in range(rounds):
        for first in (number % 2 == 0, number % 2 == 1):
            (a if first else b).append(ours() if first else theirs())
    return Pair(tuple(a), tuple(b))


def report(title: str, ours: str, theirs: str, pair: Pair, unit: str = "", amount: float = 0.0) -> None:
    """Two lines and a ratio; rates where the amount of work is known."""
    print(f"\n{title}")
    for name, seconds in ((ours, pair.ours), (theirs, pair.theirs)):
        median = statistics.median(seconds)
        rate = f"  {amount / median:>10,.0f} {unit}/s" if amount else ""
        print(f"  {name:<44} {median * 1000:>9.1f} ms{rate}   ({min(seconds) * 1000:.1f} to {max(seconds) * 1000:.1f})")
    print(f"  ratio: {pair.ratio:.2f} x")
