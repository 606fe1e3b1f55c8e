"""C-MOVE as we serve it: destinations that misbehave, impatient requestors."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace

from pacs_tui.dimse import command as cmd
from pacs_tui.dimse.association import Association, Message
from pacs_tui.dimse.upper_layer import Connection
from pacs_tui.errors import Unreachable
from pacs_tui.model.admission import Admission
from pacs_tui.model.transfer import Held
from tests.dimse.retrieving import (
    DEADLINE,
    QUICK,
    Destination,
    Shelf,
    copies,
    counts,
    kept,
    moving,
    serving,
    set_up,
    uid,
    uids,
)
from tests.dimse.scripted import ScriptedPeer

pytestmark = pytest.mark.interop


@pytest.fixture
def instances(tmp_path: Path) -> list[Held]:
    """Forty small instances."""
    return copies(tmp_path / "shelf", 40)


# ---------------------------------------------------------------------- C-MOVE


@pytest.mark.parametrize("associations", [1, 3])
def test_everything_arrives_once(instances: list[Held], associations: int) -> None:
    destination = Destination()
    with set_up(instances, destination, associations) as (node, _), moving(node) as asking:
        asking.ask(priority=1)
        final = asking.final()
    assert counts(final) == (0, 40, 0, 0)
    assert sorted(destination.arrived) == sorted(uids(instances))
    assert (destination.originators, destination.priorities) == ({("ASKER", 7)}, {1})
    assert destination.peer.accepted == associations
    if associations == 1:
        assert destination.arrived == uids(instances)


def test_a_low_priority_gets_one_association(instances: list[Held]) -> None:
    destination = Destination()
    with set_up(instances, destination, 3) as (node, _), moving(node) as asking:
        asking.ask(priority=2)
        assert counts(asking.final()) == (0, 40, 0, 0)
    assert destination.peer.accepted == 1


def test_nothing_found_and_nowhere_to_go(instances: list[Held]) -> None:
    with set_up(instances, Destination()) as (node, _), moving(node) as asking:
        asking.ask(study="1.2.9")
        assert counts(asking.final()) == (0, 0, 0, 0)
        asking.ask("NOWHERE")
        assert asking.final().command.number(cmd.STATUS) == 0xA801


def test_files_that_are_gone_or_damaged(instances: list[Held], caplog: pytest.LogCaptureFixture) -> None:
    instances[3].path.unlink()
    instances[5].path.write_bytes(instances[5].path.read_bytes()[:200])
    instances[7].path.write_bytes(instances[8].path.read_bytes())
    instances[9].path.write_bytes(instances[9].path.read_bytes().partition(b"DICM")[2])
    bad = [instances[number] for number in (3, 5, 7, 9)]
    destination = Destination()
    with set_up(instances, destination) as (node, shelf), moving(node) as asking:
        asking.ask()
        final = asking.final()
        assert counts(final) == (0xB000, 36, 4, 0)
        assert asking.failed(final) == uids(bad)
        shelf.instances = bad
        asking.ask()
        final = asking.final()
        assert counts(final) == (0xA702, 0, 4, 0)
        assert asking.failed(final) == uids(bad)
    assert sorted(destination.arrived) == sorted(set(uids(instances)) - set(uids(bad)))
    for held in bad:
        assert str(held.path) in caplog.text


class Broken(Unreachable):
    """What a scripted destination raises to fall silent."""

    def __init__(self) -> None:
        super().__init__("the script ends here", "closed")


@pytest.mark.parametrize("associations", [1, 2])
def test_a_destination_that_dies_once_gets_the_rest(instances: list[Held], associations: int) -> None:
    seen: list[str] = []

    def dies(uid: str) -> None:
        seen.append(uid)
        if len(seen) == 15:
            raise Broken

    destination = Destination(dies)
    with set_up(instances, destination, associations) as (node, _), moving(node) as asking:
        asking.ask()
        assert counts(asking.final()) == (0, 40, 0, 0)
    assert sorted(destination.arrived) == sorted(uids(instances))
    assert len(seen) == 41


def test_an_instance_a_destination_dies_of_costs_only_itself(instances: list[Held]) -> None:
    poison = instances[11].sop_instance

    def dies(uid: str) -> None:
        if uid == poison:
            raise Broken

    destination = Destination(dies)
    with set_up(instances, destination) as (node, _), moving(node) as asking:
        asking.ask()
        final = asking.final()
        assert counts(final) == (0xB000, 39, 1, 0)
        assert asking.failed(final) == [poison]


def test_a_destination_that_dies_for_good(instances: list[Held], caplog: pytest.LogCaptureFixture) -> None:
    destination = Destination()
    shelf = Shelf(instances)
    with ExitStack() as stack:
        listening = stack.enter_context(ExitStack())
        shelf.node = listening.enter_context(destination.running())
        node = stack.enter_context(serving(shelf, 2))
        asking = stack.enter_context(moving(node))

        def dies(uid: str) -> None:
            if uid == instances[20].sop_instance:
                threading.Thread(target=listening.close).start()
                raise Broken

        destination._before = dies
        asking.ask()
        final = asking.final()
        status, completed, failed, _ = counts(final)
        assert (status, completed + failed) == (0xB000, 40)
        # What was kept and not answered any more has failed, as far as we know.
        assert set(uids(instances)) - set(asking.failed(final)) <= set(destination.arrived)
        assert len(asking.failed(final)) == failed
    assert "given up" in caplog.text


def test_a_destination_that_admits_one_association(instances: list[Held]) -> None:
    admitted = threading.Semaphore(1)
    arrived: list[str] = []
    rejected: list[int] = []

    def script(raw: Association) -> None:
        connection: Connection = raw.connection
        if not admitted.acquire(blocking=False):
            connection.read(5)
            rejected.append(1)
            connection.send([bytes((3, 0, 0, 0, 0, 4, 0, 2, 3, 2))], 5)
            connection.linger(5)
            return
        every = frozenset(Admission().rights)
        association = Association.accept(connection, "127.0.0.1", QUICK, 5.0, lambda *_: every)
        assert association is not None
        while (command := association.receive_command(DEADLINE)) is not None:
            message = Message(command.context, command.command, association.collect(command))
            arrived.append(uid(message))
            kept(association, message)

    peer = ScriptedPeer(script, raw=True)
    shelf = Shelf(instances)
    with peer.running(), serving(shelf, 3) as node, moving(node) as asking:
        shelf.node = replace(peer.node, name="DEST", ae_title="DEST")
        asking.ask()
        assert counts(asking.final()) == (0, 40, 0, 0)
    assert (sorted(arrived), rejected) == (sorted(uids(instances)), [1])


def test_a_second_association_that_nobody_answers_holds_nothing_up(instances: list[Held]) -> None:
    """As with a server that takes one after the other: the connection stands in the kernel's queue."""
    first = threading.Event()
    hung = threading.Event()

    def script(raw: Association) -> None:
        if first.is_set():
            raw.connection.readable(DEADLINE)
            raw.connection.read(5)
            hung.set()
            raw.connection.read(DEADLINE)
            return
        first.set()
        every = frozenset(Admission().rights)
        association = Association.accept(raw.connection, "127.0.0.1", QUICK, 5.0, lambda *_: every)
        assert association is not None
        while (command := association.receive_command(DEADLINE)) is not None:
            message = Message(command.context, command.command, association.collect(command))
            assert hung.wait(DEADLINE)
            kept(association, message)

    peer = ScriptedPeer(script, raw=True)
    shelf = Shelf(instances)
    with peer.running(), serving(shelf, 2) as node, moving(node) as asking:
        shelf.node = replace(peer.node, name="DEST", ae_title="DEST")
        began = time.monotonic()
        asking.ask()
        assert counts(asking.final()) == (0, 40, 0, 0)
        assert time.monotonic() - began < QUICK.association


