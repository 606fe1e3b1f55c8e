"""Our side against servers that mean no good: recorded answers changed, and what no honest archive would do."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from pydicom import dcmread

from pacs_tui.dimse import command as cmd
from pacs_tui.dimse.association import Association
from pacs_tui.dimse.contexts import EXPLICIT, GET
from pacs_tui.dimse.part10 import read_held
from pacs_tui.dimse.peer import Peer
from pacs_tui.errors import Cancelled, NetworkError, Unreachable
from pacs_tui.model.level import Level, Root
from pacs_tui.model.node import Node
from pacs_tui.model.query import by_uid
from pacs_tui.model.transfer import StoreRequest, Target
from tests.dimse.fakes import Kept
from tests.dimse.scripted import QUICK, ScriptedPeer, final
from tests.dimse.test_dataset import bundled
from tests.faults.instances import Made
from tests.faults.wire import CT
from tests.hostile import mutations
from tests.hostile.bombing import Case
from tests.hostile.traffic import FILE, Seed, Tap
from tests.hostile.victim import SECOND, TITLE, Victim

pytestmark = pytest.mark.interop
_NOISE = 60
Call = Callable[[Peer], Iterable[object]]


def node(port: int) -> Node:
    return Node("SERVER", TITLE, "127.0.0.1", port)


class Kitchen:
    """What a C-GET hands out; counts it."""

    def __init__(self) -> None:
        self.taken: list[StoreRequest] = []
        self.kept: list[Mapping[str, str]] = []

    def receive(self, request: StoreRequest) -> Kept:
        def done(_data: bytes, attributes: Mapping[str, str]) -> int:
            self.kept.append(dict(attributes))
            return 0

        self.taken.append(request)
        return Kept(done)


# ---------------------------------------------------------------------- recorded answers, changed


def calls(study: str) -> dict[str, Call]:
    target = Target(Level.STUDY, study_uid=study)
    return {
        "echo": lambda peer: peer.echo(),
        "find": lambda peer: peer.find(by_uid(Level.STUDY, "")),
        "move": lambda peer: peer.move(target, SECOND),
        "get": lambda peer: peer.get(target, Kitchen().receive),
        "send": lambda peer: peer.send([read_held(bundled(FILE))]),
    }


class Parrot:
    """A server that says what it was told to, whatever it hears: one stream for each connection."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._streams: list[bytes] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    @contextmanager
    def running(self) -> Iterator[Parrot]:
        self._thread.start()
        try:
            yield self
        finally:
            self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
            self._thread.join(10.0)

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def say(self, streams: Sequence[bytes]) -> None:
        self._streams = list(streams)

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                heard, _ = self._socket.accept()
                stream = self._streams.pop(0) if self._streams else b""
                threading.Thread(target=_recite, args=(heard, stream), daemon=True).start()


def _recite(heard: socket.socket, stream: bytes) -> None:
    with heard, suppress(OSError):
        heard.settimeout(5.0)
        heard.recv(1)
        heard.sendall(stream)
        heard.shutdown(socket.SHUT_WR)
        while heard.recv(65536):
            """Listen to the end, so that nothing is lost in a reset."""


