"""Our Peer against dcmqrscp and Orthanc: echo, find at each level in both models, get, move, send; counts and bytes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pydicom
import pytest

from pacs_tui.cli.get import Folder
from pacs_tui.dimse.contexts import BIG_ENDIAN, EXPLICIT, IMPLICIT
from pacs_tui.dimse.peer import Peer
from pacs_tui.model.level import Level, Root
from pacs_tui.model.match import Match
from pacs_tui.model.node import Node
from pacs_tui.model.query import RETURN_KEYS, Query, children, parse
from pacs_tui.model.transfer import Held, Target
from pacs_tui.settings import Timeouts
from tests.interop.conftest import Served
from tests.interop.foreign import dcmqrscp, orthanc, storescp
from tests.interop.test_dcmtk_as_client import data_set, read_uid

pytestmark = pytest.mark.interop
Start = Callable[[Path, Sequence[Node]], AbstractContextManager[Node]]
TODAY = date(2026, 11, 22)
UNCOMPRESSED = (IMPLICIT, EXPLICIT, BIG_ENDIAN)


@dataclass
class Foreign:
    """A foreign archive that holds the instances, and a storescp it may move to."""

    peer: Peer
    destination: Node
    arrived: Path
    sent: list[Held]


@pytest.fixture(params=[dcmqrscp, orthanc], ids=["dcmqrscp", "orthanc"])
def foreign(request: pytest.FixtureRequest, tmp_path: Path, served: Served, instances: list[Held]) -> Iterator[Foreign]:
    start: Start = request.param
    with ExitStack() as stack:
        destination = stack.enter_context(storescp(tmp_path / "arrived", "DEST", "+xa"))
        node = stack.enter_context(start(tmp_path / "foreign", [destination, served.nodes["ORTHO1"]]))
        peer = Peer(node, "TESTER", Timeouts(message=30))
        # dcmqrscp takes either uncompressed instances or those of one compressed syntax
        chosen = [held for held in instances if start is orthanc or held.transfer_syntax in UNCOMPRESSED]
        assert len(chosen) >= 5
        results = list(peer.send(chosen))
        assert [sent.sop_instance for sent in results if not sent.kept] == []
        yield Foreign(peer, destination, tmp_path / "arrived", chosen)
        peer.close()


def test_echo(foreign: Foreign) -> None:
    echoes = list(foreign.peer.echo(3))
    assert len(echoes) == 3
    assert all(echo.milliseconds > 0 for echo in echoes)


def test_find_at_each_level_of_both_models(foreign: Foreign) -> None:
    whole = {held.sop_instance: pydicom.dcmread(held.path, stop_before_pixels=True) for held in foreign.sent}
    studies = list(foreign.peer.find(parse("", TODAY)))
    assert {study.uid for study in studies} == {str(ds.StudyInstanceUID) for ds in whole.values()}
    found: set[str] = set()
    for study in studies:
        for series in foreign.peer.find(children([study])):
            found |= {image.uid for image in foreign.peer.find(children([study, series]))}
    assert found == set(whole)
    ct = next(ds for ds in whole.values() if ds.Modality == "CT" and ds.PatientID == "1CT1")
    path = [("PatientID", str(ct.PatientID)), ("StudyInstanceUID", str(ct.StudyInstanceUID)),
            ("SeriesInstanceUID", str(ct.SeriesInstanceUID)), ("SOPInstanceUID", str(ct.SOPInstanceUID))]  # fmt: skip
    for depth, level in enumerate(Level):
        answers = list(foreign.peer.find(patient_root(level, path[: depth + 1])))
        assert [answer.uid for answer in answers] == [path[depth][1]], level


def patient_root(level: Level, path: list[tuple[str, str]]) -> Query:
    keys = dict.fromkeys(RETURN_KEYS[level] if level is not Level.STUDY else ("StudyDate",), "")
    return Query(level, Root.PATIENT, tuple((keys | dict(path)).items()))


def ct_of(foreign: Foreign) -> tuple[Held, Match]:
    held = next(held for held in foreign.sent if held.path.name == "CT_small.dcm")
    uid = pydicom.dcmread(held.path).StudyInstanceUID
    return held, next(study for study in foreign.peer.find(parse("", TODAY)) if study.uid == uid)


def test_get(foreign: Foreign, tmp_path: Path) -> None:
    held, study = ct_of(foreign)
    folder = Folder(tmp_path, False)
    progress = list(foreign.peer.get(Target(Level.STUDY, study_uid=study.uid), folder.receive))[-1]
    assert (progress.status, progress.failed) == (0, 0)
    assert [read_uid(path) for path in folder.written] == [held.sop_instance]
    assert pydicom.dcmread(folder.written[0]).PixelData == pydicom.dcmread(held.path).PixelData


def test_move_to_storescp(foreign: Foreign) -> None:
    held, study = ct_of(foreign)
    progress = list(foreign.peer.move(Target(Level.STUDY, study_uid=study.uid), "DEST"))[-1]
    assert (progress.status, progress.failed, progress.completed) == (0, 0, 1)
    arrived = list(foreign.arrived.iterdir())
    assert [read_uid(path) for path in arrived] == [held.sop_instance]
    assert pydicom.dcmread(arrived[0]).PixelData == pydicom.dcmread(held.path).PixelData


def test_move_to_our_archive(foreign: Foreign, served: Served) -> None:
    _, study = ct_of(foreign)
    progress = list(foreign.peer.move(Target(Level.STUDY, study_uid=study.uid), "ORTHO1"))[-1]
    assert (progress.status, progress.failed) == (0, 0)
    assert [match.uid for match in served.peer("ORTHO1").find(parse("", TODAY))] == [study.uid]


def test_cancel_and_ask_again(foreign: Foreign) -> None:
    cancel = threading.Event()
    cancel.set()
    first = list(foreign.peer.find(parse("", TODAY, 1)))
    assert len(first) == 1
    assert len(list(foreign.peer.find(parse("", TODAY)))) > 1


def test_send_to_storescp_keeps_the_bytes(tmp_path: Path, instances: list[Held]) -> None:
    with storescp(tmp_path / "in", "DEST", "+xa") as node:
        assert [sent.status for sent in Peer(node, "ME", Timeouts()).send(instances)] == [0] * len(instances)
        arrived = {read_uid(path): path for path in (tmp_path / "in").iterdir()}
    for held in instances:
        assert data_set(arrived[held.sop_instance]) == data_set(held.path), held.path.name