def test_pending_responses_while_a_destination_takes_its_time(instances: list[Held]) -> None:
    go = threading.Event()

    def waits(_: str) -> None:
        assert go.wait(DEADLINE)

    destination = Destination(waits)
    with set_up(instances, destination) as (node, _), moving(node) as asking:
        asking.ask()
        responses = asking.responses()
        times = []
        for _ in range(3):
            pending = next(responses)
            times.append(time.monotonic())
            assert (pending.command.number(cmd.STATUS), pending.command.number(cmd.REMAINING)) == (0xFF00, 40)
        assert all(0.2 < later - earlier < 2.0 for earlier, later in pairwise(times))
        go.set()
        rest = list(responses)
    assert counts(rest[-1]) == (0, 40, 0, 0)
    assert len(rest) < 10


@pytest.mark.parametrize("associations", [1, 2])
def test_c_cancel_in_the_middle(instances: list[Held], associations: int) -> None:
    half, go = threading.Event(), threading.Event()

    def waits(uid: str) -> None:
        if len(destination.arrived) >= 10:
            half.set()
            go.wait(DEADLINE)

    destination = Destination(waits)
    with set_up(instances, destination, associations) as (node, _), moving(node) as asking:
        asking.ask()
        assert half.wait(DEADLINE)
        asking.cancel()
        final = asking.final()
        # The destination hangs: what it does not answer in the grace time was not sent, as far as anybody knows.
        assert counts(final)[0] == 0xFE00
        remaining = final.command.number(cmd.REMAINING)
        assert 10 <= counts(final)[1] < 40
        assert remaining + counts(final)[1] + counts(final)[2] == 40
        go.set()
        asking.ask("NOWHERE")
        assert asking.final().command.number(cmd.STATUS) == 0xA801


@pytest.mark.parametrize("goes", ["aborts", "listener"])
def test_a_requestor_that_goes_takes_its_associations_along(instances: list[Held], goes: str) -> None:
    half, go = threading.Event(), threading.Event()

    def waits(uid: str) -> None:
        if len(destination.arrived) >= 10:
            half.set()
            go.wait(DEADLINE)

    destination = Destination(waits)
    with set_up(instances, destination, 2) as (node, _), moving(node) as asking:
        asking.ask()
        assert half.wait(DEADLINE)
        if goes == "aborts":
            asking.association.abort()
            deadline = time.monotonic() + DEADLINE
            while any(t.name.startswith("dimse-move") for t in threading.enumerate()):
                assert time.monotonic() < deadline, "workers outlive their C-MOVE"
                threading.Event().wait(0.01)
            go.set()
    # `serving` has asserted that no worker is left
    go.set()
