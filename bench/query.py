"""C-FIND as a server: the queries of a working day, against our archive and a smaller Orthanc.

The same client asks both, ours, with rows kept as bytes. Names and days are spread so that a query finds as many rows
in the small archive as in the large one; only a query for everything finds more in the large one, and is compared by
the row.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from bench import peers
from bench.bench import Bench
from bench.corpus import MINIMAL, Population, instance
from bench.filling import give
from bench.pairs import Pair, in_turn
from bench.store import OURS, send
from pacs_tui.dimse.peer import Peer
from pacs_tui.model.level import Level, Root
from pacs_tui.model.query import Query

_RETURNED = (
    "StudyDate", "StudyTime", "AccessionNumber", "StudyDescription", "ReferringPhysicianName", "PatientName",
    "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyID",
)  # fmt: skip
_SENDERS = 2
_LEAST = 10.0
_FIRST_ROW_MILLISECONDS = 10.0


@dataclass(frozen=True)
class Answered:
    """One answer: rows, and seconds to the first and to the end."""

    rows: int
    first: float
    total: float

    @property
    def per_row(self) -> float:
        return self.total / max(1, self.rows)


def run(bench: Bench) -> None:
    """Fill both archives, ask them in turn, hold the answers against the targets."""
    wanted = [name for name in queries(Population(1)) if bench.wants(name)]
    if not wanted:
        return
    per_name = bench.take(200, 2000)
    many = Population(bench.take(10_000, 100_000), per_name)
    few = Population(bench.take(2_000, 20_000), per_name)
    with bench.fresh() as home, bench.fresh() as folder:
        give(bench, home, many, series=2, instances=5)
        with peers.ours()(home) as ours, peers.orthanc()(folder) as theirs:
            _load(theirs, few, folder / "sent")
            print(f"\nquery: {OURS} with {many.studies:,} studies of 10 instances, Orthanc with {few.studies:,} of 1")
            print(f"  {'':<18} {'rows':>15} {'first row ms':>19} {'all rows ms':>19}   ratio")
            with ours.peer() as asking_us, theirs.peer() as asking_them:
                for name in wanted:
                    _measure(bench, name, {OURS: (asking_us, many), "Orthanc": (asking_them, few)})
            memory = ours.cost().peak
    bench.targets.at_most("query", "memory", 150, memory, " MB")


def queries(people: Population) -> dict[str, Query]:
    """What is asked, by the name of its row."""
    one = people.study(people.studies // 2)
    month = f"{_day(people, 40)}-{_day(people, 10)}"
    newest = f"{_day(people, 500 // people.per_day)}-"
    return {
        "PatientID": _query(PatientID=one.patient_id),
        "AccessionNumber": _query(AccessionNumber=one.accession),
        "SMI*": _query(PatientName="SMI*"),
        "*MIT*": _query(PatientName="*MIT*"),
        "a month": _query(StudyDate=month),
        "modality + month": _query(StudyDate=month, ModalitiesInStudy="MR"),
        "newest 500": _query(StudyDate=newest),
        "all": _query(),
    }


def _query(**matching: str) -> Query:
    return Query(Level.STUDY, Root.STUDY, tuple((dict.fromkeys(_RETURNED, "") | matching).items()))


def _day(people: Population, back: int) -> str:
    return f"{people.last_day - timedelta(back):%Y%m%d}"


def _load(server: peers.Server, people: Population, folder: Path) -> None:
    """One instance without pixels for each study."""
    folders = [folder / str(number) for number in range(_SENDERS)]
    for number, each in enumerate(folders):
        each.mkdir(parents=True)
        for index in range(number, people.studies, _SENDERS):
            (each / f"{index}.dcm").write_bytes(instance(MINIMAL, people.study(index), 1, 1001))
    began = time.perf_counter()
    send(server, folders)
    spent = time.perf_counter() - began
    if server.kept() != people.studies:
        raise RuntimeError(f"Orthanc took {server.kept()} of {people.studies} studies")
    print(f"\nquery: Orthanc was filled with {people.studies:,} studies in {spent:.0f} s")


def answered(peer: Peer, query: Query) -> Answered:
    """Ask over the association that the peer keeps warm."""
    began = time.perf_counter()
    first = 0.0
    rows = []
    for row in peer.find(query):
        first = first or time.perf_counter() - began
        rows.append(row)
    total = time.perf_counter() - began
    return Answered(len(rows), first or total, total)


def _measure(bench: Bench, name: str, sides: dict[str, tuple[Peer, Population]]) -> None:
    def asking(side: str) -> Callable[[], Answered]:
        peer, people = sides[side]
        query = queries(people)[name]
        return lambda: answered(peer, query)

    taken = in_turn({side: asking(side) for side in sides}, bench.turns(3, 5 if name == "all" else 7))
    ours, theirs = taken[OURS], taken["Orthanc"]
    found = {side: runs[0].rows for side, runs in taken.items()}
    if not found[OURS] or any(run.rows != found[side] for side, runs in taken.items() for run in runs):
        raise RuntimeError(f"{name}: answers differ: {taken}")
    if name == "all":
        assert found == {side: people.studies for side, (_, people) in sides.items()}, found
        pair = Pair(tuple(run.per_row for run in ours), tuple(run.per_row for run in theirs))
    else:
        assert found[OURS] == found["Orthanc"], f"{name}: {found}"
        pair = Pair(tuple(run.total for run in ours), tuple(run.total for run in theirs))
    firsts = " / ".join(f"{_milliseconds([run.first for run in runs]):,.1f}" for runs in (ours, theirs))
    totals = " / ".join(f"{_milliseconds([run.total for run in runs]):,.1f}" for runs in (ours, theirs))
    counts = " / ".join(f"{rows:,}" for rows in found.values())
    print(f"  {name:<18} {counts:>15} {firsts:>19} {totals:>19}   {pair.ratio:.1f} x", flush=True)
    bench.targets.at_least("query", f"{name} / Orthanc", _LEAST, pair.ratio)
    first = _milliseconds([run.first for run in ours])
    bench.targets.at_most("query", f"{name}: first row", _FIRST_ROW_MILLISECONDS, first, " ms")


def _milliseconds(seconds: Sequence[float]) -> float:
    return statistics.median(seconds) * 1000
