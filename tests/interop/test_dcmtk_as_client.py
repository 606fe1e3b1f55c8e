"""DCMTK's tools against our archive: echo, store, find, move, get; counts and bytes compared."""

from __future__ import annotations

import struct
from pathlib import Path

import pydicom
import pytest

from pacs_tui.model.node import Node
from pacs_tui.model.transfer import Held
from tests.dimse.test_dataset import bundled
from tests.interop.conftest import Served
from tests.interop.foreign import storescp, tool

pytestmark = pytest.mark.interop


def data_set(path: Path) -> bytes:
    """What follows the File Meta Information."""
    data = path.read_bytes()
    return data[144 + struct.unpack_from("<I", data, 140)[0] :]


def address(node: Node) -> tuple[str, ...]:
    return "-aet", "DCMTK", "-aec", node.ae_title, node.host, str(node.port)


def study(uid: object) -> tuple[str, ...]:
    return "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={uid}"


@pytest.fixture
def filled(served: Served, instances: list[Held]) -> Served:
    assert all(sent.status == 0 for sent in served.peer().send(instances))
    return served


def test_echoscu(served: Served) -> None:
    for node in served.nodes.values():
        assert tool("echoscu", *address(node)).returncode == 0
    wrong = tool("echoscu", "-aec", "NOBODY", served.nodes["ORTHO1"].host, str(served.nodes["ORTHO1"].port))
    assert wrong.returncode != 0
    assert "Called AE Title Not Recognized" in wrong.stderr


def test_storescu_and_the_bytes_storescp_would_have_kept(served: Served, tmp_path: Path) -> None:
    """storescu writes data sets anew before it sends them: DCMTK's own receiver says which bytes were on the wire."""
    files = [str(bundled(name)) for name in ("CT_small.dcm", "examples_palette.dcm", "rtplan.dcm", "MR_small.dcm")]
    with storescp(tmp_path / "theirs") as node:
        assert tool("storescu", "-R", *address(node), *files).returncode == 0
    done = tool("storescu", "-R", *address(served.nodes["IMAGECTN"]), *files)
    assert done.returncode == 0, done.stderr
    area = served.home / "data" / "IMAGECTN"
    ours = [path for path in area.rglob("*") if path.is_file() and path.name not in ("alive", "sweep")]
    theirs = list((tmp_path / "theirs").iterdir())
    assert len(ours) == len(files)
    assert {read_uid(path): data_set(path) for path in ours} == {read_uid(path): data_set(path) for path in theirs}


@pytest.mark.parametrize(("option", "model"), [("-S", "study"), ("-P", "patient")])
def test_findscu_at_every_level(filled: Served, instances: list[Held], tmp_path: Path, option: str, model: str) -> None:
    node = filled.nodes["IMAGECTN"]
    whole = pydicom.dcmread(instances[0].path)
    keys: list[str] = []
    if model == "patient":
        keys = ["-k", f"PatientID={whole.PatientID}"]
        patients = answers(tmp_path / "p", option, node, "PATIENT", *keys, "-k", "PatientName")
        assert [str(answer.PatientName) for answer in patients] == [str(whole.PatientName)]
    studies = answers(tmp_path / "t", option, node, "STUDY", *keys, "-k", "StudyInstanceUID", "-k", "ModalitiesInStudy")
    expected = (
        {str(pydicom.dcmread(i.path).StudyInstanceUID) for i in instances}
        if model == "study"
        else {whole.StudyInstanceUID}
    )
    assert {str(answer.StudyInstanceUID) for answer in studies} == expected
    keys += ["-k", f"StudyInstanceUID={whole.StudyInstanceUID}"]
    series = answers(tmp_path / "s", option, node, "SERIES", *keys, "-k", "SeriesInstanceUID", "-k", "Modality")
    assert [(str(a.SeriesInstanceUID), a.Modality) for a in series] == [(whole.SeriesInstanceUID, "CT")]
    keys += ["-k", f"SeriesInstanceUID={whole.SeriesInstanceUID}"]
    images = answers(tmp_path / "i", option, node, "IMAGE", *keys, "-k", "SOPInstanceUID", "-k", "InstanceNumber")
    assert [str(answer.SOPInstanceUID) for answer in images] == [whole.SOPInstanceUID]


def answers(folder: Path, option: str, node: Node, level: str, *keys: str) -> list[pydicom.Dataset]:
    """Run findscu and read the answers it extracted."""
    folder.mkdir()
    done = tool("findscu", option, "-X", "-od", str(folder), "-k", f"QueryRetrieveLevel={level}", *keys, *address(node))
    assert done.returncode == 0, done.stderr
    return [pydicom.dcmread(path, force=True) for path in sorted(folder.glob("rsp*.dcm"))]


def test_movescu_to_storescp_and_its_bytes(filled: Served, instances: list[Held], tmp_path: Path) -> None:
    with storescp(tmp_path / "arrived", "DEST", "+xa") as destination:
        filled.book.save_node(destination)
        for held in instances:
            uid = pydicom.dcmread(held.path, stop_before_pixels=True).StudyInstanceUID
            done = tool("movescu", "-S", "-aem", "DEST", *study(uid),
                        *address(filled.nodes["IMAGECTN"]))  # fmt: skip
            assert done.returncode == 0, done.stderr
        arrived = {read_uid(path): path for path in (tmp_path / "arrived").iterdir()}
    assert set(arrived) == {held.sop_instance for held in instances}
    for held in instances:
        assert data_set(arrived[held.sop_instance]) == data_set(held.path), held.path.name


def read_uid(path: Path) -> str:
    return str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID)


def test_movescu_to_nowhere(filled: Served, instances: list[Held]) -> None:
    uid = pydicom.dcmread(instances[0].path).StudyInstanceUID
    done = tool("movescu", "-v", "-S", "-aem", "NOWHERE", *study(uid),
                *address(filled.nodes["IMAGECTN"]))  # fmt: skip
    assert "MoveDestinationUnknown" in done.stderr + done.stdout


def test_getscu_and_its_bytes(filled: Served, instances: list[Held], tmp_path: Path) -> None:
    whole = pydicom.dcmread(instances[0].path)
    (tmp_path / "got").mkdir()
    done = tool("getscu", "-S", "+B", "-od", str(tmp_path / "got"), "-k", "QueryRetrieveLevel=STUDY",
                "-k", f"StudyInstanceUID={whole.StudyInstanceUID}", *address(filled.nodes["IMAGECTN"]))  # fmt: skip
    assert done.returncode == 0, done.stderr
    fetched = list((tmp_path / "got").iterdir())
    assert len(fetched) == 1
    assert data_set(fetched[0]) == data_set(instances[0].path)
