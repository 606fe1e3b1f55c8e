"""What strangers may cost us: connections, memory, work, patience; each was once unlimited."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence

import pytest

from pacs_tui.dimse import command as cmd
from pacs_tui.dimse import receiving
from pacs_tui.dimse.association import Association, Message
from pacs_tui.dimse.contexts import EXPLICIT, IMPLICIT, for_storage
from pacs_tui.dimse.dataset import Truncated
from pacs_tui.dimse.identifier import HEAD_CAP, Attributes, encode_keys, head
from pacs_tui.dimse.peer import Peer
from pacs_tui.dimse.rows import RowEncoder
from pacs_tui.dimse.upper_layer import Connection
from pacs_tui.errors import Cancelled, Refused, Unreachable, UsageError
from pacs_tui.model.level import Level
from pacs_tui.model.node import Node
from pacs_tui.model.tag import Column
from pacs_tui.model.transfer import Held, StoreRequest, Target
from pacs_tui.settings import Timeouts
from tests.dimse.conftest import Running
from tests.dimse.scripted import QUICK, ScriptedPeer
from tests.dimse.test_peer_faults import EVERYTHING

CT = "1.2.840.10008.5.1.4.1.1.2"


# ---------------------------------------------------------------------- without a socket


def test_private_elements_are_no_keywords() -> None:
    data = struct.pack("<HHII", 8, 0, 4, 10) + struct.pack("<HHI", 9, 0x10, 4) + b"ACME"
    attributes = Attributes(data + struct.pack("<HHI", 0x10, 0x20, 4) + b"4711", IMPLICIT)
    assert dict(attributes) == {"PatientID": "4711"}
    assert len(attributes) == 1


@pytest.mark.parametrize("explicit", [True, False])
def test_an_answer_too_long_for_its_element_loses_whole_values(explicit: bool) -> None:
    classes = [f"1.2.826.0.1.3680043.8.498.{number:040d}" for number in range(1150)]
    encoder = RowEncoder((Column(0x00080062, "UI"),), Level.STUDY, explicit)
    data = encoder.encode(("\\".join(classes),))
    kept = Attributes(data, EXPLICIT if explicit else IMPLICIT)["SOPClassesInStudy"].split("\\")
    assert kept == classes[: len(kept)]
    assert len(kept) > 900


def test_a_key_too_long_for_its_element_is_refused() -> None:
    with pytest.raises(UsageError, match="0008,0018"):
        encode_keys({"SOPInstanceUID": "\\".join(["1.2.3"] * 20_000)}, Level.IMAGE, True)


def test_tiny_fragments_are_not_scanned_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []

    def counting(data: bytes, syntax: str, complete: bool) -> Attributes:
        looked.append(len(data))
        return head(data, syntax, complete)

    monkeypatch.setattr(receiving, "head", counting)
    element = struct.pack("<HH2sHI", 8, 0x0005, b"UN", 0, 0x7FFFFF00)
    fragments = [[memoryview(part)] for part in [element] + [bytes(8)] * 100_000]
    request = StoreRequest("ME", "YOU", "127.0.0.1", CT, "1.2.3", EXPLICIT)
    receiving._stream(iter(fragments), request, Sink(), 1 << 20)
    assert len(looked) < 30
    assert max(looked) <= 2 * HEAD_CAP


class Sink:
    """Takes everything and keeps nothing."""

    def write(self, chunks: Sequence[bytes | memoryview]) -> None:
        """Nothing is kept."""

    def commit(self, attributes: Mapping[str, str]) -> int:
        return 0

    def abort(self) -> None:
        """Nothing was kept."""


def test_a_head_that_never_ends_is_given_up() -> None:
    data = struct.pack("<HH2sHI", 8, 0x0005, b"UN", 0, 0x7FFFFF00)
    with pytest.raises(Truncated):
        head(data + bytes(1000), EXPLICIT, False)
    assert dict(head(data + bytes(HEAD_CAP), EXPLICIT, False)) == {}


# ---------------------------------------------------------------------- with sockets


@pytest.mark.interop
def test_silent_connections_of_one_host_do_not_shut_out_another(archive: Running) -> None:
    port = archive.nodes["FIRST"].port
    crowd = [socket.create_connection(("127.0.0.1", port), 5, ("127.0.0.2", 0)) for _ in range(200)]
    try:
        assert len(list(archive.peer("FIRST").echo())) == 1
    finally:
        for sock in crowd:
            sock.close()


def item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(body)) + body


@pytest.mark.interop
@pytest.mark.parametrize("count", [2, 500])
def test_contexts_that_share_a_number_are_aborted(archive: Running, count: int) -> None:
    syntaxes = item(0x30, b"1.2.840.10008.1.1") + item(0x40, IMPLICIT.encode())
    contexts = item(0x20, b"\x01\0\0\0" + syntaxes) * count
    user = item(0x50, item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.3"))
    body = struct.pack(">HH", 1, 0) + b"FIRST".ljust(16) + b"ME".ljust(16) + bytes(32)
    body += item(0x10, b"1.2.840.10008.3.1.1.1") + contexts + user
    with socket.create_connection(("127.0.0.1", archive.nodes["FIRST"].port), 5) as sock:
        sock.sendall(struct.pack(">BBI", 1, 0, len(body)) + body)
        assert sock.recv(100)[:1] == b"\x07"
    assert len(list(archive.peer("FIRST").echo())) == 1


@pytest.mark.interop
def test_a_slow_reader_is_not_a_silent_one() -> None:
    """The data takes several times the timeout, and never pauses for as long."""
    ours, theirs = socket.socketpair()
    for sock, option in ((ours, socket.SO_SNDBUF), (theirs, socket.SO_RCVBUF)):
        sock.setsockopt(socket.SOL_SOCKET, option, 4096)
    got = 0

    def read() -> None:
        nonlocal got
        pause = threading.Event()
        while part := theirs.recv(8192):
            got += len(part)
            pause.wait(0.01)

    reader = threading.Thread(target=read)
    reader.start()
    connection = Connection(ours, "slow", 16384)
    connection.send([bytes(1 << 20)], 0.4)
    connection.close()
    reader.join()
    theirs.close()
    assert got == 1 << 20


@pytest.mark.interop
def test_a_short_abort_is_a_broken_protocol_and_no_traceback() -> None:
    def script(association: Association) -> None:
        association.receive()
        association.connection.send([b"\x07\x00\x00\x00\x00\x02\x00\x00"], 1.0)

    with ScriptedPeer(script).running() as peer, pytest.raises(Unreachable) as caught:
        list(Peer(peer.node, "ME", QUICK).find(EVERYTHING))
    assert caught.value.code == "protocol"


@pytest.mark.interop
def test_cancel_reaches_a_peer_that_stalls_in_the_middle_of_a_pdu() -> None:
    stalled = threading.Event()
    cancel = threading.Event()

    def script(association: Association) -> None:
        association.receive()
        association.connection.send([b"\x04\x00\x00\x00\x00\xff\x00\x00\x00\x10"], 1.0)
        cancel.set()
        stalled.wait(10)

    with ScriptedPeer(script).running() as peer, pytest.raises(Cancelled):
        list(Peer(peer.node, "ME", Timeouts(message=30, cancel_grace=0.2)).find(EVERYTHING, cancel))
    stalled.set()


@pytest.mark.interop
def test_a_failure_with_a_data_set_is_a_failure() -> None:
    def script(association: Association) -> None:
        message = association.receive()
        elements = (
            (cmd.FIELD, cmd.C_FIND_RSP), (cmd.RESPONDED_ID, message.command.number(cmd.MESSAGE_ID)),
            (cmd.DATA_SET_TYPE, cmd.DATA_SET), (cmd.STATUS, 0xA700),
        )  # fmt: skip
        explicit = association.contexts[message.context].transfer_syntax != IMPLICIT
        association.send(message.context, cmd.pack(*elements), encode_keys({"PatientID": "1"}, None, explicit))
        association.receive_command()

    with ScriptedPeer(script).running() as peer, pytest.raises(Refused) as caught:
        list(Peer(peer.node, "ME", QUICK).find(EVERYTHING))
    assert caught.value.code == "status:C-FIND:A700"


@pytest.mark.interop
def test_a_response_to_another_message_is_a_broken_protocol() -> None:
    def script(association: Association) -> None:
        message = association.receive()
        elements = ((cmd.FIELD, cmd.C_FIND_RSP), (cmd.RESPONDED_ID, 77), (cmd.DATA_SET_TYPE, 0x0101), (cmd.STATUS, 0))
        association.send(message.context, cmd.pack(*elements))
        association.receive_command()

    with ScriptedPeer(script).running() as peer, pytest.raises(Unreachable) as caught:
        list(Peer(peer.node, "ME", QUICK).find(EVERYTHING))
    assert caught.value.code == "protocol"


@pytest.mark.interop
def test_a_warning_of_the_destination_is_not_success(archive: Running, instances: list[Held]) -> None:
    list(archive.peer("FIRST").send(instances))

    def script(association: Association) -> None:
        for message in stores(association):
            association.send(message.context, cmd.pack(
                (cmd.FIELD, cmd.C_STORE_RSP), (cmd.RESPONDED_ID, message.command.number(cmd.MESSAGE_ID)),
                (cmd.DATA_SET_TYPE, 0x0101), (cmd.STATUS, 0xB000)))  # fmt: skip

    with ScriptedPeer(script).running() as peer:
        archive.nodes["SCRIPT"] = Node("SCRIPT", "SCRIPT", "127.0.0.1", peer.node.port)
        study = next(archive.peer("FIRST").find(EVERYTHING))
        last = list(archive.peer("FIRST").move(Target(Level.STUDY, study_uid=study.uid), "SCRIPT"))[-1]
    assert (last.status, last.failed, last.warning >= 1) == (0xB000, 0, True)


def stores(association: Association) -> Iterator[Message]:
    while (message := association.receive_command()) is not None:
        for _ in association.data(message.context):
            pass
        yield message


@pytest.mark.interop
def test_what_cannot_be_proposed_is_said() -> None:
    proposals = for_storage([("1.2." + "9" * 70, EXPLICIT)])
    with ScriptedPeer(lambda _: None).running() as peer, pytest.raises(UsageError, match="cannot be proposed"):
        Association.request("127.0.0.1", peer.node.port, "x", "ME", "X", proposals, QUICK)