def changed(name: str, answer: bytes, rng: random.Random) -> Iterator[Case]:
    seed = Seed(name, answer)
    yield from mutations.fields(seed)
    yield from mutations.orders(seed)
    yield from mutations.noise([seed], rng, _NOISE)
    for at in range(0, len(answer), max(1, len(answer) // 60)):
        yield Case(f"{name} cut at {at}", answer[:at])


@pytest.mark.parametrize("name", ["echo", "find", "move", "get", "send"])
def test_answers_changed_in_every_way(target: Victim, seeds: list[Seed], rng: random.Random, name: str) -> None:
    """Every one ends, in an answer or in an error with a code: nothing else, and never a wait for ever."""
    assert seeds
    call = calls(str(dcmread(bundled(FILE), stop_before_pixels=True).StudyInstanceUID))[name]
    tap = Tap(target.port)
    with tap.running() as port:
        peer = Peer(node(port), "RECORDER", QUICK)
        assert list(call(peer))
        peer.close()
    answers = [bytes(answer) for answer in tap.answers]
    with Parrot().running() as parrot:
        for place, answer in enumerate(answers):
            for case in changed(name, answer, rng):
                parrot.say([*answers[:place], case.data, *answers[place + 1 :]])
                peer = Peer(node(parrot.port), "TESTER", QUICK)
                try:
                    list(call(peer))
                except NetworkError as error:
                    reason = error.code
                    if not reason:
                        pytest.fail(f"{case.name}: no code")
                peer.close()


# ---------------------------------------------------------------------- what no honest archive would do


def getting(script: Callable[[Association, int, int], None], cancel: threading.Event | None = None) -> Kitchen:
    """Ask a server with this script, which gets the association, the context and the number of the C-GET."""

    def serve(association: Association) -> None:
        while (message := association.receive_command()) is not None:
            association.skip(message)
            if message.command.number(cmd.FIELD) == cmd.C_GET_RQ:
                script(association, message.context, message.command.number(cmd.MESSAGE_ID))
            else:
                final(association, message.context, message.command.number(cmd.MESSAGE_ID), cmd.C_FIND_RSP, 0)

    kitchen = Kitchen()
    with ScriptedPeer(serve).running() as server:
        for _ in Peer(server.node, "TESTER", QUICK).get(
            Target(Level.STUDY, study_uid="1.2.3"), kitchen.receive, cancel
        ):  # fmt: skip
            """Until it ends."""
    return kitchen


def store(association: Association, uid: str, data: bytes, sop_class: str = CT, context: int = 0) -> int:
    """Send an instance back over the association of a C-GET; the status that comes."""
    own = next(c for c in association.contexts.values() if c.abstract_syntax == CT and c.transfer_syntax == EXPLICIT)
    association.send(context or own.id, cmd.pack(
        (cmd.AFFECTED_CLASS, sop_class), (cmd.FIELD, cmd.C_STORE_RQ), (cmd.MESSAGE_ID, 5), (cmd.PRIORITY, 0),
        (cmd.DATA_SET_TYPE, cmd.DATA_SET), (cmd.AFFECTED_INSTANCE, uid)), data)  # fmt: skip
    return association.receive().command.number(cmd.STATUS)


@pytest.mark.parametrize(
    "uid", ["../../../etc/passwd", "/tmp/x", "1.2\0.3", "1." * 40, "", "1.2\n", "1.2\\1.3", "a" * 60_000]
)
def test_a_uid_that_is_none_is_refused_before_anything_is_opened(uid: str) -> None:
    statuses = []

    def script(association: Association, context: int, number: int) -> None:
        statuses.append(store(association, uid, Made(1, 1, 10).data()))
        final(association, context, number, cmd.C_GET_RSP, 0)

    assert getting(script).taken == []
    assert statuses == [0x0117]


def test_an_instance_in_a_context_of_something_else_is_refused() -> None:
    statuses = []

    def script(association: Association, context: int, number: int) -> None:
        assert association.contexts[context].abstract_syntax == GET[Root.STUDY]
        statuses.append(store(association, "1.2.3", b"1234", context=context))
        statuses.append(store(association, "1.2.3", b"1234", sop_class="1.2.840.10008.5.1.4.1.1.4"))
        final(association, context, number, cmd.C_GET_RSP, 0)

    assert getting(script).taken == []
    assert statuses == [0x0122, 0x0122]


def test_an_endless_answer_ends_when_it_is_cancelled() -> None:
    cancel = threading.Event()

    def script(association: Association, context: int, number: int) -> None:
        for count in range(1_000_000):
            association.send(context, cmd.pack(
                (cmd.FIELD, cmd.C_GET_RSP), (cmd.RESPONDED_ID, number), (cmd.DATA_SET_TYPE, cmd.NO_DATA_SET),
                (cmd.STATUS, 0xFF00), (cmd.REMAINING, 1), (cmd.COMPLETED, 0)))  # fmt: skip
            if count == 100:
                cancel.set()

    with pytest.raises((Cancelled, Unreachable)):
        getting(script, cancel)


@pytest.mark.parametrize("field", [cmd.C_FIND_RSP, cmd.C_ECHO_RQ, cmd.C_GET_RQ, 0x0150, 0xFFFF])
def test_a_command_that_does_not_belong_ends_it(field: int) -> None:
    def script(association: Association, context: int, number: int) -> None:
        final(association, context, number, field, 0)

    with pytest.raises(Unreachable) as caught:
        getting(script)
    assert caught.value.code == "protocol"


def test_a_syntax_nobody_proposed_is_no_agreement() -> None:
    def script(association: Association) -> None:
        connection = association.connection
        _, body = connection.read(2.0)
        proposal = bytes(body)
        accepted = proposal[:4] + proposal[4:68]
        accepted += _item(0x10, b"1.2.840.10008.3.1.1.1")
        accepted += _item(0x21, b"\1\0\0\0" + _item(0x40, b"../../../etc/passwd"))
        accepted += _item(0x50, _item(0x51, b"\0\0\x40\0") + _item(0x52, b"1.2.3"))
        connection.send([b"\2\0" + len(accepted).to_bytes(4, "big") + accepted], 2.0)
        connection.read(2.0)

    with ScriptedPeer(script, raw=True).running() as server, pytest.raises(Unreachable) as caught:
        list(Peer(server.node, "TESTER", QUICK).echo())
    assert caught.value.code == "protocol"


def _item(kind: int, body: bytes) -> bytes:
    return bytes((kind, 0)) + len(body).to_bytes(2, "big") + body


def test_a_server_that_stores_what_was_not_asked_for(tmp_path: Path) -> None:
    """Of another study: `get` on the command line keeps no file outside its folder, whatever comes."""
    from pacs_tui.cli.get import Folder

    made = Made(2, 2, 10)
    (tmp_path / "got").mkdir()
    folder = Folder(tmp_path / "got", replace=False)

    def serve(association: Association) -> None:
        while (message := association.receive_command()) is not None:
            association.skip(message)
            number = message.command.number(cmd.MESSAGE_ID)
            if message.command.number(cmd.FIELD) == cmd.C_GET_RQ:
                store(association, made.uid, made.data().replace(b"FAULT^", b"../../"))
                final(association, message.context, number, cmd.C_GET_RSP, 0)
            else:
                final(association, message.context, number, cmd.C_FIND_RSP, 0)

    with ScriptedPeer(serve).running() as server:
        list(Peer(server.node, "TESTER", QUICK).get(Target(Level.STUDY, study_uid="1.2.3"), folder.receive))
    assert sorted(path.name for path in tmp_path.rglob("*")) == [f"{made.uid}.dcm", "got"]
