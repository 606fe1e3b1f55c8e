"""Bad peers: every failure has its code and its sentence, arrives in time, and leaves nothing hanging."""

from __future__ import annotations

import socket
import threading
from datetime import date

import pytest

from pacs_tui.dimse import command as cmd
from pacs_tui.dimse.association import Association
from pacs_tui.dimse.peer import Peer
from pacs_tui.errors import Cancelled, NetworkError, Refused, Unreachable
from pacs_tui.explain import explain
from pacs_tui.model.level import Level
from pacs_tui.model.node import Node
from pacs_tui.model.query import parse
from pacs_tui.model.transfer import Target
from tests.dimse.scripted import QUICK, ScriptedPeer, final, row

pytestmark = pytest.mark.interop
EVERYTHING = parse("", date(2026, 11, 22))
STUDY = Target(Level.STUDY, study_uid="1.2.3")


def ignore(_result: object) -> None:
    """A script of one call."""


def failure(peer: Peer, code: str) -> NetworkError:
    """The error of a find, which must carry this code and be explained."""
    with pytest.raises(NetworkError) as caught:
        list(peer.find(EVERYTHING))
    assert caught.value.code == code
    assert caught.value.facts["node"] == peer.node.name
    assert explain(code, caught.value.facts).next_step
    return caught.value


def test_a_port_where_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        node = Node("GONE", "GONE", "127.0.0.1", free.getsockname()[1])
    assert isinstance(failure(Peer(node, "ME", QUICK), "tcp:refused"), Unreachable)


def test_a_host_name_nobody_knows() -> None:
    failure(Peer(Node("X", "X", "no-such-host.invalid", 104), "ME", QUICK), "dns")


def test_a_peer_that_accepts_the_connection_and_stalls() -> None:
    silent = threading.Event()
    with ScriptedPeer(lambda _: ignore(silent.wait(10)), raw=True).running() as peer:
        failure(Peer(peer.node, "ME", QUICK), "timeout:association")
        silent.set()


def test_a_peer_that_stalls_in_the_middle_of_a_query() -> None:
    silent = threading.Event()

    def script(association: Association) -> None:
        message = association.receive()
        row(association, message.context, message.command.number(cmd.MESSAGE_ID), "MEIER^ANNA")
        silent.wait(10)

    with ScriptedPeer(script).running() as peer:
        got: list[str] = []
        with pytest.raises(Unreachable) as caught:
            collect(Peer(peer.node, "ME", QUICK), got)
        assert (caught.value.code, got) == ("timeout:message", ["MEIER^ANNA"])
        silent.set()


def collect(peer: Peer, got: list[str], cancel: threading.Event | None = None, cancel_at: int = 0) -> None:
    """Run a query into `got`, so that what came before a failure is seen; set `cancel` after some rows."""
    for match in peer.find(EVERYTHING, cancel):
        got.append(match.get("PatientName"))
        if cancel is not None and len(got) == cancel_at:
            cancel.set()


def test_a_peer_that_aborts_in_the_middle_of_a_query() -> None:
    def script(association: Association) -> None:
        message = association.receive()
        for number in range(3):
            row(association, message.context, message.command.number(cmd.MESSAGE_ID), f"N{number}")
        association.abort(2, 1)

    with ScriptedPeer(script).running() as peer:
        got: list[str] = []
        with pytest.raises(Unreachable) as caught:
            collect(Peer(peer.node, "ME", QUICK), got)
        assert (caught.value.code, got) == ("abort:2:1", ["N0", "N1", "N2"])
        assert peer.accepted == 1


def test_a_peer_that_aborts_in_the_middle_of_a_move() -> None:
    def script(association: Association) -> None:
        message = association.receive()
        number = message.command.number(cmd.MESSAGE_ID)
        head = ((cmd.FIELD, cmd.C_MOVE_RSP), (cmd.RESPONDED_ID, number), (cmd.DATA_SET_TYPE, 0x0101))
        counts = ((cmd.STATUS, 0xFF00), (cmd.REMAINING, 7), (cmd.COMPLETED, 3), (cmd.FAILED, 0), (cmd.WARNING, 0))
        association.send(message.context, cmd.pack(*head, *counts))
        association.abort()

    with ScriptedPeer(script).running() as peer:
        moving = Peer(peer.node, "ME", QUICK).move(STUDY, "ORTHO1")
        progress = next(moving)
        assert (progress.pending, progress.completed, progress.remaining) == (True, 3, 7)
        with pytest.raises(Unreachable) as caught:
            next(moving)
        assert caught.value.code == "abort:0:0"


def test_an_unknown_move_destination() -> None:
    def script(association: Association) -> None:
        message = association.receive()
        assert message.command.text(cmd.DESTINATION) == "ORTHO1"
        final(association, message.context, message.command.number(cmd.MESSAGE_ID), cmd.C_MOVE_RSP, 0xA801, "who?")
        association.receive_command()

    with ScriptedPeer(script).running() as peer:
        with pytest.raises(Refused) as caught:
            list(Peer(peer.node, "ME", QUICK).move(STUDY, "ORTHO1"))
        assert (caught.value.code, caught.value.status) == ("status:C-MOVE:A801", 0xA801)
        assert caught.value.facts["destination"] == "ORTHO1"
        assert caught.value.facts["comment"] == "who?"


