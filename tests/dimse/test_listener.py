"""Our listener: real archive behind it, pynetdicom and our own Peer before it, and callers who mean no good."""

from __future__ import annotations

import socket
import struct
from datetime import date
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import (
    CTImageStorage,
    MRImageStorage,
    PatientRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from pacs_tui.dimse import command as cmd
from pacs_tui.dimse.association import Association
from pacs_tui.dimse.contexts import for_storage
from pacs_tui.dimse.peer import Peer
from pacs_tui.dimse.upper_layer import p_data
from pacs_tui.errors import Refused, Unreachable
from pacs_tui.model.level import Level
from pacs_tui.model.node import Node
from pacs_tui.model.query import by_uid, children, parse
from pacs_tui.model.transfer import Held, Target
from pacs_tui.settings import Timeouts
from tests.dimse.conftest import Running
from tests.dimse.test_dataset import bundled

pytestmark = pytest.mark.interop
TODAY = date(2026, 11, 22)


def test_sent_found_moved_and_the_same_bytes(archive: Running, instances: list[Held], tmp_path: Path) -> None:
    peer = archive.peer("FIRST")
    assert [sent.status for sent in peer.send(instances)] == [0] * len(instances)
    studies = list(peer.find(parse("", TODAY)))
    assert len(studies) == len({pydicom.dcmread(held.path).StudyInstanceUID for held in instances})
    for study in studies:
        progress = list(peer.move(Target(Level.STUDY, study_uid=study.uid), "SECOND"))[-1]
        assert (progress.status, progress.failed, progress.completed >= 1) == (0, 0, True)
    friend = archive.peer("SECOND", "FRIEND")
    assert {s.uid for s in friend.find(parse("", TODAY))} == {s.uid for s in studies}
    stored = sorted(data_set(path) for path in instance_files(tmp_path / "second"))
    assert stored == sorted(data_set(held.path) for held in instances)


def instance_files(folder: Path) -> list[Path]:
    """Everything in an area but its two empty lock files."""
    return [path for path in folder.rglob("*") if path.is_file() and path.name not in ("alive", "sweep")]


def data_set(path: Path) -> bytes:
    """What follows the File Meta Information."""
    data = path.read_bytes()
    return data[144 + struct.unpack_from("<I", data, 140)[0] :]


def test_levels_down_to_the_instance(archive: Running, instances: list[Held]) -> None:
    peer = archive.peer("FIRST")
    list(peer.send(instances))
    study = next(iter(peer.find(parse("mod:CT id:1CT1", TODAY))))
    series = list(peer.find(children([study])))
    images = list(peer.find(children([study, series[0]])))
    assert [image.uid for image in images] == [instances[0].sop_instance]
    assert (images[0].get("Rows"), images[0].get("SOPClassUID")) == ("128", str(CTImageStorage))


def test_titles_that_are_not_known_here(archive: Running) -> None:
    with pytest.raises(Refused) as caught:
        list(Peer(archive.nodes["SECOND"], "STRANGER", Timeouts()).echo())
    assert caught.value.code == "rj:1:1:3"
    wrong = Node("X", "NOBODY", "127.0.0.1", archive.nodes["FIRST"].port)
    with pytest.raises(Refused) as caught:
        list(Peer(wrong, "ME", Timeouts()).echo())
    assert caught.value.code == "rj:1:1:7"


def test_pynetdicom_echoes_stores_finds_moves_and_gets(archive: Running) -> None:
    node = archive.nodes["FIRST"]
    ae = AE("PYND")
    for uid in (Verification, CTImageStorage, MRImageStorage, StudyRootQueryRetrieveInformationModelFind,
                PatientRootQueryRetrieveInformationModelFind, StudyRootQueryRetrieveInformationModelMove,
                StudyRootQueryRetrieveInformationModelGet):  # fmt: skip
        ae.add_requested_context(uid)
    ae.add_requested_context(CTImageStorage, "1.2.840.10008.1.2.1")
    got = []

    def kept(event: evt.Event) -> int:
        got.append(str(event.request.AffectedSOPInstanceUID))
        return 0

    handlers = [(evt.EVT_C_STORE, kept)]
    roles = [build_role(CTImageStorage, scp_role=True, scu_role=True)]
    association = ae.associate(node.host, node.port, ae_title="FIRST", ext_neg=roles, evt_handlers=handlers)
    assert association.is_established
    assert association.send_c_echo().Status == 0
    ct = pydicom.dcmread(bundled("CT_small.dcm"))
    assert association.send_c_store(ct).Status == 0
    query = Dataset()
    query.QueryRetrieveLevel, query.PatientName, query.StudyInstanceUID = "STUDY", "*CT1", ""
    for model in (StudyRootQueryRetrieveInformationModelFind, PatientRootQueryRetrieveInformationModelFind):
        query.PatientID = "1CT1"
        answers = list(association.send_c_find(query, model))
        assert [status.Status for status, _ in answers] == [0xFF00, 0]
        assert answers[0][1].StudyInstanceUID == ct.StudyInstanceUID
    query.StudyInstanceUID = ct.StudyInstanceUID
    moved = [
        status for status, _ in association.send_c_move(query, "SECOND", StudyRootQueryRetrieveInformationModelMove)
    ]
    assert (moved[-1].Status, moved[-1].NumberOfCompletedSuboperations) == (0, 1)
    fetched = [status for status, _ in association.send_c_get(query, StudyRootQueryRetrieveInformationModelGet)]
    assert (fetched[-1].Status, got) == (0, [ct.SOPInstanceUID])
    association.release()


def test_a_query_without_its_unique_keys_is_refused(archive: Running, instances: list[Held]) -> None:
    node = archive.nodes["FIRST"]
    list(archive.peer("FIRST").send(instances))
    ae = AE("PYND")
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelMove)
    association = ae.associate(node.host, node.port, ae_title="FIRST")
    query = Dataset()
    query.QueryRetrieveLevel, query.StudyInstanceUID = "STUDY", ""
    for asked in ("", "../../etc/passwd"):
        query.StudyInstanceUID = asked
        answers = [s for s, _ in association.send_c_move(query, "SECOND", StudyRootQueryRetrieveInformationModelMove)]
        assert answers[-1].Status == 0xA900
    query.StudyInstanceUID = "1.2.3"
    answers = [s for s, _ in association.send_c_move(query, "NOBODY", StudyRootQueryRetrieveInformationModelMove)]
    assert answers[-1].Status == 0xA801
    association.release()


