"""pynetdicom reads everything we send, and we read everything it sends."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pynetdicom import pdu as pn
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.dimse_primitives import C_CANCEL, C_ECHO, C_FIND, C_GET, C_MOVE, C_STORE
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.presentation import PresentationContext

from pacs_tui.dimse import command as cmd
from pacs_tui.dimse import negotiation as neg
from pacs_tui.dimse.contexts import EXPLICIT, IMPLICIT, Proposal
from pacs_tui.dimse.part10 import read_held
from pacs_tui.dimse.peer import Peer
from pacs_tui.dimse.upper_layer import Violation
from pacs_tui.errors import Cancelled, NetworkError, Unreachable
from pacs_tui.model.admission import EVERY_RIGHT
from pacs_tui.model.level import Level
from pacs_tui.model.node import Node
from pacs_tui.model.query import by_uid
from pacs_tui.model.transfer import StoreRequest, Target
from pacs_tui.settings import Timeouts
from tests.dimse.fakes import Kept
from tests.dimse.test_dataset import bundled
from tests.hostile.feeding import fed
from tests.hostile.mutations import pdus
from tests.hostile.traffic import Seed, Tap
from tests.hostile.victim import SECOND, TITLE, Victim

pytestmark = pytest.mark.interop
patient = settings(deadline=None)
KINDS: dict[int, type[Any]] = {
    1: pn.A_ASSOCIATE_RQ, 2: pn.A_ASSOCIATE_AC, 3: pn.A_ASSOCIATE_RJ, 4: pn.P_DATA_TF, 5: pn.A_RELEASE_RQ,
    6: pn.A_RELEASE_RP, 7: pn.A_ABORT_RQ,
}  # fmt: skip
NUMBERS = {
    cmd.FIELD: "CommandField", cmd.MESSAGE_ID: "MessageID", cmd.RESPONDED_ID: "MessageIDBeingRespondedTo",
    cmd.PRIORITY: "Priority", cmd.DATA_SET_TYPE: "CommandDataSetType", cmd.STATUS: "Status",
    cmd.REMAINING: "NumberOfRemainingSuboperations", cmd.COMPLETED: "NumberOfCompletedSuboperations",
    cmd.FAILED: "NumberOfFailedSuboperations", cmd.WARNING: "NumberOfWarningSuboperations",
    cmd.ORIGINATOR_ID: "MoveOriginatorMessageID",
}  # fmt: skip
TEXTS = {
    cmd.AFFECTED_CLASS: "AffectedSOPClassUID", cmd.AFFECTED_INSTANCE: "AffectedSOPInstanceUID",
    cmd.DESTINATION: "MoveDestination", cmd.COMMENT: "ErrorComment",
    cmd.ORIGINATOR: "MoveOriginatorApplicationEntityTitle",
}  # fmt: skip


# ---------------------------------------------------------------------- what we send


def read_by_pynetdicom(stream: bytes) -> list[str]:
    """The names of all PDUs and messages, each read by pynetdicom and found to hold what we say it holds."""
    names: list[str] = []
    message = DIMSEMessage()
    parts = b""
    for part in pdus(stream):
        pdu = KINDS[part[0]]()
        pdu.decode(part)
        assert pdu.encode() == part, "nothing is lost on the way through its classes"
        if part[0] != 4:
            names.append(type(pdu).__name__)
            continue
        primitive = pdu.to_primitive()
        parts += b"".join(data[1:] for _, data in primitive.presentation_data_value_list if data[0] & 1)
        if message.decode_msg(primitive):
            assert parts[4:8] == b"\x04\0\0\0"
            check_command(cmd.unpack(parts), message.command_set)
            assert message.message_to_primitive() is not None
            names.append(type(message).__name__)
            message, parts = DIMSEMessage(), b""
    return names


def check_command(ours: cmd.Command, theirs: Dataset) -> None:
    assert {int(element.tag) for element in theirs} == set(ours)
    for element, keyword in NUMBERS.items():
        assert ours.get(element) == theirs.get(keyword)
    for element, keyword in TEXTS.items():
        assert ours.text(element) == str(theirs.get(keyword, "")).strip()


def test_pynetdicom_reads_all_that_we_send(target: Victim, seeds: list[Seed]) -> None:
    """Our peer and our archive through a tap, each side of every conversation."""
    assert seeds
    tap = Tap(target.port)
    with tap.running() as port:
        for called in (TITLE, "NOBODY"):
            talk(Peer(Node("TAPPED", called, "127.0.0.1", port), "BOTHWAYS", Timeouts()))
        with Peer(Node("TAPPED", TITLE, "127.0.0.1", port), "BOTHWAYS", Timeouts())._association(
            [Proposal("1.2.840.10008.1.1", (IMPLICIT,))]
        ) as association:
            association.send(99, cmd.pack(
                (cmd.AFFECTED_CLASS, "1.2.840.10008.1.1"), (cmd.FIELD, cmd.C_ECHO_RQ), (cmd.MESSAGE_ID, 1),
                (cmd.DATA_SET_TYPE, cmd.NO_DATA_SET)))  # fmt: skip
            with pytest.raises(Unreachable):
                association.receive()
    names = {name for stream in (*tap.streams, *tap.answers) for name in read_by_pynetdicom(bytes(stream))}
    assert names >= {kind.__name__ for number, kind in KINDS.items() if number != 4}
    assert names >= {f"C_{name}_{end}" for name in ("ECHO", "STORE", "FIND", "MOVE", "GET") for end in ("RQ", "RSP")}
    assert "C_CANCEL_RQ" in names


def talk(peer: Peer) -> None:
    """Everything a peer can do, and everything it can be told."""
    held = [read_held(bundled(name)) for name in ("CT_small.dcm", "MR_small.dcm", "rtplan.dcm")]
    everything = by_uid(Level.STUDY, "")
    cancel = threading.Event()
    calls = (
        lambda: peer.echo(2), lambda: peer.send(held), lambda: peer.find(everything),
        lambda: first(peer.find(everything)),
        lambda: peer.move(target_of(peer), SECOND), lambda: peer.move(target_of(peer), "NOWHERE"),
        lambda: peer.get(target_of(peer), keep), lambda: cancelled(peer.get(target_of(peer), keep, cancel), cancel),
    )  # fmt: skip
    for call in calls:
        with suppress(NetworkError, Cancelled):
            list(call())
    peer.close()


def first(rows: Iterator[Any]) -> Sequence[Any]:
    """One row, and then no more, which is a C-CANCEL."""
    found = next(rows)
    rows.close()  # type: ignore[attr-defined]
    return [found]


def cancelled(rows: Iterator[Any], cancel: threading.Event) -> Sequence[Any]:
    cancel.set()
    return [*rows]


def keep(_: StoreRequest) -> Kept:
    def done(_data: bytes, _attributes: Mapping[str, str]) -> int:
        return 0

    return Kept(done)


def target_of(peer: Peer) -> Target:
    return Target(Level.STUDY, study_uid=next(iter([m.uid for m in peer.find(by_uid(Level.STUDY, ""))])))


# ---------------------------------------------------------------------- what pynetdicom sends

UIDS = st.from_regex(r"1\.2\.[1-9][0-9]{0,20}(\.[1-9][0-9]{0,5}){0,3}", fullmatch=True)
US = st.integers(0, 0xFFFF)
TITLES = st.text("ABCDEFGHIJ_0123456789 ", min_size=1, max_size=16).filter(str.strip)
DATA = st.binary(min_size=1, max_size=5000).map(lambda data: data + b"\0" * (len(data) & 1))
COUNTS = tuple(
    f"NumberOf{what}Suboperations" for what in ("Remaining", "Completed", "Failed", "Warning")
)  # fmt: skip
PRIMITIVES: tuple[tuple[type[Any], str, bool], ...] = (
    (C_ECHO, "", False), (C_STORE, "DataSet", True), (C_FIND, "Identifier", True), (C_GET, "Identifier", True),
    (C_MOVE, "Identifier", True), (C_CANCEL, "", False),
)  # fmt: skip


@st.composite
def primitives(draw: st.DrawFn) -> tuple[Any, bytes]:
    """Any request or response of DIMSE-C, and its data set."""
    kind, keyword, may_have_data = draw(st.sampled_from(PRIMITIVES))
    made = kind()
    response = kind is not C_CANCEL and draw(st.booleans())
    if response or kind is C_CANCEL:
        made.MessageIDBeingRespondedTo = draw(US)
    else:
        made.MessageID = draw(US)
    if response:
        made.Status = draw(US)
        if kind in (C_GET, C_MOVE):
            for count in draw(st.sets(st.sampled_from(COUNTS))):
                setattr(made, count, draw(US))
    data = b""
    if kind is not C_CANCEL:
        made.AffectedSOPClassUID = draw(UIDS)
    if kind is C_STORE:
        made.AffectedSOPInstanceUID = draw(UIDS)
    if kind is C_MOVE and not response:
        made.MoveDestination = draw(TITLES)
    pending = response and kind is not C_STORE and made.Status in (0xFF00, 0xFF01)
    if may_have_data and (not response or pending):
        data = draw(DATA)
        setattr(made, keyword, io.BytesIO(data))
    return made, data


@patient
@given(primitives(), st.sampled_from((16, 100, 16384)))
def test_we_read_every_message_of_pynetdicom(made: tuple[Any, bytes], largest: int) -> None:
    primitive, data = made
    message = message_of(primitive)
    stream = b""
    for piece in message.encode_msg(3, largest):
        pdu = pn.P_DATA_TF()
        pdu.from_primitive(piece)
        stream += pdu.encode()
    with fed(stream) as association:
        received = association.receive_command()
        assert received is not None
        assert received.context == 3
        check_command(received.command, message.command_set)
        assert association.collect(received) == data


def message_of(primitive: Any) -> Any:
    """As pynetdicom's own service provider chooses it."""
    from pynetdicom import dimse_messages

    name = type(primitive).__name__
    kind = "RQ" if name == "C_CANCEL" or primitive.MessageIDBeingRespondedTo is None else "RSP"
    message = getattr(dimse_messages, f"{name}_{kind}")()
    message.primitive_to_message(primitive)
    return message


