"""Association negotiation: A-ASSOCIATE-RQ and -AC through pynetdicom's PDU, primitive and presentation classes.

PS3.8 9.3.2 and 9.3.3, user information of PS3.7 annex D. What cannot be read is a Violation.
"""

from __future__ import annotations

from collections.abc import Sequence

from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
)
from pynetdicom.presentation import PresentationContext, negotiate_as_acceptor, negotiate_as_requestor

from pacs_tui.dimse.contexts import MAX_CONTEXTS, Context, Proposal, supported
from pacs_tui.dimse.upper_layer import ASSOCIATE_AC, ASSOCIATE_RQ, Violation, header
from pacs_tui.errors import UsageError
from pacs_tui.model.transfer import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"


def requested(number: int, proposal: Proposal) -> PresentationContext:
    """One context as it is proposed; UsageError where a syntax is no UID."""
    context = PresentationContext()
    context.context_id = 2 * number + 1
    try:
        context.abstract_syntax = proposal.abstract_syntax
        context.transfer_syntax = list(proposal.transfer_syntaxes)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{proposal.abstract_syntax[:64]!r} cannot be proposed: {error}.") from None
    if proposal.as_scp:
        context.scu_role, context.scp_role = False, True
    return context


def _user_information(pdu_length: int) -> list[object]:
    length = MaximumLengthNotification()
    length.maximum_length_received = pdu_length
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    return [length, implementation, version]


def associate_rq(
    calling: str, called: str, asked: list[PresentationContext], proposals: Sequence[Proposal], pdu_length: int
) -> bytes:
    """The PDU of a request (PS3.8 9.3.2)."""
    primitive = A_ASSOCIATE()
    primitive.application_context_name = APPLICATION_CONTEXT
    primitive.calling_ae_title, primitive.called_ae_title = calling, called
    primitive.presentation_context_definition_list = asked
    information = _user_information(pdu_length)
    for abstract in dict.fromkeys(p.abstract_syntax for p in proposals if p.as_scp):
        role = SCP_SCU_RoleSelectionNegotiation()
        role.sop_class_uid, role.scu_role, role.scp_role = abstract, False, True
        information.append(role)
    primitive.user_information = information
    try:
        pdu = A_ASSOCIATE_RQ()
        pdu.from_primitive(primitive)
        return bytes(pdu.encode())
    except (ValueError, TypeError) as error:
        raise UsageError(f"What is to be proposed to {called} is no valid UID: {error}.") from None


def accepted(body: memoryview, asked: list[PresentationContext]) -> tuple[list[Context], int]:
    if len(body) < 68:
        raise Violation("an A-ASSOCIATE-AC that is too short", 6)
    primitive = _decode(A_ASSOCIATE_AC(), ASSOCIATE_AC, body)
    roles = {
        item.sop_class_uid: (item.scu_role, item.scp_role)
        for item in primitive.user_information
        if isinstance(item, SCP_SCU_RoleSelectionNegotiation)
    }
    contexts = [
        Context(c.context_id, str(c.abstract_syntax), str(c.transfer_syntax[0]), bool(c.as_scu))
        for c in negotiate_as_requestor(asked, primitive.presentation_context_definition_results_list, roles)
        if c.result == 0
    ]
    return contexts, _peer_pdu(primitive)


def titles(body: memoryview) -> tuple[str, str]:
    """Calling and called AE title (PS3.8 9.3.2)."""
    if len(body) < 68:
        raise Violation("an A-ASSOCIATE-RQ that is too short", 6)
    found = []
    for part in (body[4:20], body[20:36]):
        try:
            found.append(bytes(part).decode("ascii").strip(" \0"))
        except UnicodeDecodeError:
            raise Violation("an AE title that is not ASCII", 6) from None
    return found[1], found[0]


def read_request(body: memoryview) -> A_ASSOCIATE:
    """An A-ASSOCIATE-RQ as pynetdicom's primitive."""
    return _decode(A_ASSOCIATE_RQ(), ASSOCIATE_RQ, body)


def answer(primitive: A_ASSOCIATE, pdu_length: int) -> tuple[list[Context], bytes, int]:
    asked = primitive.presentation_context_definition_list
    numbers = [context.context_id for context in asked]
    if len(numbers) > MAX_CONTEXTS or len(set(numbers)) < len(numbers):
        raise Violation(f"{len(numbers)} presentation contexts, or one number twice", 6)
    if not all(context.abstract_syntax and context.transfer_syntax for context in asked):
        raise Violation("a presentation context without its syntaxes", 6)
    roles = {
        item.sop_class_uid: (item.scu_role, item.scp_role)
        for item in primitive.user_information
        if isinstance(item, SCP_SCU_RoleSelectionNegotiation)
    }
    results, answers = negotiate_as_acceptor(asked, supported(asked), roles)
    contexts = [
        Context(c.context_id, str(c.abstract_syntax), str(c.transfer_syntax[0]), bool(c.as_scu))
        for c in results
        if c.result == 0
    ]
    reply = A_ASSOCIATE()
    reply.application_context_name = APPLICATION_CONTEXT
    reply.calling_ae_title, reply.called_ae_title = primitive.calling_ae_title, primitive.called_ae_title
    reply.result, reply.result_source = 0, 1
    reply.presentation_context_definition_results_list = results
    reply.user_information = [*_user_information(pdu_length), *answers]
    pdu = A_ASSOCIATE_AC()
    pdu.from_primitive(reply)
    return contexts, bytes(pdu.encode()), _peer_pdu(primitive)


def _decode(pdu: A_ASSOCIATE_RQ | A_ASSOCIATE_AC, kind: int, body: memoryview) -> A_ASSOCIATE:
    try:
        pdu.decode(header(kind, len(body)) + bytes(body))
        return pdu.to_primitive()
    except Exception as error:  # noqa: BLE001  pynetdicom raises whatever its item classes meet in hostile bytes
        raise Violation(f"an association PDU that cannot be read ({type(error).__name__})", 6) from None


def _peer_pdu(primitive: A_ASSOCIATE) -> int:
    length = int(primitive.maximum_length_received or 0)
    if 0 < length < 64:
        raise Violation(f"a maximum PDU length of {length}", 6)
    return length
