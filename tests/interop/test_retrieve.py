"""C-MOVE and C-GET from our archive by foreign requestors to foreign destinations, transcoded where they take less."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import (
    RTPlanStorage,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from pacs_tui.archive.archive import Archive
from pacs_tui.dimse.contexts import EXPLICIT, IMPLICIT
from pacs_tui.dimse.listener import Listener
from pacs_tui.dimse.part10 import read_held
from pacs_tui.dimse.peer import Peer
from pacs_tui.imaging.transcode import Transcoder
from pacs_tui.model.level import Level
from pacs_tui.model.node import Node
from pacs_tui.model.query import parse
from pacs_tui.model.transfer import Held, Target
from pacs_tui.settings import Area, Limits, Timeouts
from tests.dimse.test_dataset import bundled
from tests.interop.foreign import await_port, free_port, orthanc, program, storescp, tool
from tests.interop.test_dcmtk_as_client import address, data_set, read_uid, study

pytestmark = pytest.mark.interop
TODAY = date(2026, 11, 22)
MIXED = (
    "CT_small.dcm", "MR_small_RLE.dcm", "JPEG2000.dcm", "ExplVR_BigEnd.dcm", "image_dfl.dcm", "rtplan.dcm",
    "SC_rgb_jpeg_dcmtk.dcm", "examples_ybr_color.dcm", "MR_small_jpeg_ls_lossless.dcm", "reportsi.dcm", "JPEG-LL.dcm",
)  # fmt: skip


@dataclass
class Holding:
    """Our archive with a transcoder, and what it holds."""

    node: Node
    nodes: dict[str, Node]
    scratch: Path

    def send(self, instances: Sequence[Held]) -> list[str]:
        """Store them; their studies, each once."""
        assert [sent for sent in Peer(self.node, "TESTER", Timeouts()).send(instances) if sent.status] == []
        headers = [pydicom.dcmread(held.path, stop_before_pixels=True) for held in instances]
        return list(dict.fromkeys(str(header.StudyInstanceUID) for header in headers))


@contextmanager
def holding(folder: Path, associations: int = 2) -> Iterator[Holding]:
    nodes: dict[str, Node] = {}
    archive = Archive([Area("HELD", 0, folder / "held")], f"sqlite:///{folder / 'index.db'}", nodes.get)
    archive.open()
    transcoder = Transcoder(folder / "scratch")
    listener = Listener(
        archive, [("127.0.0.1", 0)], Limits(move_associations=associations), Timeouts(message=30), transcoder
    )
    listener.open()
    try:
        yield Holding(Node("HELD", "HELD", "127.0.0.1", listener.ports[0]), nodes, folder / "scratch")
    finally:
        listener.close(1.0)
        transcoder.close()
        archive.close()


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Holding]:
    with holding(tmp_path) as made:
        yield made


def mixed(folder: Path) -> list[Held]:
    """Files of many transfer syntaxes, each under a UID of its own."""
    folder.mkdir()
    found = []
    for number, name in enumerate(MIXED):
        dataset = pydicom.dcmread(bundled(name))
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.4.{number + 1}"
        dataset.save_as(folder / name)
        found.append(read_held(folder / name))
    return found


def many(folder: Path, count: int) -> list[Held]:
    folder.mkdir()
    dataset = pydicom.dcmread(bundled("rtplan.dcm"))
    found = []
    for number in range(count):
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number + 1}"
        dataset.save_as(folder / f"{number}.dcm")
        found.append(read_held(folder / f"{number}.dcm"))
    return found


def arrived(folder: Path) -> dict[str, Path]:
    return {read_uid(path): path for path in folder.iterdir()}


def same_image(path: Path, original: Path, syntax: str | None) -> None:
    """Pixels as pydicom decodes them, lossy where it was, and in this transfer syntax."""
    before, after = pydicom.dcmread(original), pydicom.dcmread(path)
    assert syntax in (None, after.file_meta.TransferSyntaxUID), original.name
    assert {e.tag for e in before if e.tag.element} - {0x7FE00001, 0x7FE00002} <= {e.tag for e in after}, original.name
    if "PixelData" in before:
        assert np.array_equal(before.pixel_array, after.pixel_array), original.name
    if "1.2.4.50" in before.file_meta.TransferSyntaxUID:
        assert after.LossyImageCompression == "01"


@pytest.mark.parametrize(("option", "syntax"), [("+xi", IMPLICIT), ("+x=", EXPLICIT)])
def test_movescu_to_a_storescp_that_takes_less(held: Holding, tmp_path: Path, option: str, syntax: str) -> None:
    instances = mixed(tmp_path / "mixed")
    studies = held.send(instances)
    with storescp(tmp_path / "arrived", "DEST", option, "--fork") as destination:
        held.nodes["DEST"] = destination
        for uid in studies:
            done = tool("movescu", "-S", "-aem", "DEST", *study(uid), *address(held.node))
            assert done.returncode == 0, done.stderr
        there = arrived(tmp_path / "arrived")
    assert set(there) == {one.sop_instance for one in instances}
    for one in instances:
        # storescp prefers the byte order of its machine, but takes any that is not compressed
        kept = one.transfer_syntax if option == "+x=" and one.transfer_syntax.endswith(("1.2.2", "1.2")) else syntax
        same_image(there[one.sop_instance], one.path, kept)
    assert list(held.scratch.rglob("*.dcm")) == []


def test_getscu_that_takes_less(held: Holding, tmp_path: Path) -> None:
    """It prefers what is not compressed, and proposes one context for each class."""
    instances = mixed(tmp_path / "mixed")
    (tmp_path / "got").mkdir()
    for uid in held.send(instances):
        done = tool("getscu", "-S", "+B", "-od", str(tmp_path / "got"), *study(uid), *address(held.node))
        assert done.returncode == 0, done.stderr
    there = arrived(tmp_path / "got")
    assert set(there) == {one.sop_instance for one in instances}
    for one in instances:
        same_image(there[one.sop_instance], one.path, EXPLICIT)


def test_a_pynetdicom_get_that_takes_implicit_only(held: Holding, tmp_path: Path) -> None:
    instances = mixed(tmp_path / "mixed")
    studies = held.send(instances)
    (tmp_path / "got").mkdir()

    def kept(event: evt.Event) -> int:
        event.dataset.file_meta = event.file_meta
        event.dataset.save_as(
            tmp_path / "got" / f"{event.request.AffectedSOPInstanceUID}.dcm", enforce_file_format=True
        )
        return 0

    classes = {one.sop_class for one in instances}
    ae = AE("PYND")
    for uid in (StudyRootQueryRetrieveInformationModelGet, *classes):
        ae.add_requested_context(uid, IMPLICIT)
    association = ae.associate(
        held.node.host, held.node.port, ae_title="HELD", evt_handlers=[(evt.EVT_C_STORE, kept)],
        ext_neg=[build_role(uid, scp_role=True) for uid in classes],
    )  # fmt: skip
    for uid in studies:
        answers = association.send_c_get(asked(uid), StudyRootQueryRetrieveInformationModelGet)
        assert [status.Status for status, _ in answers][-1] == 0
    association.release()
    for one in instances:
        same_image(tmp_path / "got" / f"{one.sop_instance}.dcm", one.path, IMPLICIT)


def test_movescu_to_orthanc(held: Holding, tmp_path: Path) -> None:
    instances = mixed(tmp_path / "mixed")
    studies = held.send(instances)
    with orthanc(tmp_path / "orthanc", []) as destination:
        held.nodes["ORTHANC"] = destination
        for uid in studies:
            done = tool("movescu", "-S", "-aem", "ORTHANC", *study(uid), *address(held.node))
            assert done.returncode == 0, done.stderr
        peer = Peer(destination, "TESTER", Timeouts())
        assert {match.uid for match in peer.find(parse("", TODAY))} == set(studies)
        peer.close()


@pytest.mark.parametrize("options", [("--fork",), ()], ids=["fork", "one-after-the-other"])
def test_parallel_associations(held: Holding, tmp_path: Path, options: tuple[str, ...]) -> None:
    """storescp without --fork leaves the second association in the kernel's queue."""
    instances = many(tmp_path / "many", 100)
    (uid,) = held.send(instances)
    with storescp(tmp_path / "arrived", "DEST", *options) as destination:
        held.nodes["DEST"] = destination
        for _ in range(2):
            progress = list(Peer(held.node, "TESTER", Timeouts()).move(Target(Level.STUDY, study_uid=uid), "DEST"))[-1]
            assert (progress.status, progress.completed, progress.failed) == (0, 100, 0)
        there = arrived(tmp_path / "arrived")
    assert {data_set(path) for path in there.values()} == {data_set(one.path) for one in instances}


