"""The index: instances written down a second when it is small and when it is large, and what one costs on the disk."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from itertools import count

from bench.bench import Bench
from bench.corpus import Population
from bench.filling import Filling, filling, give
from bench.pairs import Pair, in_turn

_SMALL = 10_000
_STEP = 2_000
_PER_STUDY = (2, 5)
"""Series of a study, instances of a series."""
_KEPT_RATE, _BYTES = 0.7, 400.0


def run(bench: Bench) -> None:
    """Fill a small and a large index, then let both grow in turn."""
    if not bench.wants("index"):
        return
    large = bench.take(100_000, 1_000_000)
    with bench.fresh() as one, bench.fresh() as other:
        give(bench, one, _people(_SMALL), *_PER_STUDY)
        give(bench, other, _people(large), *_PER_STUDY)
        size = (other / "data" / "index.db").stat().st_size / large
        with filling(one, _people(_SMALL), *_PER_STUDY) as few, filling(other, _people(large), *_PER_STUDY) as many:
            taken = in_turn({"small": _growing(few, _SMALL), "large": _growing(many, large)}, bench.turns())
    ratio = Pair(taken["large"], taken["small"]).ratio
    print(f"\nindex: {_PER_STUDY[0]} series of {_PER_STUDY[1]} instances to a study, batches as a rebuild writes them")
    for name, at in (("small", _SMALL), ("large", large)):
        print(f"  at {at:>9,} instances {_STEP / statistics.median(taken[name]):>9,.0f} a second")
    print(f"  rate that is kept: {ratio:.2f}; {size:.0f} bytes an instance", flush=True)
    bench.targets.at_least("index", f"rate at {large:,} / at {_SMALL:,}", _KEPT_RATE, ratio)
    bench.targets.at_most("index", f"bytes an instance at {large:,}", _BYTES, size, "")


def _people(instances: int) -> Population:
    return Population(instances // (_PER_STUDY[0] * _PER_STUDY[1]))


def _growing(filled: Filling, held: int) -> Callable[[], float]:
    """Each call adds some instances to those that are held."""
    starts = count(held, _STEP)
    return lambda: filled.add(range(first := next(starts), first + _STEP))
