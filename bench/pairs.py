"""Paired timings: several ways to do the same work, taken in turn, and the ratios round by round."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

Timed = Callable[[], float]
"""Does the work once and returns its seconds."""
Taken = TypeVar("Taken")


@dataclass(frozen=True)
class Pair:
    """Seconds of both sides, round by round."""

    ours: tuple[float, ...]
    theirs: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """How many times faster we are: the median of the ratios, so that a slow moment hits both sides."""
        return statistics.median(b / a for a, b in zip(self.ours, self.theirs, strict=True))


def in_turn(
    sides: Mapping[str, Callable[[], Taken]], rounds: int, warm_up: bool = True
) -> dict[str, tuple[Taken, ...]]:
    """`rounds` results of every side: all of them once a round, in an order that turns and is reversed every time."""
    names = list(sides)
    if warm_up:
        for name in names:
            sides[name]()
    taken: dict[str, list[Taken]] = {name: [] for name in names}
    for number in range(rounds):
        turned = names[number % len(names) :] + names[: number % len(names)]
        for name in turned if number % 2 == 0 or len(names) < 3 else reversed(turned):
            taken[name].append(sides[name]())
    return {name: tuple(results) for name, results in taken.items()}


def paired(ours: Timed, theirs: Timed, rounds: int = 7) -> Pair:
    """One warm-up each, then `rounds` pairs, the order changing from round to round."""
    taken = in_turn({"ours": ours, "theirs": theirs}, rounds)
    return Pair(taken["ours"], taken["theirs"])


def report(title: str, ours: str, theirs: str, pair: Pair, unit: str = "", amount: float = 0.0) -> None:
    """Two lines and a ratio; rates where the amount of work is known."""
    print(f"\n{title}")
    for name, seconds in ((ours, pair.ours), (theirs, pair.theirs)):
        median = statistics.median(seconds)
        rate = f"  {amount / median:>10,.0f} {unit}/s" if amount else ""
        print(f"  {name:<44} {median * 1000:>9.1f} ms{rate}   ({min(seconds) * 1000:.1f} to {max(seconds) * 1000:.1f})")
    print(f"  ratio: {pair.ratio:.2f} x", flush=True)
