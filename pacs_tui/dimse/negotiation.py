"""Association negotiation: A-ASSOCIATE-RQ and -AC through pynetdicom's PDU, primitive and presentation classes.

PS3.8 9.3.2 and 9.3.3, user information of PS3.7 annex D. What cannot be read is a Violation. The fixed part of both
PDUs, titles and all, is read and written here; the items behind it depend on nothing else, so that what came of the
last of them is remembered: the same peers propose the same things all day.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
    SOPClassExtendedNegotiation,
)
from pynetdicom.presentation import PresentationContext, negotiate_as_acceptor, negotiate_as_requestor

from pacs_tui.dimse.contexts import MAX_CONTEXTS, ROOT_OF, Context, Extended, Proposal, allowed, extend, supported
from pacs_tui.dimse.upper_layer import ASSOCIATE_AC, ASSOCIATE_RQ, Violation, header
from pacs_tui.errors import UsageError
from pacs_tui.model.admission import Right
from pacs_tui.model.node import ae_title
from pacs_tui.model.transfer import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

if TYPE_CHECKING:
    from functools import _lru_cache_wrapper

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
_FIXED = 68
_VERSION = b"\0\1\0\0"
_ANYBODY = _VERSION + b"ANY".ljust(16) * 2 + bytes(32)
_LEAST_PDU = 512
"""Bytes that hold every command set of ours in one fragment."""
_REMEMBERED, _LONGEST = 64, 1 << 14
_USER_REJECTION = 1

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Answer:
    """What an acceptor makes of a proposal."""

    contexts: tuple[Context, ...]
    items: bytes
    """The A-ASSOCIATE-AC behind its titles."""
    peer_pdu: int
    """The requestor's maximum length, 0 for none."""
    extended: Mapping[str, Extended]
    """By SOP class."""


# ---------------------------------------------------------------------- as requestor


def associate_rq(calling: str, called: str, proposals: tuple[Proposal, ...], pdu_length: int) -> bytes:
    """The PDU of a request (PS3.8 9.3.2); UsageError where a title or a UID breaks the rules."""
    items = _proposed(proposals, pdu_length)
    fixed = _VERSION + _title(called) + _title(calling) + bytes(32)
    return header(ASSOCIATE_RQ, len(fixed) + len(items)) + fixed + items


def _title(title: str) -> bytes:
    return ae_title(title).encode("ascii").ljust(16)


@lru_cache(maxsize=_REMEMBERED)
def _proposed(proposals: tuple[Proposal, ...], pdu_length: int) -> bytes:
    primitive = A_ASSOCIATE()
    primitive.application_context_name = APPLICATION_CONTEXT
    primitive.calling_ae_title = primitive.called_ae_title = "ANY"
    primitive.presentation_context_definition_list = _requested(proposals)
    information = _user_information(pdu_length)
    for abstract in dict.fromkeys(p.abstract_syntax for p in proposals if p.as_scp):
        role = SCP_SCU_RoleSelectionNegotiation()
        role.sop_class_uid, role.scu_role, role.scp_role = abstract, False, True
        information.append(role)
    primitive.user_information = information
    try:
        pdu = A_ASSOCIATE_RQ()
        pdu.from_primitive(primitive)
        return bytes(pdu.encode())[6 + _FIXED :]
    except (ValueError, TypeError) as error:
        raise UsageError(f"What is to be proposed is no valid UID: {error}.") from None


def _requested(proposals: Sequence[Proposal]) -> list[PresentationContext]:
    asked = []
    for number, proposal in enumerate(proposals):
        context = PresentationContext()
        context.context_id = 2 * number + 1
        try:
            context.abstract_syntax = proposal.abstract_syntax
            context.transfer_syntax = list(proposal.transfer_syntaxes)
        except (ValueError, TypeError) as error:
            raise UsageError(f"{proposal.abstract_syntax[:64]!r} cannot be proposed: {error}.") from None
        if proposal.as_scp:
            context.scu_role, context.scp_role = False, True
        asked.append(context)
    return asked


def _user_information(pdu_length: int) -> list[object]:
    length = MaximumLengthNotification()
    length.maximum_length_received = pdu_length
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    return [length, implementation, version]


def accepted(body: memoryview, proposals: tuple[Proposal, ...]) -> tuple[tuple[Context, ...], int]:
    """The contexts of an A-ASSOCIATE-AC (PS3.8 9.3.3) and the acceptor's maximum length, 0 for none."""
    if len(body) < _FIXED:
        raise Violation("an A-ASSOCIATE-AC that is too short", 6)
    return _remembering(_accepted, bytes(body[_FIXED:]), proposals)