CONTEXTS = st.lists(
    st.tuples(UIDS, st.lists(st.sampled_from((IMPLICIT, EXPLICIT)) | UIDS, min_size=1, max_size=4, unique=True)),
    min_size=1, max_size=12, unique_by=lambda asked: asked[0],
)  # fmt: skip


@patient
@given(CONTEXTS, TITLES, TITLES, st.integers(512, 0xFFFFFFFF) | st.just(0))
def test_we_read_every_proposal_of_pynetdicom(
    asked: list[tuple[str, list[str]]], calling: str, called: str, largest: int
) -> None:
    primitive = A_ASSOCIATE()
    primitive.application_context_name = neg.APPLICATION_CONTEXT
    primitive.calling_ae_title, primitive.called_ae_title = calling, called
    contexts = []
    for number, (abstract, syntaxes) in enumerate(asked):
        context = PresentationContext()
        context.context_id, context.abstract_syntax, context.transfer_syntax = 2 * number + 1, abstract, syntaxes
        contexts.append(context)
    primitive.presentation_context_definition_list = contexts
    information = neg._user_information(16384)
    information[0].maximum_length_received = largest  # type: ignore[attr-defined]
    primitive.user_information = information
    pdu = pn.A_ASSOCIATE_RQ()
    pdu.from_primitive(primitive)
    body = memoryview(bytes(pdu.encode()))[6:]
    assert neg.titles(body) == (calling.strip(), called.strip())
    made = neg.answer(body, EVERY_RIGHT, 16384)
    assert made is not None
    assert made.peer_pdu == largest
    assert [(c.id, c.abstract_syntax, c.transfer_syntax) for c in made.contexts] == [
        (2 * number + 1, abstract, syntaxes[0]) for number, (abstract, syntaxes) in enumerate(asked)
    ]


@pytest.mark.parametrize("source", [0, 2])
@pytest.mark.parametrize("reason", [0, 1, 2, 4, 5, 6])
def test_we_read_every_abort_of_pynetdicom(source: int, reason: int) -> None:
    pdu = pn.A_ABORT_RQ()
    pdu.source, pdu.reason_diagnostic = source, reason
    with fed(pdu.encode()) as association, pytest.raises(Unreachable) as caught:
        association.receive_command()
    assert caught.value.code == f"abort:{source}:{reason}"


def test_we_read_every_release_of_pynetdicom() -> None:
    with fed(pn.A_RELEASE_RQ().encode()) as association:
        assert association.receive_command() is None
    with fed(pn.A_RELEASE_RP().encode()) as association, pytest.raises(Violation):
        association.receive_command()
    with fed(pn.A_RELEASE_RP().encode()) as association:
        association.release()
        assert association.connection.closed
