"""What an association may do: rights, extended negotiation, retired models; pynetdicom asks."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, Association, build_role
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation
from pynetdicom.sop_class import (
    CTImageStorage,
    PatientRootQueryRetrieveInformationModelFind,
    PatientStudyOnlyQueryRetrieveInformationModelFind,
    PatientStudyOnlyQueryRetrieveInformationModelMove,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from pacs_tui.dimse import command as cmd
from pacs_tui.dimse import negotiation as neg
from pacs_tui.dimse.association import Association as OurAssociation
from pacs_tui.dimse.contexts import BIG_ENDIAN, EXPLICIT, IMPLICIT, Extended, Proposal, extend, for_get
from pacs_tui.dimse.upper_layer import Violation
from pacs_tui.errors import UsageError
from pacs_tui.model.admission import EVERY_RIGHT, Right
from pacs_tui.model.level import Level, Root
from pacs_tui.model.node import Node
from pacs_tui.settings import Timeouts
from tests.dimse.fakes import FakeServices, serving

FIND, MOVE, GET = (
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelMove,
    StudyRootQueryRetrieveInformationModelGet,
)
SERVICES = {Right.ECHO: Verification, Right.STORE: CTImageStorage, Right.FIND: FIND, Right.RETRIEVE: MOVE}


# ---------------------------------------------------------------------- without a socket


@pytest.mark.parametrize(
    ("asked", "agreed", "answer"),
    [
        (b"\1\1\1\1\1", Extended(True, True, True), b"\1\1\1\0\0"),
        (b"\1", Extended(True), b"\1"),
        (b"\0\0\1", Extended(fuzzy=True), b"\0\0\1"),
        (b"", Extended(), b""),
        (b"\2\xff\1\1\1\1\1\1", Extended(fuzzy=True), b"\0\0\1\0\0"),
    ],
)
def test_what_is_agreed_of_a_query(asked: bytes, agreed: Extended, answer: bytes) -> None:
    assert extend(str(FIND), asked) == (agreed, answer)


def test_a_retrieve_is_relational_at_most() -> None:
    assert extend(str(MOVE), b"\1\1\1") == (Extended(True), b"\1\0")


def test_the_same_proposal_is_answered_the_same_whoever_asks() -> None:
    proposals = tuple(for_get(Root.STUDY, [str(CTImageStorage)]))
    first = neg.associate_rq("ME", "YOU", proposals, 16384)
    second = neg.associate_rq("SOMEBODY", "ELSE", proposals, 16384)
    assert first[74:] == second[74:]
    answers = [neg.answer(memoryview(pdu)[6:], EVERY_RIGHT, 131072) for pdu in (first, second)]
    assert answers[0] is answers[1]
    assert answers[0] is not None
    reply = neg.associate_ac(memoryview(second)[6:], answers[0])
    assert (reply[10:26], reply[26:42]) == (b"ELSE".ljust(16), b"SOMEBODY".ljust(16))
    assert neg.accepted(memoryview(reply)[6:], proposals)[1] == 131072
    assert neg.answer(memoryview(first)[6:], frozenset((Right.ECHO,)), 131072) != answers[0]


def test_proposals_out_of_the_ordinary_are_not_kept() -> None:
    proposals = tuple(Proposal(f"1.2.{number}" + ".1" * 28, (IMPLICIT, EXPLICIT, BIG_ENDIAN)) for number in range(128))
    pdu = memoryview(neg.associate_rq("ME", "YOU", proposals, 16384))[6:]
    assert len(pdu) > neg._LONGEST
    assert neg.answer(pdu, EVERY_RIGHT, 4096) is not neg.answer(pdu, EVERY_RIGHT, 4096)


@pytest.mark.parametrize("title", [b" " * 16, b"A\\B".ljust(16), b"\x1b[2J".ljust(16), b"\xc4RCHIV".ljust(16)])
def test_titles_against_the_rules(title: bytes) -> None:
    with pytest.raises(UsageError, match="AE title"):
        neg.titles(memoryview(bytes(4) + title + b"ME".ljust(48)))


def test_an_item_over_the_end_is_a_violation() -> None:
    body = memoryview(bytes(4) + b"YOU".ljust(16) + b"ME".ljust(48) + b"\x10\0\xff\xff1.2")
    with pytest.raises(Violation):
        neg.answer(body, EVERY_RIGHT, 4096)


# ---------------------------------------------------------------------- with sockets


def associated(node: Node, *classes: str, extended: dict[str, bytes] | None = None) -> Association:
    ae = AE("PYND")
    for uid in classes:
        ae.add_requested_context(uid)
    items = []
    for uid, information in (extended or {}).items():
        item = SOPClassExtendedNegotiation()
        item.sop_class_uid, item.service_class_application_information = uid, information
        items.append(item)
    return ae.associate(node.host, node.port, ae_title="FAKE", ext_neg=items)


@pytest.mark.interop
@pytest.mark.parametrize("right", list(Right))
def test_contexts_beyond_the_rights_are_rejected_by_the_user(right: Right) -> None:
    with serving(FakeServices(frozenset((right,)))) as (_, node):
        association = associated(node, *SERVICES.values())
        assert [str(c.abstract_syntax) for c in association.accepted_contexts] == [str(SERVICES[right])]
        assert {c.result for c in association.rejected_contexts} == {1}
        association.release()


@pytest.mark.interop
def test_storage_in_the_scp_role_belongs_to_a_retrieve() -> None:
    with serving(FakeServices(frozenset((Right.RETRIEVE,)))) as (_, node):
        ae = AE("PYND")
        ae.add_requested_context(GET)
        ae.add_requested_context(CTImageStorage)
        roles = [build_role(CTImageStorage, scp_role=True)]
        association = ae.associate(node.host, node.port, ae_title="FAKE", ext_neg=roles)
        assert {str(c.abstract_syntax) for c in association.accepted_contexts} == {str(GET), str(CTImageStorage)}
        association.release()


@pytest.mark.interop
def test_a_command_without_the_right_is_not_authorized_and_the_association_lives() -> None:
    """In a context that was accepted for something else: negotiation has not the last word."""
    with serving(FakeServices(frozenset((Right.ECHO,)))) as (_, node):
        proposals = [Proposal(str(Verification), (IMPLICIT,))]
        ours = OurAssociation.request(node.host, node.port, "x", "ME", "FAKE", proposals, Timeouts(message=5))
        for field, status in ((cmd.C_STORE_RQ, 0x0124), (cmd.C_FIND_RQ, 0x0124), (cmd.C_ECHO_RQ, 0), (0x0150, 0x0211)):
            ours.send(1, cmd.pack(
                (cmd.AFFECTED_CLASS, str(CTImageStorage)), (cmd.FIELD, field), (cmd.MESSAGE_ID, 7),
                (cmd.DATA_SET_TYPE, 1), (cmd.AFFECTED_INSTANCE, "1.2.3"),
            ), bytes(300_000) if field != cmd.C_ECHO_RQ else b"")  # fmt: skip
            answer = ours.receive().command
            assert (answer.number(cmd.FIELD), answer.number(cmd.STATUS)) == (field | 0x8000, status)
        ours.release()


@pytest.mark.interop
def test_extended_negotiation_reaches_the_query() -> None:
    services = FakeServices()
    with serving(services) as (_, node):
        patient = PatientRootQueryRetrieveInformationModelFind
        association = associated(node, FIND, patient, MOVE, extended={FIND: b"\1\1\1\1\0", MOVE: b"\1", "1.2.3": b"\1"})
        said = {
            str(item.sop_class_uid): item.service_class_application_information
            for item in association.acceptor.user_information
            if isinstance(item, SOPClassExtendedNegotiation)
        }
        assert said == {str(FIND): b"\1\1\1\0\0", str(MOVE): b"\1"}
        query = Dataset()
        query.QueryRetrieveLevel, query.PatientID = "IMAGE", ""
        for model in (FIND, patient):
            assert [status.Status for status, _ in association.send_c_find(query, model)] == [0]
        association.release()
    flags = [(r.root, r.relational, r.combined, r.fuzzy, r.calling) for r in services.requests]
    assert flags == [(Root.STUDY, True, True, True, "PYND"), (Root.PATIENT, False, False, False, "PYND")]


@pytest.mark.interop
def test_patient_study_only_ends_at_the_study() -> None:
    services = FakeServices()
    with serving(services) as (_, node):
        model = PatientStudyOnlyQueryRetrieveInformationModelFind
        association = associated(node, model, PatientStudyOnlyQueryRetrieveInformationModelMove)
        assert len(association.accepted_contexts) == 2
        statuses = []
        for level in Level:
            query = Dataset()
            query.QueryRetrieveLevel, query.PatientID = level.value, "1"
            statuses += [status.Status for status, _ in association.send_c_find(query, model)]
        association.release()
    assert statuses == [0, 0, 0xA900, 0xA900]
    assert {r.root for r in services.requests} == {Root.PATIENT}
