"""One run of the benchmarks: where its files go, how long it may take, what came out."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from bench.corpus import Corpus
from bench.targets import Targets


@dataclass(frozen=True)
class Bench:
    """What every subject is handed.

    No folder is ever used twice. An ext4 without a journal walks past inodes that were freed a moment ago, which makes
    a file beside fresh deletes up to 30 times slower; so what lies on the disk is deleted when everything is over.
    """

    memory: Path
    """On tmpfs where there is one: measures software."""
    disk: Path
    """On a real disk: measures durability."""
    quick: bool = False
    only: str = ""
    """Rows whose names hold this text; empty takes all."""
    rounds: int = 0
    """Rounds of every pair; 0 leaves it to the subject."""
    targets: Targets = field(default_factory=Targets)
    numbers: Iterator[int] = field(default_factory=count)

    @property
    def corpus(self) -> Corpus:
        """The instances that are sent; written when first asked for."""
        return Corpus(self.memory / "corpus")

    def wants(self, row: str) -> bool:
        """True when the row is to be measured."""
        return self.only.lower() in row.lower()

    def take(self, quick: int, full: int) -> int:
        """The size of something that depends on how long we may take."""
        return quick if self.quick else full

    def turns(self, quick: int = 2, full: int = 5) -> int:
        """Rounds of a pair."""
        return self.rounds or self.take(quick, full)

    @contextmanager
    def fresh(self, durable: bool = False) -> Iterator[Path]:
        """A folder nobody has used; memory is given back at once, the disk at the end."""
        folder = (self.disk if durable else self.memory) / f"{next(self.numbers):04d}"
        folder.mkdir()
        try:
            yield folder
        finally:
            if not durable:
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def opened(quick: bool, only: str, rounds: int) -> Iterator[Bench]:
    """A run with scratch folders: in memory, and on the disk of $BENCH_DISK or of the working directory."""
    shared = Path("/dev/shm")
    memory = shared if shared.is_dir() and os.access(shared, os.W_OK) else None
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir=memory, ignore_cleanup_errors=True) as fast,
        tempfile.TemporaryDirectory(
            prefix=".bench-", dir=os.environ.get("BENCH_DISK", "."), ignore_cleanup_errors=True
        ) as slow,
    ):
        yield Bench(Path(fast), Path(slow).absolute(), quick, only, rounds)
