"""Identifiers made to hurt whoever reads them, in queries and retrieves (PS3.5 7, PS3.4 C.2.2.2)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from tests.faults import wire
from tests.faults.instances import data_set, element
from tests.faults.wire import EXPLICIT, FIND, GET, IMPLICIT, MOVE
from tests.hostile.associations import APPLICATION, context, request, user
from tests.hostile.bombing import Case
from tests.hostile.commands import body_of, usual, whole

BIG_ENDIAN = "1.2.840.10008.1.2.2"
_ROOTS = "1.2.840.10008.5.1.4.1.2."
_MODELS = {FIND: f"{_ROOTS}2.1", MOVE: f"{_ROOTS}2.2", GET: f"{_ROOTS}2.3"}
_PATIENT_MODELS = {FIND: f"{_ROOTS}1.1", MOVE: f"{_ROOTS}1.2"}
_UNDEFINED = 0xFFFFFFFF
_FRAGMENT = 100_000
STUDY = element(0x00080052, b"CS", b"STUDY ")
CHARSETS = (
    "ISO_IR 100", "ISO_IR 192", "ISO 2022 IR 87", "ISO 2022 IR 6\\ISO 2022 IR 149", "\\ISO 2022 IR 58", "GB18030",
    "GBK", "ISO_IR 13", "ISO_IR 999", "nonsense", "\\\\\\", "unicode_escape", "utf_7", "utf_16", "idna", "punycode",
    "zlib", "hex", "rot13", "undefined", "mbcs", "../etc/passwd", "\x00", "x" * 5000, "ISO 2022 IR 87\\" * 3000,
    "GB18030\\ISO_IR 192", "ISO_IR 100\\ISO_IR 101",
)  # fmt: skip
_TEXTS = (
    b"M\xfcller^*",
    b"\x1b$B;3ED\x1b(B^*",
    b"\\ud800\xff",
    b"\x1b",
    b"\xff" * 64,
    b"\x00\xd8A\x00",
    b"=^=^\\=\x1b$)C",
)


def long_head(tag: int, vr: bytes, length: int) -> bytes:
    """The head of an element with a length of 32 bits."""
    return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr, 0, length)


def short_head(tag: int, vr: bytes, length: int) -> bytes:
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, length)


def implicit(tag: int, value: bytes, length: int | None = None) -> bytes:
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value) if length is None else length) + value


def item_head(length: int = _UNDEFINED) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, length)


def asked(field: int, abstract: str, syntax: str, identifier: bytes, more: bytes = b"") -> bytes:
    """An association that asks this and releases; `more` are user items."""
    contexts = context(1, abstract.encode(), syntax.encode()) + context(3, wire.VERIFICATION.encode(), syntax.encode())
    fragments = [identifier[at : at + _FRAGMENT] for at in range(0, len(identifier), _FRAGMENT)] or [b""]
    data = b"".join(
        wire.p_data(1, 2 if number == len(fragments) - 1 else 0, part) for number, part in enumerate(fragments)
    )
    command = wire.p_data(1, 3, whole(body_of(usual(field, abstract))))
    return request(APPLICATION + contexts + user(more)) + command + data + wire.echo() + wire.RELEASE


def cases() -> Iterator[Case]:
    """Every one of them, as queries; the worst also as retrieves."""
    for name, identifier in (*_forms(), *_sizes(), *_values()):
        yield Case(f"C-FIND: {name}", asked(FIND, _MODELS[FIND], EXPLICIT, identifier))
    for name, identifier in _implicit():
        yield Case(f"C-FIND implicit: {name}", asked(FIND, _MODELS[FIND], IMPLICIT, identifier))
    for name, identifier in _forms():
        yield Case(f"C-FIND big endian: {name}", asked(FIND, _MODELS[FIND], BIG_ENDIAN, identifier))
        yield Case(f"C-FIND implicit: {name}", asked(FIND, _MODELS[FIND], IMPLICIT, identifier))
    for field in (MOVE, GET):
        for name, identifier in (*_forms(), *_targets()):
            yield Case(f"{field:04X}: {name}", asked(field, _MODELS[field], EXPLICIT, identifier))
    patient = element(0x00080052, b"CS", b"PATIENT")
    for text in _TEXTS:
        keys = element(0x00080005, b"CS", b"unicode_escape") + patient + element(0x00100020, b"LO", text)
        for field, model in _PATIENT_MODELS.items():
            yield Case(f"{field:04X}: a patient {text!r}", asked(field, model, EXPLICIT, keys))


def _forms() -> Iterator[tuple[str, bytes]]:
    sequence = long_head(0x00400275, b"SQ", _UNDEFINED)
    for depth in (9, 65, 1000, 10_000):
        yield f"nested {depth} deep", STUDY + (sequence + item_head()) * depth
        closed = struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
        yield f"nested {depth} deep and closed", STUDY + (sequence + item_head()) * depth + closed * depth
    yield "a sequence without end", STUDY + sequence
    yield "an item without end", STUDY + sequence + item_head()
    yield "a length over the end", STUDY + short_head(0x00100010, b"PN", 0xFFF0) + b"A"
    yield "a long length over the end", STUDY + long_head(0x00400275, b"SQ", 0xFFFFFFF0)
    yield "an item over the end", STUDY + long_head(0x00400275, b"SQ", 8) + item_head(0x7FFFFFFF)
    yield "text of undefined length", STUDY + long_head(0x00204000, b"UT", _UNDEFINED) + b"abc"
    unknown = long_head(0x00081115, b"UN", _UNDEFINED)
    yield (
        "an unknown of undefined length",
        STUDY + unknown + (implicit(0x00081115, b"", _UNDEFINED) + item_head()) * 3000,
    )
    yield "half a head", STUDY + b"\x10\0"
    yield "no VR", STUDY + struct.pack("<HH2sH", 0x10, 0x10, b"\xff\x00", 4) + b"ABCD"
    yield "delimiters alone", struct.pack("<HHI", 0xFFFE, 0xE0DD, 0) * 100
    yield "items alone", item_head(0) * 100
    yield "zeros", bytes(4096)
    yield "ones", b"\xff" * 4096
    yield "nothing", b""
    yield "a Part 10 file", bytes(128) + b"DICM" + element(0x00020000, b"UL", b"\0\0\0\0")


def _sizes() -> Iterator[tuple[str, bytes]]:
    name = b"A^B=C\\" * 10_000
    yield "a value of 64 KiB", STUDY + element(0x00100010, b"PN", b"A" * 65_534)
    yield "a name of 64 KiB", STUDY + element(0x00100010, b"PN", name)
    yield "100,000 items", STUDY + long_head(0x00400275, b"SQ", 800_000) + item_head(0) * 100_000
    yield "8,000 items", STUDY + long_head(0x00400275, b"SQ", 64_000) + item_head(0) * 8000
    private = b"".join(element(0x00110000 + number, b"LO", b"") for number in range(0x1000, 0x1000 + 20_000))
    yield "20,000 private elements", STUDY + private
    yield "10,000 group lengths", STUDY + b"".join(element(g << 16, b"UL", bytes(4)) for g in range(9, 20_009, 2))
    yield "over the cap", STUDY + element(0x00104000, b"UT", b"A" * (1 << 20)) + element(0x00200010, b"SH", b"1")


def _values() -> Iterator[tuple[str, bytes]]:
    uids = b"\\".join(b"1.2.3.%d" % number for number in range(6000))
    yield "6,000 UIDs", STUDY + element(0x0020000D, b"UI", uids)
    yield "UIDs as paths", STUDY + element(0x0020000D, b"UI", b"../../../etc/passwd\\/etc\\1.2\0/x")
    yield "a tag twice", STUDY + element(0x00100020, b"LO", b"1") + element(0x00100020, b"LO", b"2")
    yield "tags backwards", element(0x00100020, b"LO", b"1") + element(0x00080060, b"CS", b"CT") + STUDY
    yield "two levels", STUDY + element(0x00080052, b"CS", b"IMAGE")
    yield "a level of controls", element(0x00080052, b"CS", b"\x1b[2J\n\r\0")
    yield "a level of 60 KB", element(0x00080052, b"CS", b"STUDY" * 12_000)
    for vr, tag in ((b"LO", 0x00100020), (b"PN", 0x00100010), (b"SH", 0x00080050), (b"LO", 0x00101000)):
        for pattern in (b"*a" * 30 + b"*", b"*a" * 400, b"?" * 64, b"*" * 1000, b"*?" * 300, b"*a*a*a*a*b\\" * 240):
            yield f"{tag:08X}={pattern[:12]!r} {len(pattern)}", STUDY + element(tag, vr, pattern)
    many = b"\\".join(b"*%d*" % number for number in range(5000))
    yield "5,000 patterns", STUDY + element(0x00100020, b"LO", many)
    codes = data_set(((0x00080104, b"LO", "\\".join(["*a*a*a*a*b"] * 240)),))
    yield "patterns in a sequence", STUDY + long_head(0x00081032, b"SQ", len(codes) + 8) + item_head(len(codes)) + codes
    for tag, vr in (
        (0x00080020, b"DA"),
        (0x00080030, b"TM"),
        (0x00100010, b"IS"),
        (0x00201208, b"IS"),
        (0x00280010, b"US"),
    ):
        for text in (b"-", b"99999999-00000000", b"9" * 400, b"-1e999", b"\0\0", b"'; DROP TABLE study; --", b"%_!\\%"):
            yield f"{tag:08X} {vr!r} {text[:9]!r}", STUDY + element(tag, vr, text)
    for vr in (b"OB", b"OW", b"UN", b"SQ", b"AT", b"FD", b"UL", b"UR", b"ZZ"):
        yield f"a patient's ID as {vr!r}", STUDY + element(0x00100020, vr, b"1234567")
    for charset in CHARSETS:
        for text in _TEXTS:
            named = element(0x00080005, b"CS", charset.encode()) + STUDY
            keys = element(0x00100010, b"PN", text) + element(0x00100020, b"LO", text)
            yield f"charset {charset[:20]!r} {text[:9]!r}", named + keys


def _implicit() -> Iterator[tuple[str, bytes]]:
    level = implicit(0x00080052, b"STUDY ")
    for count in (10_000, 100_000):
        uids = b"\\".join([b"1.2.3.4"] * count)
        yield f"{count} UIDs", level + implicit(0x0020000D, uids)
    yield "a name of a megabyte", level + implicit(0x00100010, b"A^B=C\\" * 160_000)
    yield "100,000 unknown tags", level + b"".join(implicit(0x00121000 + n, b"") for n in range(100_000))
    yield "4,000 unknown tags", level + b"".join(implicit(0x00121000 + n, b"") for n in range(4000))


def _targets() -> Iterator[tuple[str, bytes]]:
    yield "6,000 studies", STUDY + element(0x0020000D, b"UI", b"\\".join(b"1.2.3.%d" % n for n in range(6000)))
    yield "the same study again and again", STUDY + element(0x0020000D, b"UI", b"\\".join([b"1.2"] * 16_000))
    yield "a study that is a path", STUDY + element(0x0020000D, b"UI", b"../../../etc/passwd")
    yield "a study of wildcards", STUDY + element(0x0020000D, b"UI", b"*")
    yield "no study", STUDY