def test_a_peer_that_answers_a_query_with_an_error() -> None:
    def script(association: Association) -> None:
        message = association.receive()
        final(
            association,
            message.context,
            message.command.number(cmd.MESSAGE_ID),
            cmd.C_FIND_RSP,
            0xC001,
            "database is down",
        )
        association.receive_command()

    with ScriptedPeer(script).running() as peer:
        error = failure(Peer(peer.node, "ME", QUICK), "status:C-FIND:C001")
        assert "database is down" in str(error)


def test_a_response_without_a_status_is_never_success() -> None:
    def script(association: Association) -> None:
        message = association.receive()
        association.send(message.context, cmd.pack(
            (cmd.FIELD, cmd.C_FIND_RSP), (cmd.RESPONDED_ID, 1), (cmd.DATA_SET_TYPE, 0x0101)))  # fmt: skip

    with ScriptedPeer(script).running() as peer:
        failure(Peer(peer.node, "ME", QUICK), "protocol")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x02\x00\xff\xff\xff\xff",
        b"\x04\x00\x00\x00\x00\x04\0\0\0\0",
        b"\x02\0\0\0\0\x04abcd",
    ],
    ids=["http", "4-GiB-AC", "data-before-AC", "short-AC"],
)
def test_a_server_that_speaks_no_dicom(answer: bytes) -> None:
    def script(association: Association) -> None:
        association.connection.read(2.0)
        association.connection.send([answer], 2.0)

    with ScriptedPeer(script, raw=True).running() as peer:
        failure(Peer(peer.node, "ME", QUICK), "protocol")


def test_a_peer_that_closes_without_a_word() -> None:
    with ScriptedPeer(lambda association: ignore(association.connection.read(2.0)), raw=True).running() as peer:
        failure(Peer(peer.node, "ME", QUICK), "closed")


# ---------------------------------------------------------------------- cancelling and keeping


def endless(association: Association) -> None:
    """Rows without end until a C-CANCEL comes; then the status Cancel; any number of queries."""
    while (message := association.receive_command()) is not None:
        for _ in association.data(message.context):
            pass
        number = message.command.number(cmd.MESSAGE_ID)
        while not association.connection.readable():
            row(association, message.context, number, "MEIER^ANNA")
        cancel = association.receive()
        assert cancel.command.number(cmd.FIELD) == cmd.C_CANCEL_RQ
        assert cancel.command.number(cmd.RESPONDED_ID) == number
        final(association, message.context, number, cmd.C_FIND_RSP, 0xFE00)


def test_a_limit_cancels_at_the_peer_and_keeps_the_association() -> None:
    with ScriptedPeer(endless).running() as scripted:
        peer = Peer(scripted.node, "ME", QUICK)
        for limit in (1, 5, 50):
            assert len(list(peer.find(parse("", date(2026, 11, 22), limit)))) == limit
        peer.close()
        assert scripted.accepted == 1


def test_a_cancel_event_cancels_at_the_peer_and_keeps_the_association() -> None:
    with ScriptedPeer(endless).running() as scripted:
        peer = Peer(scripted.node, "ME", QUICK)
        for _ in range(2):
            got: list[str] = []
            with pytest.raises(Cancelled):
                collect(peer, got, threading.Event(), 10)
            assert len(got) >= 10
        peer.close()
        assert scripted.accepted == 1


def test_a_generator_that_is_dropped_keeps_the_association() -> None:
    with ScriptedPeer(endless).running() as scripted:
        peer = Peer(scripted.node, "ME", QUICK)
        half_read = peer.find(EVERYTHING)
        next(half_read)
        half_read.close()
        assert next(peer.find(EVERYTHING)).get("PatientName") == "MEIER^ANNA"
        peer.close()
        assert scripted.accepted == 1


def test_a_peer_deaf_to_cancel_is_aborted_after_the_grace() -> None:
    deaf = threading.Event()

    def script(association: Association) -> None:
        message = association.receive()
        row(association, message.context, message.command.number(cmd.MESSAGE_ID), "X")
        deaf.wait(10)

    with ScriptedPeer(script).running() as scripted:
        with pytest.raises(Cancelled):
            collect(Peer(scripted.node, "ME", QUICK), [], threading.Event(), 1)
        deaf.set()
        assert scripted.ended.wait(5)


def test_an_idle_association_the_peer_closed_is_opened_again() -> None:
    served = threading.Semaphore(0)

    def script(association: Association) -> None:
        message = association.receive()
        final(association, message.context, message.command.number(cmd.MESSAGE_ID), cmd.C_FIND_RSP, 0)
        association.connection.close()
        served.release()

    with ScriptedPeer(script).running() as scripted:
        peer = Peer(scripted.node, "ME", QUICK)
        for number in range(1, 4):
            assert list(peer.find(EVERYTHING)) == []
            assert served.acquire(timeout=5)
            assert scripted.accepted == number


def test_two_finds_at_once_do_not_wait_for_each_other() -> None:
    with ScriptedPeer(endless).running() as scripted:
        peer = Peer(scripted.node, "ME", QUICK)
        first, second = peer.find(EVERYTHING), peer.find(EVERYTHING)
        assert next(first).get("PatientName") == next(second).get("PatientName")
        first.close()
        second.close()
        peer.close()
        assert scripted.accepted == 2
