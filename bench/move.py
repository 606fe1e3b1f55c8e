"""C-MOVE and C-GET of CT studies: our archive against Orthanc and dcmqrscp, into the same destination.

The destination writes to memory and shares the cores with the source; what the source itself costs is told by its
processor seconds.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench import peers
from bench.bench import Bench
from bench.corpus import CT, Population
from bench.pairs import Pair, in_turn
from bench.store import OURS, send
from pacs_tui.cli.get import Folder
from pacs_tui.dimse.part10 import read_held
from pacs_tui.model.level import Level
from pacs_tui.model.node import Node
from pacs_tui.model.transfer import Target

DESTINATION = "DEST"
_PARALLEL = 4
_CPU_TARGET = 0.4
Way = Callable[[peers.Server, Target, Path], None]
"""Gets one study into a folder."""


@dataclass(frozen=True)
class Moved:
    """One retrieve of all the studies."""

    seconds: float
    arrived: int
    cpu: float
    """Processor seconds of the source."""

    @property
    def per_instance(self) -> float:
        return self.seconds / self.arrived if self.arrived else float("inf")


@dataclass(frozen=True)
class Row:
    """One way to move, and how much faster than each peer we want to be."""

    name: str
    destination: peers.Start
    studies: int
    """Taken of those that are held; 0 is all."""
    parallel: int
    targets: Mapping[str, float]
    cpu: bool = False


def _rows() -> list[Row]:
    return [
        Row("C-MOVE to storescp, 1 assoc.", peers.storescp(title=DESTINATION), 0, 1,
            {"Orthanc": 1.4, "dcmqrscp": 1.2}, cpu=True),
        Row(f"C-MOVE to storescp --fork, {_PARALLEL} at once", peers.storescp(fork=True, title=DESTINATION), 0,
            _PARALLEL, {"Orthanc": 2.0}),
        Row("C-MOVE to unmodified storescp", peers.storescp(nodelay=False, title=DESTINATION), 1, 1,
            {"dcmqrscp": 10.0}),
        Row("C-MOVE to unmodified Orthanc", peers.orthanc(nodelay=False), 1, 1, {"dcmqrscp": 10.0}),
    ]  # fmt: skip


def run(bench: Bench) -> None:
    """Load the archives once, then move, send and get."""
    rows = [row for row in _rows() if bench.wants(row.name)]
    gets = {name: way for name, way in _GETS.items() if bench.wants(name)}
    studies = bench.take(4, 20)
    if rows or gets:
        # archives are told of a destination before it starts, so its port is found out once and kept
        place = _Place(bench, peers.free_port())
        with _loaded(bench, studies, place.node) as sources:
            for row in rows:
                _move(bench, row, sources, place, row.studies or studies)
            for name, way in gets.items():
                _get(bench, name, way, {side: sources[side] for side in (OURS, "Orthanc")}, studies)
            bench.targets.at_most("move", "memory", 150, sources[OURS].cost().peak, " MB")
    for name, start in {"storescp": peers.storescp(nodelay=False), "Orthanc": peers.orthanc(nodelay=False)}.items():
        if bench.wants(f"send to unmodified {name}"):
            _send(bench, f"send to unmodified {name}", start)


@dataclass(frozen=True)
class _Place:
    """Where destinations listen, one after the other."""

    bench: Bench
    port: int

    @property
    def node(self) -> Node:
        return Node(DESTINATION, DESTINATION, "127.0.0.1", self.port)

    @contextmanager
    def started(self, start: peers.Start) -> Iterator[peers.Server]:
        with self.bench.fresh() as folder, start(folder, self.port) as server:
            yield server


@contextmanager
def _loaded(bench: Bench, studies: int, destination: Node) -> Iterator[dict[str, peers.Server]]:
    """The three archives with the same studies."""
    count = studies * CT.per_study
    starts = {
        OURS: peers.ours("os", destinations=[destination]), "Orthanc": peers.orthanc(destinations=[destination]),
        "dcmqrscp": peers.dcmqrscp(destinations=[destination]),
    }  # fmt: skip
    with ExitStack() as stack:
        servers = {}
        for name, start in starts.items():
            servers[name] = stack.enter_context(start(stack.enter_context(bench.fresh())))
            send(servers[name], bench.corpus.dealt(CT, count, 1))
            if servers[name].kept() != count:
                raise RuntimeError(f"{name} took {servers[name].kept()} of {count} instances")
        yield servers


def _targets(studies: int) -> list[Target]:
    people = Population(studies)
    return [Target(Level.STUDY, study_uid=people.study(index).uid) for index in range(studies)]


def _move(bench: Bench, row: Row, sources: Mapping[str, peers.Server], place: _Place, studies: int) -> None:
    sides = {name: partial(_moved, server, place, row, studies) for name, server in sources.items()}
    slow = row.studies > 0
    if slow:
        # a peer that waits 40 ms for each instance needs no more than one other for comparison
        sides = {name: side for name, side in sides.items() if name != "Orthanc"}
    taken = in_turn(sides, bench.turns(2, 3) if slow else bench.turns(), warm_up=not slow and not bench.quick)
    _show(bench, row.name, taken, row.targets, studies * CT.per_study)
    if row.cpu:
        for name, runs in taken.items():
            if name != OURS:
                share = statistics.median(a.cpu / b.cpu for a, b in zip(taken[OURS], runs, strict=True))
                print(f"  our processor seconds to those of {name}: {share:.2f}")
                bench.targets.at_most("move", f"{row.name}: CPU / {name}", _CPU_TARGET, share)


def _moved(source: peers.Server, place: _Place, row: Row, studies: int) -> Moved:
    with place.started(row.destination) as destination:
        before = source.cost().cpu
        began = time.perf_counter()
        with ThreadPoolExecutor(row.parallel) as pool:
            list(pool.map(partial(_one_move, source), _targets(studies)))
        seconds = time.perf_counter() - began
        return Moved(seconds, destination.kept(), source.cost().cpu - before)


def _one_move(source: peers.Server, target: Target) -> None:
    with source.peer() as peer:
        final = list(peer.move(target, DESTINATION))[-1]
    if final.status or final.failed:
        raise RuntimeError(f"{source.process.args!r}: C-MOVE ended with {final}")


def _get(bench: Bench, name: str, way: Way, sources: Mapping[str, peers.Server], studies: int) -> None:
    taken = in_turn(
        {side: partial(_got, bench, source, way, studies) for side, source in sources.items()},
        bench.turns(),
        warm_up=not bench.quick,
    )
    _show(bench, name, taken, {"Orthanc": 1.4}, studies * CT.per_study)


def _got(bench: Bench, source: peers.Server, way: Way, studies: int) -> Moved:
    with bench.fresh() as folder:
        before = source.cost().cpu
        began = time.perf_counter()
        for target in _targets(studies):
            way(source, target, folder)
        seconds = time.perf_counter() - began
        return Moved(seconds, len(os.listdir(folder)), source.cost().cpu - before)


def _by_getscu(source: peers.Server, target: Target, folder: Path) -> None:
    subprocess.run(
        [peers.program("getscu"), "-q", "-S", "+B", "-od", str(folder), "-aec", source.node.ae_title,
         "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={target.study_uid}",
         source.node.host, str(source.node.port)],
        env=peers.environ(True), check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip


def _by_ours(source: peers.Server, target: Target, folder: Path) -> None:
    with source.peer() as peer:
        final = list(peer.get(target, Folder(folder, False).receive))[-1]
    if final.status or final.failed:
        raise RuntimeError(f"{source.process.args!r}: C-GET ended with {final}")


_GETS: dict[str, Way] = {"C-GET by getscu": _by_getscu, "C-GET by our get": _by_ours}


def _send(bench: Bench, name: str, start: peers.Start) -> None:
    """Our client and storescu into a receiver that waits for acknowledgements (Nagle on)."""
    count = bench.take(50, 100)
    sides = {OURS: partial(_sent, bench, start, count, True), "storescu": partial(_sent, bench, start, count, False)}
    taken = in_turn(sides, bench.turns(2, 3), warm_up=False)
    _show(bench, name, taken, {"storescu": 10.0}, count)


def _sent(bench: Bench, start: peers.Start, count: int, by_us: bool) -> Moved:
    folders = bench.corpus.dealt(CT, count, 1)
    with bench.fresh() as folder, start(folder) as server:
        before = server.cost().cpu
        began = time.perf_counter()
        if by_us:
            with server.peer() as peer:
                list(peer.send([read_held(path) for path in sorted(folders[0].iterdir())]))
        else:
            send(server, folders)
        seconds = time.perf_counter() - began
        return Moved(seconds, server.kept(), server.cost().cpu - before)


def _show(
    bench: Bench, title: str, taken: Mapping[str, Sequence[Moved]], targets: Mapping[str, float], count: int
) -> None:
    print(f"\nmove: {title}; {count:,} CT")
    for name, runs in taken.items():
        rates = [run.arrived / run.seconds for run in runs]
        lost = [count - run.arrived for run in runs]
        losses = f"   LOST {min(lost)} to {max(lost)}" if any(lost) else ""
        cpu = statistics.median(run.cpu for run in runs)
        print(f"  {name:<10} {statistics.median(rates):>8,.0f} inst/s ({min(rates):,.0f} to {max(rates):,.0f})"
              f" {cpu:>7.2f} s CPU{losses}")  # fmt: skip
    if any(run.arrived != count for run in taken[OURS]):
        raise RuntimeError(f"{title}: {[run.arrived for run in taken[OURS]]} of {count} arrived from us")
    mine = tuple(run.per_instance for run in taken[OURS])
    for name, runs in taken.items():
        if name != OURS:
            ratio = Pair(mine, tuple(run.per_instance for run in runs)).ratio
            print(f"  ratio to {name}: {ratio:.2f} x", flush=True)
            if name in targets:
                bench.targets.at_least("move", f"{title} / {name}", targets[name], ratio)
