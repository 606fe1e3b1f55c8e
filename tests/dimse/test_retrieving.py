"""C-MOVE and C-GET as we serve them: destinations that misbehave, impatient requestors, and counts that are right."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pydicom
import pytest
from msgspec.structs import replace
from pydicom.filereader import read_dataset

from pacs_tui.dimse import command as cmd
from pacs_tui.dimse import contexts as ctx
from pacs_tui.dimse.association import Association, Message
from pacs_tui.dimse.identifier import encode_keys
from pacs_tui.dimse.listener import Listener
from pacs_tui.dimse.part10 import read_held
from pacs_tui.dimse.storing import Transcode
from pacs_tui.dimse.upper_layer import Connection
from pacs_tui.errors import PictureError, Unreachable
from pacs_tui.model.admission import Admission
from pacs_tui.model.find import FindAnswer, FindRequest
from pacs_tui.model.level import Level, Root
from pacs_tui.model.node import Node
from pacs_tui.model.transfer import Held, StoreRequest, Target
from pacs_tui.settings import Limits, Timeouts
from tests.dimse.scripted import ScriptedPeer
from tests.dimse.test_dataset import bundled

pytestmark = pytest.mark.interop
STUDY = "1.2.3"
QUICK = Timeouts(connect=5, association=5, message=5, transfer=10, cancel_grace=0.5)
DEADLINE = 20.0


class Shelf:
    """Loose files of one study, and one destination."""

    def __init__(self, instances: Sequence[Held]) -> None:
        self.instances = list(instances)
        self.node: Node | None = None

    def admit(self, calling: str, called: str, host: str) -> Admission:
        return Admission()

    def store(self, request: StoreRequest) -> object:
        raise AssertionError(request)

    def find(self, request: FindRequest) -> FindAnswer:
        raise AssertionError(request)

    def retrieve(self, called: str, target: Target) -> Sequence[Held]:
        return [held for held in self.instances if held.study_uid == target.study_uid]

    def destination(self, called: str, title: str) -> Node | None:
        return self.node if self.node is not None and title == self.node.ae_title else None


@contextmanager
def serving(shelf: Shelf, associations: int = 1, transcode: Transcode | None = None) -> Iterator[Node]:
    listener = Listener(
        shelf, [("127.0.0.1", 0)], Limits(move_associations=associations), QUICK, transcode  # type: ignore[arg-type]
    )  # fmt: skip
    listener.open()
    try:
        yield Node("SHELF", "SHELF", "127.0.0.1", listener.ports[0])
    finally:
        listener.close(0.5)
        assert [t.name for t in threading.enumerate() if t.name.startswith(("dimse-move", "dimse-transcode"))] == []


@pytest.fixture
def instances(tmp_path: Path) -> list[Held]:
    """Forty small instances."""
    return copies(tmp_path / "shelf", 40)


def copies(folder: Path, count: int, name: str = "rtplan.dcm") -> list[Held]:
    folder.mkdir(exist_ok=True)
    dataset = pydicom.dcmread(bundled(name))
    held = []
    for number in range(count):
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number + 1}"
        dataset.StudyInstanceUID = STUDY
        path = folder / f"{number}.dcm"
        dataset.save_as(path)
        held.append(replace(read_held(path), study_uid=STUDY))
    return held


# ---------------------------------------------------------------------- the requestor's side


class Asking:
    """A requestor that looks at every response."""

    def __init__(self, node: Node, field: int, abstract: str, held: Sequence[Held] = (), syntax: str = "") -> None:
        wanted = [ctx.Proposal(abstract, (syntax or ctx.EXPLICIT,))]
        for sop_class in {one.sop_class for one in held}:
            wanted += [ctx.Proposal(sop_class, (one,), True) for one in (ctx.EXPLICIT, ctx.IMPLICIT)]
        self.association = Association.request(node.host, node.port, "SHELF", "ASKER", "SHELF", wanted, QUICK)
        self.field = field
        self.explicit = syntax != ctx.IMPLICIT
        self.stored = 0

    def ask(self, destination: str = "DEST", priority: int = 0, study: str = STUDY) -> None:
        where: list[tuple[int, cmd.Value]] = []
        if self.field == cmd.C_MOVE_RQ:
            where = [(cmd.DESTINATION, destination)]
        command = cmd.pack(
            (cmd.AFFECTED_CLASS, self.association.contexts[1].abstract_syntax), (cmd.FIELD, self.field),
            (cmd.MESSAGE_ID, 7), *where, (cmd.PRIORITY, priority), (cmd.DATA_SET_TYPE, cmd.DATA_SET),
        )  # fmt: skip
        self.association.send(1, command, encode_keys({"StudyInstanceUID": study}, Level.STUDY, self.explicit))

    def cancel(self) -> None:
        self.association.send(1, cmd.pack(
            (cmd.FIELD, cmd.C_CANCEL_RQ), (cmd.RESPONDED_ID, 7), (cmd.DATA_SET_TYPE, cmd.NO_DATA_SET)))  # fmt: skip

    def responses(self, store: Callable[[Message], None] | None = None) -> Iterator[Message]:
        """Every response of ours, the final one last; C-STOREs in between are answered."""
        while True:
            message = self.association.receive(DEADLINE)
            if message.command.number(cmd.FIELD) == cmd.C_STORE_RQ:
                if store is not None:
                    store(message)
                kept(self.association, message)
                self.stored += 1
                continue
            yield message
            if message.command.number(cmd.STATUS) != 0xFF00:
                return

    def final(self) -> Message:
        return deque(self.responses(), 1)[0]

    def failed(self, message: Message) -> list[str]:
        listed = read_dataset(BytesIO(message.data or b""), not self.explicit, True).get("FailedSOPInstanceUIDList", [])
        return [str(listed)] if isinstance(listed, str) else [str(uid) for uid in listed]


@contextmanager
def moving(node: Node, syntax: str = "") -> Iterator[Asking]:
    asking = Asking(node, cmd.C_MOVE_RQ, ctx.MOVE[Root.STUDY], syntax=syntax)
    try:
        yield asking
    finally:
        asking.association.abort()


@contextmanager
def getting(node: Node, held: Sequence[Held], syntax: str = "") -> Iterator[Asking]:
    asking = Asking(node, cmd.C_GET_RQ, ctx.GET[Root.STUDY], held, syntax)
    try:
        yield asking
    finally:
        asking.association.abort()


def counts(message: Message) -> tuple[int, int, int, int]:
    """Status, completed, failed, warning."""
    command = message.command
    return tuple(command.number(n) for n in (cmd.STATUS, cmd.COMPLETED, cmd.FAILED, cmd.WARNING))  # type: ignore[return-value]


# ---------------------------------------------------------------------- the destination's side


def kept(association: Association, message: Message, status: int = 0) -> None:
    command = message.command
    association.send(message.context, cmd.pack(
        (cmd.AFFECTED_CLASS, command.text(cmd.AFFECTED_CLASS)), (cmd.FIELD, cmd.C_STORE_RSP),
        (cmd.RESPONDED_ID, command.number(cmd.MESSAGE_ID)), (cmd.DATA_SET_TYPE, cmd.NO_DATA_SET),
        (cmd.STATUS, status), (cmd.AFFECTED_INSTANCE, command.text(cmd.AFFECTED_INSTANCE))))  # fmt: skip


def uid(message: Message) -> str:
    return message.command.text(cmd.AFFECTED_INSTANCE)


class Destination:
    """Keeps what it is sent; `before` is called with the instance first, and may raise to break the line."""

    def __init__(self, before: Callable[[str], None] | None = None) -> None:
        self.arrived: list[str] = []
        self.originators: set[tuple[str, int]] = set()
        self.priorities: set[int] = set()
        self._before = before
        self.peer = ScriptedPeer(self._serve)

    def _serve(self, association: Association) -> None:
        while (command := association.receive_command(DEADLINE)) is not None:
            message = Message(command.context, command.command, association.collect(command))
            if self._before is not None:
                self._before(uid(message))
            self.arrived.append(uid(message))
            self.originators.add((command.command.text(cmd.ORIGINATOR), command.command.number(cmd.ORIGINATOR_ID)))
            self.priorities.add(command.command.number(cmd.PRIORITY))
            kept(association, message)

    @contextmanager
    def running(self) -> Iterator[Node]:
        with self.peer.running():
            yield replace(self.peer.node, name="DEST", ae_title="DEST")


@contextmanager
def set_up(
    instances: Sequence[Held], destination: Destination, associations: int = 1
) -> Iterator[tuple[Node, Shelf]]:  # fmt: skip
    shelf = Shelf(instances)
    with ExitStack() as stack:
        shelf.node = stack.enter_context(destination.running())
        yield stack.enter_context(serving(shelf, associations)), shelf


def uids(instances: Sequence[Held]) -> list[str]:
    return [held.sop_instance for held in instances]


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


# ---------------------------------------------------------------------- C-GET


def test_get_sends_everything_and_tells(instances: list[Held]) -> None:
    with serving(Shelf(instances)) as node, getting(node, instances) as asking:
        asking.ask()
        assert counts(asking.final()) == (0, 40, 0, 0)
        assert asking.stored == 40
        instances[4].path.unlink()
        asking.ask()
        final = asking.final()
        assert (counts(final), asking.failed(final)) == ((0xB000, 39, 1, 0), [instances[4].sop_instance])


def test_get_is_cancelled_before_an_answer(instances: list[Held]) -> None:
    with serving(Shelf(instances)) as node, getting(node, instances) as asking:

        def third(message: Message) -> None:
            if asking.stored == 2:
                asking.cancel()

        asking.ask()
        final = deque(asking.responses(third), 1)[0]
        assert counts(final) == (0xFE00, 3, 0, 0)
        assert final.command.number(cmd.REMAINING) == 37
        asking.ask()
        assert counts(asking.final()) == (0, 40, 0, 0)


def slowly(go: threading.Event, made: list[str]) -> Transcode:
    @contextmanager
    def transcode(held: Held, syntaxes: Sequence[str]) -> Iterator[Held]:
        if held.sop_instance.endswith(".2"):
            raise PictureError("This one cannot be.")
        made.append(held.sop_instance)
        assert go.wait(DEADLINE)
        yield replace(held, transfer_syntax=syntaxes[0], path=held.path.with_suffix(".other"))
        made.remove(held.sop_instance)

    return transcode


@pytest.fixture
def big_endian(tmp_path: Path) -> list[Held]:
    """Instances in a syntax that is not accepted, and each also in one that is."""
    held = copies(tmp_path / "big", 5, "ExplVR_BigEnd.dcm")
    for one in held:
        dataset = pydicom.dcmread(bundled("CT_small.dcm"))
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = one.sop_instance
        dataset.save_as(one.path.with_suffix(".other"))
    return held


def test_get_is_not_silent_while_it_transcodes(big_endian: list[Held]) -> None:
    go: threading.Event = threading.Event()
    made: list[str] = []
    with serving(Shelf(big_endian), 1, slowly(go, made)) as node, getting(node, big_endian) as asking:
        asking.ask()
        responses = asking.responses()
        for _ in range(2):
            pending = next(responses)
            assert (pending.command.number(cmd.STATUS), pending.command.number(cmd.REMAINING)) == (0xFF00, 5)
        go.set()
        final = deque(responses, 1)[0]
        assert (counts(final), asking.failed(final)) == ((0xB000, 4, 1, 0), ["1.2.3.2"])
        assert made == []


def test_get_is_cancelled_while_it_transcodes(big_endian: list[Held]) -> None:
    go: threading.Event = threading.Event()
    made: list[str] = []
    with serving(Shelf(big_endian), 1, slowly(go, made)) as node, getting(node, big_endian) as asking:
        asking.ask()
        asking.cancel()
        final = asking.final()
        assert (counts(final), final.command.number(cmd.REMAINING)) == ((0xFE00, 0, 0, 0), 5)
        go.set()
    assert made == []


def test_move_transcodes_only_what_was_not_accepted(big_endian: list[Held]) -> None:
    go: threading.Event = threading.Event()
    go.set()
    made: list[str] = []
    destination = Destination()
    shelf = Shelf(big_endian)
    with destination.running() as there, serving(shelf, 1, slowly(go, made)) as node, moving(node) as asking:
        shelf.node = there
        asking.ask()
        assert counts(asking.final()) == (0, 5, 0, 0)
    assert len(destination.arrived) == 5


# ---------------------------------------------------------------------- counts beyond 16 bits


@pytest.mark.parametrize("syntax", [ctx.EXPLICIT, ctx.IMPLICIT])
def test_more_than_65535_sub_operations(instances: list[Held], syntax: str) -> None:
    """Counts are clamped, status and Error Comment are right, and as many failed instances are listed as fit."""
    one = instances[0]
    many = [replace(one, sop_instance=f"1.2.840.113619.2.{number}", sop_class="1.2.3.4") for number in range(70_000)]
    with serving(Shelf([one, *many])) as node, getting(node, [one], syntax) as asking:
        asking.ask()
        responses = list(asking.responses())
        final = responses[-1]
        assert counts(final) == (0xB000, 1, 65535, 0)
        assert final.command.text(cmd.COMMENT) == "of 70001: 1 completed, 70000 failed"
        assert all(r.command.number(cmd.REMAINING) <= 65535 for r in responses[:-1])
        failed = asking.failed(final)
        assert failed == uids(many)[: len(failed)]
        assert len(failed) == 70_000 if syntax == ctx.IMPLICIT else len("\\".join(failed)) > 65_500
