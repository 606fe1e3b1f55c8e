"""Presentation contexts: which SOP classes and transfer syntaxes we propose and accept (PS3.7 annex D, PS3.4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pydicom.uid import UID_dictionary as _KNOWN_UIDS
from pynetdicom import sop_class
from pynetdicom.presentation import AllStoragePresentationContexts, PresentationContext, StoragePresentationContexts

from pacs_tui.model.admission import Right
from pacs_tui.model.level import Root

IMPLICIT = str(ImplicitVRLittleEndian)
EXPLICIT = str(ExplicitVRLittleEndian)
BIG_ENDIAN = str(ExplicitVRBigEndian)
DEFLATED = str(DeflatedExplicitVRLittleEndian)

VERIFICATION = str(sop_class.Verification)
FIND = {
    Root.PATIENT: str(sop_class.PatientRootQueryRetrieveInformationModelFind),
    Root.STUDY: str(sop_class.StudyRootQueryRetrieveInformationModelFind),
    Root.PATIENT_STUDY: str(sop_class.PatientStudyOnlyQueryRetrieveInformationModelFind),
}
MOVE = {
    Root.PATIENT: str(sop_class.PatientRootQueryRetrieveInformationModelMove),
    Root.STUDY: str(sop_class.StudyRootQueryRetrieveInformationModelMove),
    Root.PATIENT_STUDY: str(sop_class.PatientStudyOnlyQueryRetrieveInformationModelMove),
}
GET = {
    Root.PATIENT: str(sop_class.PatientRootQueryRetrieveInformationModelGet),
    Root.STUDY: str(sop_class.StudyRootQueryRetrieveInformationModelGet),
    Root.PATIENT_STUDY: str(sop_class.PatientStudyOnlyQueryRetrieveInformationModelGet),
}
ROOT_OF = {uid: root for table in (FIND, MOVE, GET) for root, uid in table.items()}

QUERY_SYNTAXES = (EXPLICIT, IMPLICIT)
# pynetdicom lists the classes in force; what archives hold from earlier days is retired, and named by the dictionary.
_RETIRED = frozenset(
    uid for uid, entry in _KNOWN_UIDS.items() if uid.startswith("1.2.840.10008.5.1.4.") and "Storage" in entry[0]
)
STORAGE_CLASSES = _RETIRED | {str(context.abstract_syntax) for context in AllStoragePresentationContexts}
COMMON_STORAGE_CLASSES = tuple(str(context.abstract_syntax) for context in StoragePresentationContexts[:120])

COMPRESSED_SYNTAXES = (
    "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203", "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.103",
)  # fmt: skip
MAX_CONTEXTS = 128


@dataclass(frozen=True, slots=True)
class Proposal:
    """One presentation context as a requestor proposes it."""

    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]
    as_scp: bool = False
    """True: we offer to be the SCP of this class (C-GET, PS3.7 D.3.3.4)."""


@dataclass(frozen=True, slots=True)
class Context:
    """One accepted presentation context."""

    id: int
    abstract_syntax: str
    transfer_syntax: str
    peer_takes: bool
    """True where the other side acts as SCP of this class."""


def for_storage(pairs: Iterable[tuple[str, str]]) -> list[Proposal]:
    """One context per (SOP class, transfer syntax), so that none has to be transcoded; doubles collapse."""
    return [Proposal(cls, (syntax,)) for cls, syntax in dict.fromkeys(pairs)]


def for_get(root: Root, classes: Sequence[str]) -> list[Proposal]:
    """The C-GET class and, in the SCP role, the storage classes that may come.

    Few classes: one context per transfer syntax, so that a peer which does not transcode can send each instance as it
    lies. Many: the uncompressed syntaxes and the compressed ones in two contexts each, or the uncompressed alone.
    """
    singles = (EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED, *COMPRESSED_SYNTAXES)
    wanted = [Proposal(GET[root], QUERY_SYNTAXES)]
    room = MAX_CONTEXTS - 1
    if len(classes) * len(singles) <= room:
        wanted += [Proposal(cls, (syntax,), True) for cls in classes for syntax in singles]
    elif len(classes) * 2 <= room:
        for cls in classes:
            wanted += [Proposal(cls, (EXPLICIT, IMPLICIT), True), Proposal(cls, COMPRESSED_SYNTAXES, True)]
    else:
        wanted += [Proposal(cls, (EXPLICIT, IMPLICIT), True) for cls in classes[:room]]
    return wanted


def answerable(abstract_syntax: str) -> bool:
    """True for what our listener serves: verification, query/retrieve, storage, and storage classes nobody listed.

    A UID that pydicom's dictionary knows as something else (a meta SOP class, a service) is not taken for storage.
    """
    if abstract_syntax == VERIFICATION or abstract_syntax in ROOT_OF or abstract_syntax in STORAGE_CLASSES:
        return True
    return abstract_syntax not in _KNOWN_UIDS


def allowed(abstract_syntax: str, peer_takes: bool, rights: frozenset[Right]) -> bool:
    """True where the rights of an association cover a context; storage also serves the sub-operations of a C-GET."""
    if abstract_syntax == VERIFICATION:
        return Right.ECHO in rights
    if abstract_syntax in ROOT_OF:
        return (Right.FIND if abstract_syntax in FIND.values() else Right.RETRIEVE) in rights
    return Right.STORE in rights or (peer_takes and Right.RETRIEVE in rights)


@dataclass(frozen=True, slots=True)
class Extended:
    """What SOP Class Extended Negotiation agreed for a query or retrieve class (PS3.4 C.5.1.1, C.5.2.1, C.5.3.1)."""

    relational: bool = False
    """Queries, or retrieves, without the unique keys of the levels above."""
    combined: bool = False
    """A date and a time range matched as one (C-FIND)."""
    fuzzy: bool = False
    """Fuzzy semantic matching of person names (C-FIND)."""


_OFFERED = {True: b"\1\1\1\0\0", False: b"\1\0"}
"""Application information we answer: to C-FIND relational, combined, fuzzy, timezone, multi-frame; else relational."""


def extend(abstract_syntax: str, asked: bytes) -> tuple[Extended, bytes]:
    """What is agreed of the asked bytes (1: wanted, absent: not), and the answer, which is as long as the question."""
    offered = _OFFERED[abstract_syntax in FIND.values()]
    agreed = bytes(a == 1 and b == 1 for a, b in zip(asked, offered, strict=False))
    return Extended(*(bool(byte) for byte in agreed.ljust(3, b"\0")[:3])), agreed


def supported(requested: Sequence[PresentationContext]) -> list[PresentationContext]:
    """What we accept of the requested contexts, in the requestor's own order of preference (PS3.8 7.1.1.14)."""
    syntaxes: dict[str, dict[str, None]] = {}
    for context in requested:
        abstract = str(context.abstract_syntax or "")
        if answerable(abstract):
            chosen = syntaxes.setdefault(abstract, {})
            for syntax in context.transfer_syntax:
                if abstract in STORAGE_CLASSES or abstract not in _KNOWN_UIDS or syntax in _PLAIN:
                    chosen[str(syntax)] = None
    out = []
    for abstract, found in syntaxes.items():
        if not found:
            continue
        context = PresentationContext()
        context.abstract_syntax = abstract
        context.transfer_syntax = list(found)
        if abstract not in ROOT_OF and abstract != VERIFICATION:
            context.scu_role = context.scp_role = True
        out.append(context)
    return out


_PLAIN = frozenset((IMPLICIT, EXPLICIT, BIG_ENDIAN))