def test_our_peer_and_pynetdicom_as_the_server(instances: list[Held]) -> None:
    stored = []
    ae = AE("PYND")
    ae.add_supported_context(Verification)
    ae.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
    for held in instances:
        ae.add_supported_context(held.sop_class, held.transfer_syntax)

    def found(event: evt.Event):  # type: ignore[no-untyped-def]
        answer = Dataset()
        answer.QueryRetrieveLevel, answer.SpecificCharacterSet = "STUDY", "ISO_IR 100"
        for number in range(30):
            answer.PatientName = f"Müller^{number}"
            yield 0xFF00, answer

    def kept(event: evt.Event) -> int:
        stored.append(str(event.dataset.SOPInstanceUID))
        return 0

    handlers = [(evt.EVT_C_STORE, kept), (evt.EVT_C_FIND, found)]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        node = Node("PYND", "PYND", "127.0.0.1", server.socket.getsockname()[1])
        peer = Peer(node, "ME", Timeouts())
        assert len(list(peer.echo(2))) == 2
        assert all(sent.status == 0 for sent in peer.send(instances))
        assert stored == [held.sop_instance for held in instances]
        assert [match.get("PatientName") for match in peer.find(parse("", TODAY))] == [f"Müller^{n}" for n in range(30)]
        peer.close()
    finally:
        server.shutdown()


# ---------------------------------------------------------------------- callers who mean no good


OVER_THE_END = b"".join(
    (b"\x01\0\0\0\0\x64\0\1\0\0", b"FIRST".ljust(16), b"ME".ljust(16), bytes(32), b"\x10\0\xff\xff", bytes(28))
)


def raw(archive: Running, data: bytes) -> bytes:
    """Send bytes to a fresh connection and read until the archive closes it."""
    with socket.create_connection(("127.0.0.1", archive.nodes["FIRST"].port), 5) as sock:
        sock.sendall(data)
        sock.settimeout(8)
        got = b""
        while part := sock.recv(4096):
            got += part
    return got


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x01\x00\xff\xff\xff\xff",
        b"\x04\x00\x00\x00\x00\x10" + bytes(16),
        b"\x01\x00\x00\x00\x00\x04abcd",
        b"\x01\x00\x00\x00\x00\x60" + bytes(0x60),
        OVER_THE_END,
    ],
    ids=["http", "4-GiB", "data-first", "short", "zeros", "item-over-the-end"],
)
def test_rubbish_is_answered_with_an_abort(archive: Running, data: bytes) -> None:
    assert raw(archive, data)[:1] in (b"\x07", b"\x03")
    assert len(list(archive.peer("FIRST").echo())) == 1


def test_a_caller_who_says_nothing_is_shown_out(archive: Running) -> None:
    assert raw(archive, b"")[:1] == b"\x07"
    assert raw(archive, b"\x01\x00\x00\x00")[:1] == b"\x07"


def test_a_crowd_from_one_host_is_turned_away_and_the_others_are_served(archive: Running) -> None:
    port = archive.nodes["FIRST"].port
    peer = archive.peer("FIRST")
    busy = peer.find(parse("", TODAY))
    crowd = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(25)]
    try:
        with pytest.raises(Refused) as caught:
            list(archive.peer("FIRST").echo())
        assert caught.value.code == "rj:2:3:2"
    finally:
        for sock in crowd:
            sock.close()
    assert list(busy) == []
    for _ in range(100):
        try:
            assert len(list(archive.peer("FIRST").echo())) == 1
            return
        except (Refused, Unreachable):
            continue
    pytest.fail("the crowd has gone, and still nobody is admitted")


def test_an_instance_cut_off_leaves_nothing(archive: Running, instances: list[Held], tmp_path: Path) -> None:
    held = instances[0]
    node = archive.nodes["FIRST"]
    association = Association.request(
        node.host, node.port, "FIRST", "ME", "FIRST", for_storage([(held.sop_class, held.transfer_syntax)]), Timeouts()
    )
    command = cmd.pack(
        (cmd.AFFECTED_CLASS, held.sop_class), (cmd.FIELD, cmd.C_STORE_RQ), (cmd.MESSAGE_ID, 1), (cmd.PRIORITY, 0),
        (cmd.DATA_SET_TYPE, 1), (cmd.AFFECTED_INSTANCE, held.sop_instance),
    )  # fmt: skip
    association.connection.send([p_data(1, 3, command), p_data(1, 0, data_set(held.path)[:5000])], 5)
    association.connection.close()
    archive.listener.close(5.0)
    assert instance_files(tmp_path / "first") == []


def test_verification_by_uid_finds_what_was_sent(archive: Running, instances: list[Held]) -> None:
    peer = archive.peer("FIRST")
    list(peer.send(instances))
    whole = pydicom.dcmread(instances[1].path)
    query = by_uid(Level.IMAGE, whole.StudyInstanceUID, whole.SeriesInstanceUID)
    assert instances[1].sop_instance in {match.uid for match in peer.find(query)}
