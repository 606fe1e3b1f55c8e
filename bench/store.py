"""C-STORE receive: DCMTK's storescu, one or four at once, into our archive and into the peers."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench import peers
from bench.bench import Bench
from bench.corpus import CT, MAMMOGRAM, TINY, Kind
from bench.pairs import Pair, in_turn

OURS = "pacs-tui"
LEVEL = 0.95
"""What counts as level with a peer: two equals measured here differ by as much."""
_PATIENCE = 600


@dataclass(frozen=True)
class Received:
    """What came of one run into one server."""

    seconds: float
    """From the start of the senders to the end of the last."""
    kept: int
    of: int
    cpu: float
    """Processor seconds of the server."""
    peak: float
    """Megabytes of the server."""

    @property
    def per_instance(self) -> float:
        """Seconds for each instance that was kept: what a server loses does not make it faster."""
        return self.seconds / self.kept if self.kept else float("inf")


@dataclass(frozen=True)
class Row:
    """One comparison: what is sent how, to whom, and how many times faster than each peer we want to be."""

    name: str
    kind: Kind
    senders: int
    quick: int
    full: int
    sides: Mapping[str, peers.Start]
    targets: Mapping[str, float]
    durable: bool = False
    nodelay: bool = True


def _rows() -> list[Row]:
    relaxed = peers.ours("os")
    both = {"Orthanc": peers.orthanc(), "storescp": peers.storescp()}
    forked = {"Orthanc": peers.orthanc(), "storescp --fork": peers.storescp(fork=True)}
    return [
        *(
            Row(f"CT durable, {n} assoc.", CT, n, 200, 400, {OURS: peers.ours(), "Orthanc": peers.orthanc()},
                {"Orthanc": 2.0}, durable=True)
            for n in (1, 4)
        ),
        Row("CT os, 1 assoc.", CT, 1, 200, 400, {OURS: relaxed, **both, "dcmqrscp": peers.dcmqrscp()},
            {"Orthanc": 4.0, "dcmqrscp": 3.0, "storescp": LEVEL}),
        Row("CT os, 4 assoc.", CT, 4, 200, 400, {OURS: relaxed, **forked}, {"Orthanc": 4.0, "storescp --fork": LEVEL}),
        Row("tiny os, 4 assoc., 2 processes", TINY, 4, 1000, 4000,
            {OURS: peers.ours("os", 2), **forked, "dcmqrscp": peers.dcmqrscp()},
            {"Orthanc": 3.0, "storescp --fork": LEVEL}),
        Row("mammograms os, 1 assoc.", MAMMOGRAM, 1, 8, 16, {OURS: relaxed, **both}, {"Orthanc": 4.0, "storescp": 1.5}),
        Row("CT os, unmodified storescu", CT, 1, 100, 200, {OURS: relaxed, "Orthanc": peers.orthanc(nodelay=False)},
            {"Orthanc": 25.0}, nodelay=False),
    ]  # fmt: skip


def run(bench: Bench) -> None:
    """Print the rows, and hold them against their targets."""
    for row in _rows():
        if bench.wants(row.name):
            _measure(bench, row)


def _measure(bench: Bench, row: Row) -> None:
    count = bench.take(row.quick, row.full)
    folders = bench.corpus.dealt(row.kind, count, row.senders)
    sides = {name: partial(receive, bench, start, folders, count, row) for name, start in row.sides.items()}
    # every server is new each time, and the files that are sent were read when they were written
    taken = in_turn(sides, bench.turns(), warm_up=False)
    print(f"\nstore: {row.name}; {count:,} instances, {'on the disk' if row.durable else 'in memory'}")
    for name, runs in taken.items():
        print(_line(name, runs, row.kind))
    mine = tuple(run.per_instance for run in taken[OURS])
    for name in list(row.sides)[1:]:
        ratio = Pair(mine, tuple(run.per_instance for run in taken[name])).ratio
        print(f"  ratio to {name}: {ratio:.2f} x", flush=True)
        if name in row.targets:
            bench.targets.at_least("store", f"{row.name} / {name}", row.targets[name], ratio)
    bench.targets.at_most("store", f"{row.name}: memory", 150, max(run.peak for run in taken[OURS]), " MB")


def _line(name: str, runs: Sequence[Received], kind: Kind) -> str:
    each = statistics.median(run.per_instance for run in runs)
    megabytes = (2 * kind.rows * kind.columns + 2000) / 1e6 / each
    cpu = statistics.median(run.cpu / max(1, run.kept) for run in runs) * 1000
    lost = [run.of - run.kept for run in runs]
    losses = f"   LOST {min(lost)} to {max(lost)} of {runs[0].of}" if any(lost) else ""
    low, high = (pick(run.kept / run.seconds for run in runs) for pick in (min, max))
    return (
        f"  {name:<16} {1 / each:>8,.0f} inst/s ({low:,.0f} to {high:,.0f}) {megabytes:>7,.0f} MB/s"
        f" {cpu:>7.2f} ms CPU each {max(run.peak for run in runs):>6.0f} MB peak{losses}"
    )


def receive(bench: Bench, start: peers.Start, folders: Sequence[Path], count: int, row: Row) -> Received:
    """One run into a fresh server."""
    with bench.fresh(row.durable) as folder, start(folder) as server:
        # what an earlier run left to write must not slow this one's fsync
        os.sync()
        before = server.cost().cpu
        began = time.perf_counter()
        send(server, folders, row.nodelay)
        seconds = time.perf_counter() - began
        after = server.cost()
        kept = server.kept()
        if kept != count and row.sides[OURS] is start:
            raise RuntimeError(f"our archive kept {kept} of {count} instances: {peers.last_words(folder)}")
        return Received(seconds, kept, count, after.cpu - before, after.peak)


def send(server: peers.Server, folders: Sequence[Path], nodelay: bool = True) -> list[int]:
    """storescu for each folder, all at once; their exit codes."""
    command = [peers.program("storescu"), "-q", "-aec", server.node.ae_title, "-ta", "60", "-td", "60", "+sd",
               server.node.host, str(server.node.port)]  # fmt: skip
    senders = [
        subprocess.Popen(
            [*command, str(folder)], env=peers.environ(nodelay), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for folder in folders
    ]
    try:
        return [sender.wait(_PATIENCE) for sender in senders]
    finally:
        for sender in senders:
            if sender.poll() is None:
                sender.kill()
                sender.wait()
