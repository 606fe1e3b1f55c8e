"""Listeners in several processes on one socket, and what a listener tells about itself."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable

import pytest

from pacs_tui.dimse import command as cmd
from pacs_tui.dimse.accepting import listening
from pacs_tui.dimse.association import Association
from pacs_tui.dimse.contexts import EXPLICIT, IMPLICIT, Proposal, for_storage
from pacs_tui.dimse.listener import Listener
from pacs_tui.dimse.peer import Peer
from pacs_tui.errors import Refused, StorageError
from pacs_tui.model.activity import Totals
from pacs_tui.model.admission import EVERY_RIGHT, Right
from pacs_tui.model.find import FindAnswer
from pacs_tui.model.level import Root
from pacs_tui.model.node import Node
from pacs_tui.settings import Limits, Timeouts
from tests.dimse.fakes import PATIENT_ID, FakeServices, serving
from tests.dimse.test_finding import asking

pytestmark = pytest.mark.interop
CT = "1.2.840.10008.5.1.4.1.1.2"


def until(fact: Callable[[], bool]) -> None:
    """Wait for it, or fail."""
    deadline = time.monotonic() + 10
    while not fact():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def child(sockets: list[socket.socket], rights: frozenset[Right]) -> int:
    """Another process that listens on the same sockets until it is told to end."""
    ready, told = os.pipe()
    pid = os.fork()
    if pid:
        os.close(told)
        assert os.read(ready, 1) == b"!"
        os.close(ready)
        return pid
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        listener = Listener(FakeServices(rights), [], Limits())
        listener.open(sockets)
        os.write(told, b"!")
        signal.sigwait({signal.SIGTERM})
        listener.close(1.0)
    finally:
        os._exit(0)


def end(pid: int) -> None:
    os.kill(pid, signal.SIGTERM)
    assert os.waitpid(pid, 0)[1] == 0


def test_processes_share_a_socket_and_end_one_by_one() -> None:
    sockets = listening([("127.0.0.1", 0)])
    node = Node("FAKE", "FAKE", "127.0.0.1", sockets[0].getsockname()[1])
    pids = [child(sockets, EVERY_RIGHT) for _ in range(2)]
    ours = Listener(FakeServices(), [], Limits())
    ours.open(sockets)
    assert ours.ports == (node.port,)

    def all_answer() -> None:
        for _ in range(20):
            assert len(list(Peer(node, "ME", Timeouts()).echo())) == 1

    all_answer()
    end(pids[0])
    all_answer()
    ours.close(1.0)
    all_answer()
    end(pids[1])
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((node.host, node.port), 2)


def test_a_port_that_is_taken_leaves_none_bound() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = listening([("127.0.0.1", 0)])
        port = free[0].getsockname()[1]
        free[0].close()
        with pytest.raises(StorageError, match="Choose another port"):
            listening([("127.0.0.1", port), taken.getsockname()])
        with socket.create_server(("127.0.0.1", port)):
            pass


def test_what_is_open_and_what_was() -> None:
    services = FakeServices()
    go = threading.Event()
    services.answer = lambda _: FindAnswer(PATIENT_ID, (("1",) for _ in iter(go.wait, True)))
    with serving(services) as (listener, node):
        assert listener.snapshot().totals == Totals()
        storing = Association.request(
            node.host, node.port, "x", "SENDER", "FAKE", for_storage([(CT, IMPLICIT)]), Timeouts()
        )
        for number in range(3):
            storing.send(1, cmd.pack(
                (cmd.AFFECTED_CLASS, CT), (cmd.FIELD, cmd.C_STORE_RQ), (cmd.MESSAGE_ID, number + 1),
                (cmd.DATA_SET_TYPE, 1), (cmd.AFFECTED_INSTANCE, f"1.2.{number}"),
            ), b"\x10\0\x20\0\2\0\0\x0042")  # fmt: skip
            assert storing.receive().command.number(cmd.STATUS) == 0
        asker = asking(node)
        until(lambda: "C-FIND" in {one.operation for one in listener.snapshot().open})
        seen = {one.calling: one for one in listener.snapshot().open}
        assert set(seen) == {"SENDER", "ME"}
        assert (seen["SENDER"].operation, seen["SENDER"].instances, seen["SENDER"].called) == ("", 3, "FAKE")
        assert seen["SENDER"].bytes > 600
        assert 0 <= seen["SENDER"].since < 60
        go.set()
        asker.receive()
        storing.release()
        asker.connection.close()
        with pytest.raises(Refused):
            list(Peer(Node("X", "NOBODY", node.host, node.port), "ME", Timeouts()).echo())
        until(lambda: listener.associations == 0)
        snapshot = listener.snapshot()
        assert snapshot.open == ()
        totals = snapshot.totals
        assert (totals.associations, totals.rejected, totals.aborted, totals.instances) == (2, 1, 1, 3)
        assert totals.bytes > seen["SENDER"].bytes


def test_new_limits_are_for_new_associations() -> None:
    with serving(FakeServices(), Limits(pdu_length=16384)) as (listener, node):
        proposals = [Proposal("1.2.840.10008.1.1", (EXPLICIT,))]

        def fragment() -> int:
            association = Association.request(node.host, node.port, "x", "ME", "FAKE", proposals, Timeouts())
            association.release()
            return association.fragment

        assert fragment() == 16384 - 6
        kept = Association.request(node.host, node.port, "x", "ME", "FAKE", proposals, Timeouts())
        listener.reload(Limits(pdu_length=32768, associations=2))
        assert fragment() == 32768 - 6
        listener.reload(Limits(associations=1))
        until(lambda: listener.associations == 1)
        with pytest.raises(Refused) as caught:
            fragment()
        assert caught.value.code == "rj:2:3:2"
        kept.send(1, cmd.pack(
            (cmd.AFFECTED_CLASS, "1.2.840.10008.1.1"), (cmd.FIELD, cmd.C_ECHO_RQ), (cmd.MESSAGE_ID, 1),
            (cmd.DATA_SET_TYPE, cmd.NO_DATA_SET)))  # fmt: skip
        assert kept.receive().command.number(cmd.STATUS) == 0
        kept.release()


def test_roots_end_where_they_should() -> None:
    assert [len(root.levels) for root in (Root.PATIENT, Root.STUDY, Root.PATIENT_STUDY)] == [4, 3, 2]
