"""Bytes as they may come: in any pieces, slowly, too many of them, or without end."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_tui.dimse import command as cmd
from pacs_tui.dimse.association import Association
from pacs_tui.dimse.contexts import EXPLICIT, Context, for_storage
from pacs_tui.dimse.upper_layer import Connection, Violation, header, p_data
from pacs_tui.errors import Unreachable
from pacs_tui.settings import Limits, Timeouts
from tests.dimse.fakes import FakeServices, serving
from tests.dimse.test_finding import asking

pytestmark = pytest.mark.interop
CT = "1.2.840.10008.5.1.4.1.1.2"
COMMAND = cmd.pack(
    (cmd.AFFECTED_CLASS, CT), (cmd.FIELD, cmd.C_STORE_RQ), (cmd.MESSAGE_ID, 1), (cmd.PRIORITY, 0),
    (cmd.DATA_SET_TYPE, 1), (cmd.AFFECTED_INSTANCE, "1.2.3"),
)  # fmt: skip


def fed(chunks: list[bytes], pdu_length: int = 1 << 20) -> Association:
    """Our end of a line on which these chunks come one by one, each when the one before it was taken."""
    ours, theirs = socket.socketpair()

    def feed() -> None:
        with theirs:
            for chunk in chunks:
                theirs.sendall(chunk)

    threading.Thread(target=feed, daemon=True).start()
    connection = Connection(ours, "the test", pdu_length)
    contexts = [Context(1, CT, EXPLICIT, False), Context(3, CT, EXPLICIT, False)]
    return Association(connection, "ME", "YOU", contexts, 0, "", Timeouts(message=5))


def several(context: int, *fragments: tuple[int, bytes]) -> bytes:
    """One P-DATA-TF PDU of several PDVs."""
    items = b"".join(struct.pack(">IBB", len(data) + 2, context, control) + data for control, data in fragments)
    return header(4, len(items)) + items


@given(st.data())
def test_a_message_in_any_pieces_is_the_same_message(data: st.DataObject) -> None:
    fragments = data.draw(st.lists(st.binary(max_size=3000), min_size=1, max_size=6))
    cut = data.draw(st.integers(0, len(COMMAND)))
    pdvs = [(1, COMMAND[:cut]), (3, COMMAND[cut:]), *((0, part) for part in fragments[:-1]), (2, fragments[-1])]
    stream = b""
    while pdvs:
        together = data.draw(st.integers(1, len(pdvs)))
        stream += several(1, *pdvs[:together])
        pdvs = pdvs[together:]
    stream += header(5, 4) + bytes(4)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(stream) - 1), max_size=8)))
    association = fed([stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)])
    message = association.receive()
    assert (message.command.text(cmd.AFFECTED_INSTANCE), message.data) == ("1.2.3", b"".join(fragments))
    assert association.receive_command() is None
    association.connection.close()


def test_large_pdus_need_no_larger_buffer() -> None:
    data = bytes(range(256)) * 4000
    association = fed([p_data(1, 3, COMMAND) + p_data(1, 2, data)])
    message = association.receive_command()
    assert message is not None
    got = [b"".join(parts) for parts in association.data(message.context)]
    assert b"".join(got) == data
    assert len(association.connection._buffer) == 1 << 18


@pytest.mark.parametrize(
    "stream",
    [
        header(4, 0),
        header(4, 5) + bytes(5),
        header(4, (1 << 20) + 1),
        header(4, 0xFFFFFFFF),
        header(9, 4),
        header(5, 5),
        header(4, 8) + struct.pack(">IBB", 1, 1, 3) + bytes(2),
        header(4, 8) + struct.pack(">IBB", 0xFFFFFFFF, 1, 3) + bytes(2),
        header(4, 8) + struct.pack(">IBB", 5, 1, 3) + bytes(2),
        header(4, 10) + struct.pack(">IBB", 3, 1, 1) + bytes(4),
        p_data(5, 3, COMMAND),
        p_data(0, 3, COMMAND),
        p_data(1, 2, COMMAND),
        p_data(1, 1, COMMAND[:9]) + p_data(3, 3, COMMAND[9:]),
        p_data(1, 1, COMMAND[:9]) + p_data(1, 2, COMMAND[9:]),
        p_data(1, 3, COMMAND) + p_data(3, 2, b"1234"),
        p_data(1, 3, COMMAND) + p_data(1, 0, b"1234") + p_data(1, 3, COMMAND),
        p_data(1, 3, COMMAND) + p_data(1, 0, b"1234") + header(5, 4) + bytes(4),
        p_data(1, 1, bytes(70_000)),
    ],
)
def test_broken_rules_are_violations(stream: bytes) -> None:
    association = fed([stream + bytes(20)])
    with pytest.raises(Violation):
        association.receive()
    association.connection.close()


# ---------------------------------------------------------------------- slow ones


@contextmanager
def sending(limits: Limits, timeouts: Timeouts) -> Iterator[tuple[FakeServices, Association]]:
    services = FakeServices()
    with serving(services, limits, timeouts) as (_, node):
        made = Association.request(node.host, node.port, "x", "ME", "FAKE", for_storage([(CT, EXPLICIT)]), Timeouts())
        try:
            yield services, made
        finally:
            made.abort()


def trickle(connection: Connection, data: bytes, step: int, pause: float) -> int:
    """Send in steps until the other side has had enough; the bytes it took."""
    wait = threading.Event()
    for at in range(0, len(data), step):
        try:
            connection.send([data[at : at + step]], 5)
        except Unreachable:
            return at
        if at + step < len(data) and connection.readable():
            return at
        wait.wait(pause)
    return len(data)


PATIENT = Timeouts(message=0.8)


@pytest.mark.parametrize(
    "begin",
    [b"", p_data(1, 3, COMMAND)[:20], p_data(1, 3, COMMAND), p_data(1, 3, COMMAND) + p_data(1, 0, bytes(5000))],
    ids=["between", "in-the-command", "before-the-data", "in-the-data"],
)
def test_a_peer_that_trickles_is_shown_out(begin: bytes) -> None:
    with sending(Limits(idle_seconds=1), PATIENT) as (services, association):
        if begin:
            association.connection.send([begin], 5)
        taken = trickle(association.connection, p_data(1, 0 if begin else 1, bytes(4000)), 1, 0.03)
        assert taken < 4000
        assert services.stored == []
        assert all(kept.aborted for kept in services.kept)


def test_many_small_pdus_are_no_progress() -> None:
    with sending(Limits(), PATIENT) as (services, association):
        association.connection.send([p_data(1, 3, COMMAND)], 5)
        one = p_data(1, 0, b"x")
        assert trickle(association.connection, one * 4000, len(one), 0.02) < len(one) * 4000
        assert services.kept[0].aborted


def test_a_slow_sender_that_goes_on_is_heard_out() -> None:
    with sending(Limits(), PATIENT) as (services, association):
        element = struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OW", 0, 60_000) + bytes(60_000)
        whole = p_data(1, 3, COMMAND) + p_data(1, 2, element)
        assert trickle(association.connection, whole, 6000, 0.1) == len(whole)
        assert association.receive().command.number(cmd.STATUS) == 0
        assert [data for data, _ in services.stored] == [element]


def test_a_request_that_trickles_is_shown_out() -> None:
    with serving(FakeServices(), Limits(request_seconds=0.4)) as (_, node):
        connection = Connection.open(node.host, node.port, "x", 5, 4096)
        assert trickle(connection, header(1, 4000) + bytes(4000), 1, 0.02) < 4000
        connection.close()


# ---------------------------------------------------------------------- large ones


def store(association: Association, data: bytes, command: bytes = COMMAND) -> int:
    association.send(1, command, data)
    return association.receive().command.number(cmd.STATUS)


def pixels(size: int) -> bytes:
    return struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OW", 0, size) + bytes(size)


def test_an_instance_over_the_limit_is_refused_and_the_next_is_taken() -> None:
    with sending(Limits(instance_megabytes=1), Timeouts(message=5)) as (services, association):
        assert store(association, pixels((1 << 20) + 100)) == 0xA700
        assert services.kept[0].aborted
        assert store(association, pixels((1 << 20) - 100)) == 0
        assert [len(data) for data, _ in services.stored] == [(1 << 20) - 88]


def test_a_refused_data_set_without_end_is_aborted() -> None:
    with sending(Limits(instance_megabytes=1), Timeouts(message=5)) as (services, association):
        data = pixels(200 << 20)
        with pytest.raises(Unreachable):
            store(association, data)
        assert services.stored == []


def test_what_came_together_is_written_together() -> None:
    with sending(Limits(pdu_length=16384), Timeouts(message=5)) as (services, association):
        assert association.fragment == 16378
        assert store(association, pixels(1 << 20)) == 0
        assert services.kept[0].writes < 40


def test_an_identifier_of_a_request_is_capped(caplog: pytest.LogCaptureFixture) -> None:
    with serving(FakeServices()) as (listener, node):
        association = asking(node)
        association.receive()
        query = cmd.pack((cmd.FIELD, cmd.C_FIND_RQ), (cmd.MESSAGE_ID, 2), (cmd.DATA_SET_TYPE, 1))
        with pytest.raises(Unreachable):
            store(association, bytes(2 << 20), query)
        listener.close(1.0)
    assert "a data set of more than 1 MiB" in caplog.text
