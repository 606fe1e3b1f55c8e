"""What the tests of retrieves are made of: a shelf of files, a requestor that looks at everything, a destination."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path

import pydicom
from msgspec.structs import replace
from pydicom.filereader import read_dataset

from pacs_tui.dimse import command as cmd
from pacs_tui.dimse import contexts as ctx
from pacs_tui.dimse.association import Association, Message
from pacs_tui.dimse.identifier import encode_keys
from pacs_tui.dimse.listener import Listener
from pacs_tui.dimse.part10 import read_held
from pacs_tui.dimse.storing import Transcode
from pacs_tui.model.admission import Admission
from pacs_tui.model.find import FindAnswer, FindRequest
from pacs_tui.model.level import Level, Root
from pacs_tui.model.node import Node
from pacs_tui.model.transfer import Held, StoreRequest, Target
from pacs_tui.settings import Limits, Timeouts
from tests.dimse.scripted import ScriptedPeer
from tests.dimse.test_dataset import bundled

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
