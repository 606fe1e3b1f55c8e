"""What the benchmarks rest on: what is sent, what is asked, whose turn it is. Speed is no test's business."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pydicom
import pytest

from bench.bench import Bench
from bench.corpus import CT, MAMMOGRAM, MINIMAL, TINY, Corpus, Kind, Population, instance
from bench.filling import fill
from bench.pairs import Pair, in_turn
from bench.process import cost, tree
from bench.query import queries
from bench.targets import Targets
from pacs_tui.archive.archive import Archive
from pacs_tui.dimse.listener import Listener
from pacs_tui.dimse.peer import Peer
from pacs_tui.model.node import Node
from pacs_tui.model.query import parse
from pacs_tui.settings import Area, Limits, Timeouts


@pytest.mark.parametrize(("kind", "size"), [(CT, 526_000), (TINY, 4_100), (MAMMOGRAM, 27_264_900), (MINIMAL, 1_900)])
def test_an_instance_is_what_its_study_says(kind: Kind, size: int) -> None:
    study = Population(20_000).study(9009)
    ds = pydicom.dcmread(io.BytesIO(instance(kind, study, 2, 1033)))
    assert ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID == f"{study.uid}.2.1033"
    assert (ds.SeriesInstanceUID, ds.SeriesNumber, ds.InstanceNumber) == (f"{study.uid}.2", 2, 1033)
    assert (ds.StudyInstanceUID, ds.PatientID, ds.AccessionNumber) == (study.uid, study.patient_id, study.accession)
    assert (str(ds.PatientName), ds.StudyDate, ds.Modality) == (study.name, study.day, study.modality)
    assert len(ds.get("PixelData", b"")) == 2 * kind.rows * kind.columns
    assert len(instance(kind, study, 2, 1033)) == pytest.approx(size, rel=0.01)


def test_the_corpus_is_written_once_and_dealt_whole(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)
    files = corpus.files(TINY, 25)
    written = [path.stat().st_mtime_ns for path in files]
    hands = corpus.dealt(TINY, 25, 4)
    assert sorted(path.name for hand in hands for path in hand.iterdir()) == [path.name for path in files]
    assert [path.stat().st_mtime_ns for path in corpus.files(TINY, 25)] == written
    found = [pydicom.dcmread(path, stop_before_pixels=True) for path in files]
    assert len({ds.SOPInstanceUID for ds in found}) == 25
    assert sorted(Counter(ds.StudyInstanceUID for ds in found).values()) == [5, 10, 10]


def test_sides_take_turns_and_ratios_are_of_one_round() -> None:
    order: list[str] = []

    def side(name: str) -> int:
        order.append(name)
        return len(order)

    taken = in_turn({name: lambda name=name: side(name) for name in "ab"}, 4, warm_up=False)  # type: ignore[misc]
    assert "".join(order) == "abbaabba"
    assert taken == {"a": (1, 4, 5, 8), "b": (2, 3, 6, 7)}
    assert Pair((1.0, 2.0, 1.0), (3.0, 4.0, 9.0)).ratio == 3.0


def test_verdicts(capsys: pytest.CaptureFixture[str]) -> None:
    targets = Targets()
    targets.at_least("store", "one", 2, 2.5)
    targets.at_most("store", "two", 0.4, 0.5)
    targets.show()
    assert [verdict.met for verdict in targets.verdicts] == [True, False]
    assert re.search(r"two +at most 0\.4 x +0\.5 x +MISSED\n1 of 2", capsys.readouterr().out)


def test_folders_are_never_used_twice(tmp_path: Path) -> None:
    for name in ("memory", "disk"):
        (tmp_path / name).mkdir()
    bench = Bench(tmp_path / "memory", tmp_path / "disk")
    used = []
    for durable in (False, False, True, True):
        with bench.fresh(durable) as folder:
            used.append((folder, durable))
    assert len({folder.name for folder, _ in used}) == 4
    assert [folder.exists() for folder, _ in used] == [durable for _, durable in used]


@pytest.mark.interop
def test_a_query_finds_as_many_in_a_small_archive(tmp_path: Path) -> None:
    """What makes the rows of the query bench comparable."""
    large, small = (_found(tmp_path / str(n), Population(n, per_name=n // 10)) for n in (2000, 1200))
    del large["SMI*"], large["*MIT*"], small["SMI*"], small["*MIT*"], large["all"], small["all"]
    assert large == small
    assert large["newest 500"] == 513
    assert min(large.values()) == 1


def _found(home: Path, people: Population) -> dict[str, int]:
    fill(home, people)
    archive = Archive(
        [Area("PEER", 0, home / "data" / "sta")], f"sqlite:///{home / 'data' / 'index.db'}", lambda _: None
    )
    archive.open()
    listener = Listener(archive, [("127.0.0.1", 0)], Limits())
    listener.open()
    peer = Peer(Node("PEER", "PEER", "127.0.0.1", listener.ports[0]), "TESTER", Timeouts())
    found = {name: len(list(peer.find(query))) for name, query in queries(people).items()}
    peer.close()
    listener.close(1.0)
    archive.close()
    assert found["all"] == people.studies
    assert found["*MIT*"] == 2 * found["SMI*"] > 0
    return found


@pytest.fixture
def canned() -> Iterator[tuple[Node, int]]:
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.canned", "1234"], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    yield Node("CANNED", "CANNED", "127.0.0.1", int(server.stdout.readline())), server.pid
    server.communicate("", 10)
    assert server.returncode == 0


@pytest.mark.interop
def test_the_canned_server_answers_and_has_its_cost(canned: tuple[Node, int]) -> None:
    node, pid = canned
    peer = Peer(node, "TESTER", Timeouts())
    for _ in range(2):
        rows = list(peer.find(parse("", date(2026, 11, 22))))
        assert [row.get("PatientID") for row in rows[:2]] == ["PID100000", "PID100001"]
        assert len({row.uid for row in rows}) == 1234
    peer.close()
    assert tree(pid) == [pid]
    assert cost(pid).cpu > 0
    assert 5 < cost(pid).peak < 500