def test_an_unmodified_storescp(held: Holding, tmp_path: Path) -> None:
    """With Nagle's algorithm on its side."""
    instances = many(tmp_path / "many", 40)
    (uid,) = held.send(instances)
    (tmp_path / "arrived").mkdir()
    with storescp_as_shipped(tmp_path / "arrived") as destination:
        held.nodes["DEST"] = destination
        done = tool("movescu", "-S", "-aem", "DEST", *study(uid), *address(held.node))
        assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "arrived").iterdir())) == 40


@contextmanager
def storescp_as_shipped(folder: Path) -> Iterator[Node]:
    port = free_port()
    environ = {name: value for name, value in os.environ.items() if name != "TCP_NODELAY"}
    process = subprocess.Popen([program("storescp"), "-od", str(folder), str(port)], env=environ)
    try:
        await_port(port, process, "storescp")
        yield Node("DEST", "DEST", "127.0.0.1", port)
    finally:
        process.terminate()
        process.wait(10)


def asked(uid: str) -> Dataset:
    query = Dataset()
    query.QueryRetrieveLevel, query.StudyInstanceUID = "STUDY", uid
    return query


def test_pynetdicom_cancels_a_move(held: Holding, tmp_path: Path) -> None:
    instances = many(tmp_path / "many", 60)
    (uid,) = held.send(instances)
    began, go = threading.Event(), threading.Event()
    stored: list[str] = []

    def kept(event: evt.Event) -> int:
        stored.append(str(event.request.AffectedSOPInstanceUID))
        if len(stored) >= 10:
            began.set()
            go.wait(20)
        return 0

    destination = AE("DEST")
    destination.add_supported_context(RTPlanStorage, [IMPLICIT, EXPLICIT])
    server = destination.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, kept)])
    held.nodes["DEST"] = Node("DEST", "DEST", "127.0.0.1", server.socket.getsockname()[1])
    ae = AE("PYND")
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelMove)
    association = ae.associate(held.node.host, held.node.port, ae_title="HELD")
    try:
        answers = association.send_c_move(asked(uid), "DEST", StudyRootQueryRetrieveInformationModelMove, msg_id=9)
        assert began.wait(20)
        association.send_c_cancel(9, query_model=StudyRootQueryRetrieveInformationModelMove)
        go.set()
        final = [status for status, _ in answers][-1]
        assert final.Status == 0xFE00
        assert final.NumberOfCompletedSuboperations + final.NumberOfRemainingSuboperations == 60
        assert final.NumberOfCompletedSuboperations == len(stored) < 60
    finally:
        association.release()
        server.shutdown()


def test_pynetdicom_cancels_a_get(held: Holding, tmp_path: Path) -> None:
    instances = many(tmp_path / "many", 60)
    (uid,) = held.send(instances)
    stored: list[str] = []

    def kept(event: evt.Event) -> int:
        stored.append(str(event.request.AffectedSOPInstanceUID))
        if len(stored) == 5:
            event.assoc.send_c_cancel(9, query_model=StudyRootQueryRetrieveInformationModelGet)
        return 0

    ae = AE("PYND")
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelGet)
    ae.add_requested_context(RTPlanStorage)
    association = ae.associate(
        held.node.host, held.node.port, ae_title="HELD", ext_neg=[build_role(RTPlanStorage, scp_role=True)],
        evt_handlers=[(evt.EVT_C_STORE, kept)],
    )  # fmt: skip
    answers = association.send_c_get(asked(uid), StudyRootQueryRetrieveInformationModelGet, msg_id=9)
    final = [status for status, _ in answers][-1]
    assert (final.Status, final.NumberOfCompletedSuboperations) == (0xFE00, len(stored))
    assert final.NumberOfCompletedSuboperations + final.NumberOfRemainingSuboperations == 60
    association.release()
