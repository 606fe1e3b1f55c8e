"""One archive for all that is thrown at it, and what real clients said to it."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from tests.hostile import traffic
from tests.hostile.victim import Victim, victim


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    with victim(tmp_path_factory.mktemp("hostile") / "home") as made:
        yield made


@pytest.fixture(scope="session")
def seeds(target: Victim) -> list[traffic.Seed]:
    return traffic.record(target.port)


@pytest.fixture
def rng() -> random.Random:
    """Its seed is printed; HOSTILE_SEED plays a failure again."""
    seed = os.environ.get("HOSTILE_SEED") or str(random.SystemRandom().randrange(1 << 32))
    print(f"HOSTILE_SEED={seed}")
    return random.Random(seed)
