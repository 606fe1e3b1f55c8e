"""Identifiers: the data sets of queries and their answers, and the head of an instance (PS3.4 C.4.1.1.3)."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence

from pydicom import config as _pydicom_config
from pydicom.charset import convert_encodings, decode_bytes, encode_string
from pydicom.datadict import keyword_for_tag, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.valuerep import VR, PersonName

from pacs_tui.dimse.contexts import BIG_ENDIAN, DEFLATED, IMPLICIT
from pacs_tui.dimse.dataset import LONG_VRS, Raw, Truncated, Unusual, scan, vr_of
from pacs_tui.errors import UsageError
from pacs_tui.model.level import Level
from pacs_tui.model.query import Query
from pacs_tui.model.tag import Column, Element

_CHARSET, _LEVEL = 0x00080005, 0x00080052
_TEXT_VRS = frozenset(("SH", "LO", "ST", "LT", "UC", "UT", "PN"))
_SINGLE_VRS = frozenset(("ST", "LT", "UT", "UR"))
_NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "SV": "q", "UV": "Q", "AT": "HH"}
_UTF8 = "ISO_IR 192"
_VALUE_CAP = 0xFFFE
HEAD_CAP = 1 << 18
"""Bytes of a data set within which its head must lie."""
HEADER_STOP = 0x00280011
"""Columns: the last attribute of an instance that the index keeps."""

# A peer's value that breaks its VR's rules is the peer's business: shown as it is, never a warning per row.
_pydicom_config.settings.reading_validation_mode = _pydicom_config.IGNORE


class Attributes(Mapping[str, str]):
    """Keyword -> decoded text over the bytes of a data set; scanned and decoded when first asked.

    Several values are joined by backslashes. `fallback` is the SpecificCharacterSet to assume where none is named.
    """

    __slots__ = ("_data", "_encodings", "_explicit", "_fallback", "_raw", "_scan")

    def __init__(self, data: bytes, transfer_syntax: str, fallback: str = "") -> None:
        self._data = data
        self._explicit = transfer_syntax != IMPLICIT
        self._raw: Raw | None = None
        self._encodings: list[str] | None = None
        self._fallback = fallback
        self._scan: Callable[[bytes], Raw] | None = None
        if transfer_syntax in (BIG_ENDIAN, DEFLATED):
            self._raw = _by_pydicom(data, transfer_syntax)

    @classmethod
    def of(cls, raw: Raw, fallback: str = "") -> Attributes:
        """From elements that were scanned already."""
        made = cls(b"", IMPLICIT, fallback)
        made._raw = raw
        return made

    def raw(self) -> Raw:
        """The elements as bytes; an unreadable data set has those before the damage."""
        raw, data = self._raw, self._data
        if raw is None:
            try:
                raw = scan(data, self._explicit)
            except (Unusual, struct.error, IndexError):
                raw = _by_pydicom(data, "" if self._explicit else IMPLICIT)
            # in this order: another thread may be in here with us
            self._raw = raw
            self._data = b""
        return raw

    def __getitem__(self, keyword: str) -> str:
        tag = _tag(keyword)
        found = self.raw().get(tag) if tag is not None else None
        if found is None:
            raise KeyError(keyword)
        vr, value = found
        return self._text(vr.decode("ascii", "replace") if vr and vr != b"UN" else vr_of(tag or 0), value)

    def __iter__(self) -> Iterator[str]:
        # Private elements and group lengths have no keyword, and so no place in a mapping of keywords.
        return (keyword for keyword in map(keyword_for_tag, self.raw()) if keyword)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _text(self, vr: str, value: bytes) -> str:
        number = _NUMBERS.get(vr)
        if number is not None:
            size = struct.calcsize("<" + number)
            numbers = struct.iter_unpack("<" + number, value[: len(value) // size * size])
            return "\\".join("".join(f"{n:04X}" for n in v) if vr == "AT" else f"{v[0]:g}" if vr in ("FL", "FD")
                             else str(v[0]) for v in numbers)  # fmt: skip
        if vr in ("OB", "OW", "OF", "OD", "OL", "OV", "UN"):
            return ""
        if value.isascii() and b"\x1b" not in value:
            text = value.decode("ascii")
        elif vr in _TEXT_VRS:
            text = self._decode(vr, value)
        else:
            text = value.decode("latin-1")
        if vr in _SINGLE_VRS:
            return text.rstrip(" \0")
        if "\\" in text:
            return "\\".join(part.strip(" \0") for part in text.split("\\"))
        return text.strip(" \0")

    def _decode(self, vr: str, value: bytes) -> str:
        if self._encodings is None:
            named = self.raw().get(_CHARSET, (b"", b""))[1].decode("ascii", "replace").strip(" \0") or self._fallback
            self._encodings = _encodings(named)
        try:
            if vr == "PN":
                names = (PersonName(part, self._encodings) for part in _split(value, self._encodings))
                return "\\".join(str(name.decode()) for name in names)
            return str(decode_bytes(value, self._encodings, {0x5C, 0x0A, 0x0C, 0x0D, 0x09}))
        except (LookupError, ValueError):
            return value.decode("latin-1")


def _split(value: bytes, encodings: list[str]) -> list[bytes]:
    # A backslash byte is a delimiter only where the encoding has no multi-byte characters that contain it.
    if any(name in ("gb18030", "gbk", "shift_jis") for name in encodings) or b"\x1b$" in value:
        return [value]
    return value.split(b"\\")


def _encodings(charset: str) -> list[str]:
    try:
        return list(convert_encodings(charset.split("\\") if charset else ""))
    except (LookupError, ValueError):
        return ["iso8859"]


_TAGS: dict[str, int | None] = {}


def _tag(keyword: str) -> int | None:
    if keyword not in _TAGS:
        _TAGS[keyword] = tag_for_keyword(keyword)
    return _TAGS[keyword]


def _by_pydicom(data: bytes, transfer_syntax: str) -> Raw:
    """The same through pydicom, for what the scanner does not read; elements before damage survive it."""
    found: Raw = {}
    little = transfer_syntax != BIG_ENDIAN
    try:
        if transfer_syntax == DEFLATED:
            data = _inflate(data)
        dataset = read_dataset(io.BytesIO(data), transfer_syntax == IMPLICIT, little, stop_when=_after_header)
        for raw in dataset.values():
            vr = str(raw.VR or "")
            value = getattr(raw, "value", None)
            if isinstance(value, bytes) and vr != "SQ" and len(value) <= 1 << 16:
                if not little and vr in _NUMBERS:
                    value = _swap(value, struct.calcsize("<" + _NUMBERS[vr][0]))
                found[int(raw.tag)] = (vr.encode(), value)
    except Exception:  # noqa: BLE001  hostile bytes: pydicom raises anything; what was read until then stands
        return found
    return found


def _after_header(tag: int, vr: str | None, length: int) -> bool:
    return int(tag) > 0x00289999


def _inflate(data: bytes) -> bytes:
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, 1 << 20)


def _swap(value: bytes, size: int) -> bytes:
    return b"".join(value[i : i + size][::-1] for i in range(0, len(value), size))


def head(data: bytes | memoryview, transfer_syntax: str, complete: bool) -> Attributes:
    """The head of an instance up to Columns, from the first bytes of its data set.

    Truncated while too little has come and `complete` is false; damage is left to pydicom.
    """
    waiting = not complete and len(data) < HEAD_CAP
    if transfer_syntax not in (BIG_ENDIAN, DEFLATED):
        try:
            return Attributes.of(scan(data, transfer_syntax != IMPLICIT, HEADER_STOP, complete))
        except Truncated:
            if waiting:
                raise
        except (Unusual, struct.error, IndexError):
            pass
    if waiting:
        raise Truncated
    return Attributes.of(_by_pydicom(bytes(data), transfer_syntax))


# ---------------------------------------------------------------------- writing


def element(tag: int, vr: str, value: bytes, explicit: bool) -> bytes:
    """One element in little endian, padded to even length (PS3.5 7.1.2)."""
    if len(value) & 1:
        value += b"\0" if vr in ("UI", "OB", "UN") else b" "
    group, number = tag >> 16, tag & 0xFFFF
    if not explicit:
        return struct.pack("<HHI", group, number, len(value)) + value
    code = vr.encode()
    if code in LONG_VRS:
        return struct.pack("<HH2sHI", group, number, code, 0, len(value)) + value
    return struct.pack("<HH2sH", group, number, code, len(value)) + value


def encode_query(query: Query, explicit: bool, charset: str = "") -> bytes:
    """The identifier of a C-FIND-RQ; (0008,0005) is always there, since some peers name theirs only when asked."""
    return encode_keys(dict(query.keys), query.level, explicit, charset)


def encode_keys(keys: Mapping[str, str], level: Level | None, explicit: bool, charset: str = "") -> bytes:
    """Keyword -> text, with character set and Query/Retrieve Level where there is one; ValueError for a bad keyword."""
    ascii_only = all(text.isascii() for text in keys.values())
    named = "" if ascii_only else (charset or _UTF8)
    codecs = _encodings(named)
    elements: dict[int, tuple[str, bytes]] = {}
    if level is not None:
        elements = {_CHARSET: ("CS", named.encode("ascii")), _LEVEL: ("CS", level.value.encode("ascii"))}
    for keyword, text in keys.items():
        tag = _tag(keyword)
        if tag is None:
            raise ValueError(f"{keyword} is not a DICOM keyword")
        vr = vr_of(tag)
        if vr in _NUMBERS:
            elements[tag] = (vr, struct.pack("<" + _NUMBERS[vr], int(text)) if text else b"")
        elif text.isascii() or vr not in _TEXT_VRS:
            elements[tag] = (vr, text.encode("ascii", "replace"))
        else:
            elements[tag] = (vr, _encode(text, vr, codecs))
    too_long = [tag for tag, (vr, value) in elements.items() if len(value) > _VALUE_CAP]
    if too_long and explicit:
        raise UsageError(f"({too_long[0] >> 16:04X},{too_long[0] & 0xFFFF:04X}) is longer than an element may be.")
    return b"".join(element(tag, vr, value, explicit) for tag, (vr, value) in sorted(elements.items()))


def _encode(text: str, vr: str, codecs: list[str]) -> bytes:
    if vr == "PN":
        return bytes(PersonName(text).encode(codecs))
    return bytes(encode_string(text, codecs))


class RowEncoder:
    """Answers of one C-FIND: rows of text to identifier bytes; UTF-8 with its name where a row needs it."""

    def __init__(self, columns: Sequence[Column], level: Level, explicit: bool) -> None:
        fixed = {_LEVEL: element(_LEVEL, "CS", level.value.encode("ascii"), explicit)}
        self._charset = element(_CHARSET, "CS", _UTF8.encode("ascii"), explicit)
        self._no_charset = element(_CHARSET, "CS", b"", explicit)
        self._explicit = explicit
        self._plan: list[tuple[int, str, bytes]] = []
        for column in columns:
            if column.tag not in (_CHARSET, _LEVEL):
                self._plan.append((column.tag, column.vr, b""))
        self._plan.append((_LEVEL, "", fixed[_LEVEL]))
        self._order = sorted(range(len(self._plan)), key=lambda i: self._plan[i][0])
        self._indexes = [i for i, column in enumerate(columns) if column.tag not in (_CHARSET, _LEVEL)]

    def encode(self, row: Sequence[str]) -> bytes:
        """One identifier."""
        out = [self._no_charset]
        plain = True
        for at in self._order:
            tag, vr, fixed = self._plan[at]
            if fixed:
                out.append(fixed)
                continue
            text = row[self._indexes[at]]
            if vr in _NUMBERS:
                value = b"".join(_pack_number(vr, part) for part in text.split("\\")) if text else b""
            elif text.isascii():
                value = text.encode("ascii")
            else:
                value = text.encode("utf-8")
                plain = False
            if len(value) > _VALUE_CAP:
                # An explicit length has 16 bits: whole values are left out, rather than the answer.
                value = value[: value.rfind(b"\\", 0, _VALUE_CAP)] if b"\\" in value[:_VALUE_CAP] else b""
            out.append(element(tag, vr, value, self._explicit))
        if not plain:
            out[0] = self._charset
        return b"".join(out)


def _pack_number(vr: str, text: str) -> bytes:
    try:
        return struct.pack("<" + _NUMBERS[vr], float(text) if vr in ("FL", "FD") else int(text))
    except (struct.error, ValueError):
        return b""


# ---------------------------------------------------------------------- reading requests


def decode_request(data: bytes, transfer_syntax: str) -> tuple[Level, tuple[Element, ...]]:
    """Level and keys of a query or retrieve identifier; ValueError says what is wrong with it (answered A900)."""
    try:
        dataset = read_dataset(io.BytesIO(data), transfer_syntax == IMPLICIT, transfer_syntax != BIG_ENDIAN)
        dataset.decode()
        level = str(dataset.get("QueryRetrieveLevel", "") or "").strip().upper()
        keys = _elements(dataset)
    except Exception as error:  # noqa: BLE001  hostile bytes: pydicom raises anything
        raise ValueError(f"identifier cannot be read ({type(error).__name__})") from None
    try:
        return Level(level), keys
    except ValueError:
        raise ValueError(f"Query/Retrieve Level {level[:16]!r} is none of PATIENT, STUDY, SERIES, IMAGE") from None


def _elements(dataset: Dataset, depth: int = 0) -> tuple[Element, ...]:
    if depth > 8:
        raise ValueError("sequences nested too deeply")
    out = []
    for item in dataset:
        if item.tag in (_CHARSET, _LEVEL) or item.tag.element == 0:
            continue
        if item.VR == VR.SQ:
            out.append(Element(int(item.tag), "SQ", "", tuple(_elements(i, depth + 1) for i in item.value or ())))
        elif item.VR not in (VR.OB, VR.OW, VR.UN, VR.OF, VR.OD, VR.OL, VR.OV):
            values = item.value if item.VM > 1 else ([] if item.value is None else [item.value])
            out.append(Element(int(item.tag), str(item.VR)[:2], "\\".join(str(v) for v in values)))
    return tuple(out)