@lru_cache(maxsize=_REMEMBERED)
def _accepted(items: bytes, proposals: tuple[Proposal, ...]) -> tuple[tuple[Context, ...], int]:
    primitive = _decode(A_ASSOCIATE_AC(), ASSOCIATE_AC, items)
    results = negotiate_as_requestor(
        _requested(proposals), primitive.presentation_context_definition_results_list, _roles(primitive)
    )
    contexts = _contexts(results)
    for context in contexts:
        if context.transfer_syntax not in proposals[context.id // 2].transfer_syntaxes:
            raise Violation(f"presentation context {context.id} accepted with a transfer syntax nobody proposed", 6)
    return contexts, _peer_pdu(primitive)


# ---------------------------------------------------------------------- as acceptor


def titles(body: memoryview) -> tuple[str, str]:
    """Calling and called AE title (PS3.8 9.3.2); UsageError for one that PS3.5 does not allow."""
    if len(body) < _FIXED:
        raise Violation("an A-ASSOCIATE-RQ that is too short", 6)
    called, calling = (ae_title(bytes(part).decode("latin-1").strip(" \0")) for part in (body[4:20], body[20:36]))
    return calling, called


def answer(body: memoryview, rights: frozenset[Right], pdu_length: int) -> Answer | None:
    """What comes of an A-ASSOCIATE-RQ; None where its application context is not DICOM's."""
    return _remembering(_answer, bytes(body[_FIXED:]), rights, pdu_length)


def associate_ac(body: memoryview, made: Answer) -> bytes:
    """The PDU of an answer (PS3.8 9.3.3); titles and reserved bytes return as they came."""
    length = _FIXED + len(made.items)
    return b"".join((header(ASSOCIATE_AC, length), _VERSION, body[len(_VERSION) : _FIXED], made.items))


@lru_cache(maxsize=_REMEMBERED)
def _answer(items: bytes, rights: frozenset[Right], pdu_length: int) -> Answer | None:
    primitive = _decode(A_ASSOCIATE_RQ(), ASSOCIATE_RQ, items)
    if str(primitive.application_context_name) != APPLICATION_CONTEXT:
        return None
    asked = primitive.presentation_context_definition_list
    numbers = [context.context_id for context in asked]
    if len(numbers) > MAX_CONTEXTS or len(set(numbers)) < len(numbers):
        raise Violation(f"{len(numbers)} presentation contexts, or one number twice", 6)
    if not all(context.abstract_syntax and context.transfer_syntax for context in asked):
        raise Violation("a presentation context without its syntaxes", 6)
    results, roles = negotiate_as_acceptor(asked, supported(asked), _roles(primitive))
    for context in results:
        if context.result == 0 and not allowed(str(context.abstract_syntax), bool(context.as_scu), rights):
            context.result = _USER_REJECTION
    contexts = _contexts(results)
    extended, said = _extended(primitive, {c.abstract_syntax for c in contexts})
    reply = A_ASSOCIATE()
    reply.application_context_name = APPLICATION_CONTEXT
    reply.calling_ae_title = reply.called_ae_title = "ANY"
    reply.result, reply.result_source = 0, 1
    reply.presentation_context_definition_results_list = results
    reply.user_information = [*_user_information(pdu_length), *roles, *said]
    pdu = A_ASSOCIATE_AC()
    pdu.from_primitive(reply)
    return Answer(contexts, bytes(pdu.encode())[6 + _FIXED :], _peer_pdu(primitive), extended)


def _extended(
    primitive: A_ASSOCIATE, classes: set[str]
) -> tuple[dict[str, Extended], list[SOPClassExtendedNegotiation]]:
    """SOP Class Extended Negotiation (PS3.7 D.3.3.5) of the query and retrieve classes that were accepted."""
    extended: dict[str, Extended] = {}
    said = []
    for item in primitive.user_information:
        uid = str(getattr(item, "sop_class_uid", ""))
        if not isinstance(item, SOPClassExtendedNegotiation) or uid not in classes or uid not in ROOT_OF:
            continue
        if uid in extended:
            raise Violation(f"{uid} is negotiated twice", 6)
        extended[uid], agreed = extend(uid, item.service_class_application_information or b"")
        reply = SOPClassExtendedNegotiation()
        reply.sop_class_uid, reply.service_class_application_information = uid, agreed
        said.append(reply)
    return extended, said


# ---------------------------------------------------------------------- pieces


def _remembering(made: _lru_cache_wrapper[_T], items: bytes, *rest: Hashable) -> _T:
    # Only proposals of a usual size are kept, so that nobody fills our memory with them.
    return made(items, *rest) if len(items) <= _LONGEST else made.__wrapped__(items, *rest)


def _contexts(results: Sequence[PresentationContext]) -> tuple[Context, ...]:
    return tuple(
        Context(c.context_id, str(c.abstract_syntax), str(c.transfer_syntax[0]), bool(c.as_scu))
        for c in results
        if c.result == 0
    )


def _roles(primitive: A_ASSOCIATE) -> dict[object, tuple[bool, bool]]:
    return {
        item.sop_class_uid: (item.scu_role, item.scp_role)
        for item in primitive.user_information
        if isinstance(item, SCP_SCU_RoleSelectionNegotiation)
    }


def _decode(pdu: A_ASSOCIATE_RQ | A_ASSOCIATE_AC, kind: int, items: bytes) -> A_ASSOCIATE:
    try:
        pdu.decode(header(kind, _FIXED + len(items)) + _ANYBODY + items)
        return pdu.to_primitive()
    except Exception as error:  # noqa: BLE001  pynetdicom raises whatever its item classes meet in hostile bytes
        raise Violation(f"an association PDU that cannot be read ({type(error).__name__})", 6) from None


def _peer_pdu(primitive: A_ASSOCIATE) -> int:
    length = int(primitive.maximum_length_received or 0)
    if 0 < length < _LEAST_PDU:
        raise Violation(f"a maximum PDU length of {length}", 6)
    return length
