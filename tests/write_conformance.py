"""docs/conformance.md: the DICOM conformance statement (PS3.2 annex N), from the tables the archive itself works by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydicom.uid import UID_dictionary

from pacs_tui.archive import receiving as storing
from pacs_tui.archive.attributes import BY_KEYWORD, DERIVED, MOMENTS, STORED, Attribute
from pacs_tui.archive.matching import MAX_TERMS, MAX_VALUES
from pacs_tui.archive.values import FORMS
from pacs_tui.dimse import answering, contexts, provider, retrieving, tally
from pacs_tui.dimse import receiving as taking
from pacs_tui.dimse.finding import PENDING_WARNING
from pacs_tui.model.level import Level, Root
from pacs_tui.model.transfer import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from pacs_tui.settings import ArchiveSettings, Limits, Timeouts

_REQUIRED = frozenset((
    "StudyDate", "StudyTime", "AccessionNumber", "PatientName", "PatientID", "StudyID", "Modality", "SeriesNumber",
    "InstanceNumber",
))  # fmt: skip
"""Required keys of PS3.4 C.6.1.1 and C.6.2.1; the unique ones are those of `Level.key`."""
_ROOTS = {Root.PATIENT: "Patient Root", Root.STUDY: "Study Root", Root.PATIENT_STUDY: "Patient/Study Only (retired)"}
_MATCHING = {
    "AE": "single value", "AS": "single value, wildcard", "CS": "single value, wildcard", "DA": "single value, range",
    "DS": "single value, as a number", "IS": "single value, as a number", "LO": "single value, wildcard",
    "LT": "single value, wildcard", "PN": "single value, wildcard; without case; any component group; fuzzy",
    "SH": "single value, wildcard", "SQ": "sequence", "TM": "single value, range", "UI": "list of UID",
    "US": "single value, as a number",
}  # fmt: skip


def name_of(uid: str) -> str:
    """A UID by the name the dictionary gives it."""
    return str(UID_dictionary.get(uid, (uid,))[0])


def storage_classes() -> list[str]:
    """The storage SOP classes the statement lists, by name."""
    return sorted(contexts.STORAGE_CLASSES, key=lambda uid: (name_of(uid), uid))


def keys_of(level: Level) -> list[Attribute]:
    """The attributes of a level, in the order of their tags."""
    return sorted((a for a in (*STORED, *DERIVED) if a.level is level), key=lambda a: a.tag)


def conformance_page(made: str) -> str:
    """The whole statement."""
    limits, archive, timeouts = Limits(), ArchiveSettings(), Timeouts()
    parts = [
        "# DICOM conformance statement",
        made,
        "`pacs-tui archive serve` is a Storage, Query/Retrieve and Verification SCP with any number of AE titles; the "
        "console, the verbs and the worker are SCUs of the same services. This statement follows PS3.2; its tables are "
        "those the program works by, and a test negotiates and asks what they promise.",
        "## Implementation",
        _table(("what", "value"), [
            ("Implementation Class UID", f"`{IMPLEMENTATION_CLASS_UID}`"),
            ("Implementation Version Name", f"`{IMPLEMENTATION_VERSION_NAME}`"),
            ("Application Context Name", "`1.2.840.10008.3.1.1.1`"),
            ("Maximum PDU length, announced", f"{limits.pdu_length:,} bytes (`archive.limits.pdu_length`)"),
            ("Maximum PDU length, accepted", "any; fragments of at most 1 MiB are sent"),
            ("Asynchronous operations window", "not negotiated: one operation at a time"),
            ("Presentation contexts of one association", f"at most {contexts.MAX_CONTEXTS}"),
            ("Associations at a time", f"{limits.associations}, and {limits.per_host} of one host (`archive.limits`)"),
            ("A-ASSOCIATE-RQ must arrive within", f"{limits.request_seconds:g} s"),
            ("Idle associations are aborted after", f"{limits.idle_seconds:g} s"),
            ("As SCU: connection, negotiation, message",
             f"{timeouts.connect:g} s, {timeouts.association:g} s, {timeouts.message:g} s of silence"),
        ]),
        "## Services as SCP",
        "Calling and called AE titles are checked (`peers` of an area; A-ASSOCIATE-RJ 1-1-3 and 1-1-7). Services an "
        "association has no right to (`rights`) are rejected in their presentation contexts (result 1). Of several "
        "transfer syntaxes the first one proposed is accepted.",
        _table(("SOP class", "UID", "transfer syntaxes"), _services()),
        _extended(),
        "### Storage",
        "Level 2 (full) in the sense of PS3.4 B.4.1: all attributes are kept; the data set is stored byte for byte as "
        "it was received, in any transfer syntax proposed. Private SOP classes that no dictionary names are taken as "
        f"well. A data set of more than {limits.instance_megabytes:,} MB is refused.",
        _table(("storage SOP class", "UID"), [(name_of(uid), f"`{uid}`") for uid in storage_classes()]),
        "Success means: data set and index row survive a power cut (`durability = \"full\"`).",
        _table(("status", "when"), [
            (_hex(storing.SUCCESS), "stored, or held already with the same content"),
            (_hex(storing.DUPLICATE), "the UID is held with other content; this one is in quarantine"),
            (_hex(storing.INVALID_INSTANCE), "the command names no valid UIDs"),
            (_hex(taking._NOT_SUPPORTED), "the SOP class is not that of the presentation context"),
            (_hex(provider._NOT_AUTHORIZED), "the association has no right to store"),
            (_hex(storing.OUT_OF_RESOURCES), "no room: disk, low-water mark, quota, index, or a data set too large"),
            (_hex(storing.DOES_NOT_MATCH), "UIDs are missing, or differ between command and data set"),
            (_hex(taking._CANNOT_UNDERSTAND), "an empty data set"),
        ]),
        "### Query",
        "Hierarchical queries; relational ones, combined date-time matching and fuzzy matching of person names where "
        "negotiated. Universal matching is that of an empty value or `*`; several values of one key match any of them "
        f"(at most {MAX_VALUES:,}, {MAX_TERMS} where each has wildcards or is a range). A key with a value that no "
        f"table below names refuses the query (`unsupported_keys = \"{archive.unsupported_keys}\"`); told to ignore "
        f"it, the pending responses say {_hex(PENDING_WARNING)}. Responses name their own SpecificCharacterSet: none "
        "for ASCII, else ISO_IR 192. TimezoneOffsetFromUTC is returned, dates and times are not adjusted to it.",
    ]  # fmt: skip
    for level in Level:
        rows = [(a.keyword, f"({a.tag >> 16:04X},{a.tag & 0xFFFF:04X})", a.vr, _kind(a), _matched(a))
                for a in keys_of(level)]  # fmt: skip
        parts += [f"#### {level.value}", _table(("attribute", "tag", "VR", "key", "matching"), rows)]
    pairs = ", ".join(f"{date.keyword} with {time.keyword}" for date, time in MOMENTS)
    parts += [
        f"U: unique key, R: required, O: optional. Combined: {pairs}. Of long texts the index keeps what the VR allows "
        f"(LT: {FORMS['LT'].length:,} characters); the file keeps all.",
        _table(("status", "when"), [
            (f"{_hex(answering.PENDING)}, {_hex(PENDING_WARNING)}", "a match; FF01: an optional key was ignored"),
            (_hex(answering.SUCCESS), "no more matches"),
            (_hex(answering.CANCEL), "after a C-CANCEL"),
            ("A700", f"more than {archive.result_cap:,} matches (`archive.result_cap`); those before it were sent"),
            (_hex(answering.IDENTIFIER_MISMATCH), "a key that is missing or cannot be used; (0000,0901) names it"),
            (_hex(answering.WRONG_CLASS), "an identifier in the context of another service"),
            (_hex(answering.UNABLE), "the index cannot be read"),
        ]),
        "### Retrieve",
        "C-MOVE to nodes of the book (`pacs-tui nodes`), C-GET on the same association (SCP/SCU role selection). An "
        "instance is sent as it is stored where that transfer syntax was accepted; else it is decompressed, or "
        "rewritten, to Explicit or Implicit VR Little Endian. Nothing is compressed.",
        _table(("status", "when"), [
            (_hex(answering.PENDING), "at least once a second, at most four times"),
            (_hex(answering.SUCCESS), "all sub-operations succeeded, or nothing matched"),
            (_hex(tally.SOME_FAILED), "some failed; FailedSOPInstanceUIDList names them"),
            (_hex(tally.ALL_FAILED), "all failed"),
            (_hex(retrieving._MOVE_DESTINATION), "the destination is not in the book"),
            (_hex(answering.IDENTIFIER_MISMATCH), "the unique keys of the level are missing"),
            (_hex(answering.CANCEL), "after a C-CANCEL"),
            (_hex(answering.UNABLE), "the index cannot be read"),
        ]),
        "## Character sets",
        "Read: every one of PS3.3 C.12.1.1.2, with and without code extensions. Written: ISO_IR 6 and ISO_IR 192.",
        "## Security",
        "No TLS and no user identity: bind the archive to an inner address, or tunnel. Host addresses and AE titles "
        "decide what an association may do.",
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _services() -> list[tuple[str, str, str]]:
    plain = "Implicit VR Little Endian, Explicit VR Little Endian, Explicit VR Big Endian"
    rows = [("Verification", f"`{contexts.VERIFICATION}`", plain)]
    for what, table in (("FIND", contexts.FIND), ("MOVE", contexts.MOVE), ("GET", contexts.GET)):
        rows += [(f"{_ROOTS[root]} Query/Retrieve {what}", f"`{uid}`", plain) for root, uid in table.items()]
    return [*rows, ("every storage SOP class below", "", "any")]


def _extended() -> str:
    agreed = {}
    for what, uid in (("C-FIND", contexts.FIND[Root.STUDY]), ("C-MOVE, C-GET", contexts.MOVE[Root.STUDY])):
        agreed[what] = contexts.extend(uid, b"\1\1\1\1\1" if what == "C-FIND" else b"\1\1")[1]
    words = ("relational", "combined date-time", "fuzzy person names", "timezone adjustment", "multi-frame conversion")
    yes = [f"{what}: {', '.join(w for w, byte in zip(words, given, strict=False) if byte)}"
           for what, given in agreed.items()]  # fmt: skip
    return f"SOP Class Extended Negotiation, granted when asked: {'; '.join(yes)}."


def _kind(attribute: Attribute) -> str:
    if BY_KEYWORD[attribute.level.key] is attribute:
        return "U"
    return "R" if attribute.keyword in _REQUIRED else "O"


def _matched(attribute: Attribute) -> str:
    if attribute.items:
        return f"sequence: {', '.join(item.keyword for item in attribute.items)}"
    if attribute.keyword == "TimezoneOffsetFromUTC":
        return "none; returned"
    return _MATCHING[attribute.vr]


def _hex(status: int) -> str:
    return f"{status:04X}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
