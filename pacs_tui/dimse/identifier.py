"""Identifiers: the data sets of queries and their answers, and the head of an instance (PS3.4 C.4.1.1.3)."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable, Iterator, KeysView, Mapping
from typing import Any

from pydicom import config as _pydicom_config
from pydicom.charset import convert_encodings, decode_bytes, encode_string
from pydicom.datadict import keyword_for_tag, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset, read_sequence
from pydicom.valuerep import VR, PersonName

from pacs_tui.dimse import bounds
from pacs_tui.dimse.contexts import BIG_ENDIAN, DEFLATED, IMPLICIT
from pacs_tui.dimse.dataset import LONG_VRS, SEQUENCES, Raw, Reading, Truncated, Unusual, scan, scan_plain, vr_of
from pacs_tui.errors import UsageError
from pacs_tui.model.level import Level
from pacs_tui.model.query import Query
from pacs_tui.model.tag import Element

_CHARSET, _LEVEL = 0x00080005, 0x00080052
_TEXT_VRS = frozenset(("SH", "LO", "ST", "LT", "UC", "UT", "PN"))
_QUICK = frozenset((b"AE", b"AS", b"CS", b"DA", b"DS", b"IS", b"LO", b"PN", b"SH", b"TM", b"UI"))
"""VRs whose single value in ASCII is read as it stands."""
_AS_IT_STANDS = _QUICK - {b"AE", b"DS", b"IS"}
_SINGLE_VRS = frozenset(("ST", "LT", "UT", "UR"))
NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "SV": "q", "UV": "Q", "AT": "HH"}
UTF8 = "ISO_IR 192"
_VALUE_CAP = 0xFFFE
ITEM_MARK, VALUE_MARK = "\x1e", "\x1f"
_NO_MARKS = {ord(ITEM_MARK): None, ord(VALUE_MARK): None}
HEAD_CAP = 1 << 18
"""Bytes of a data set within which its head must lie."""
HEADER_STOP = 0x00400275
"""Request Attributes Sequence: the last attribute of an instance that the index keeps."""

# A peer's value that breaks its VR's rules is the peer's business: shown as it is, never a warning per row.
_pydicom_config.settings.reading_validation_mode = _pydicom_config.IGNORE
bounds.silence()


class Attributes(Mapping[str, str]):
    """Keyword -> decoded text over the bytes of a data set; scanned and decoded when first asked.

    Several values are joined by backslashes. `fallback` is the SpecificCharacterSet to assume where none is named.
    A sequence (dataset.SEQUENCES) is a text too: each item begins with RS, each value in it is `GGGGEEEE=text` and ends
    with US.
    """

    __slots__ = ("_data", "_encodings", "_explicit", "_fallback", "_raw", "_reading")

    def __init__(self, data: bytes, transfer_syntax: str, fallback: str = "", reading: Reading | None = None) -> None:
        self._data = data
        self._explicit = transfer_syntax != IMPLICIT
        self._raw: Raw | None = None
        self._encodings: list[str] | None = None
        self._fallback = fallback
        self._reading = reading
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
        raw, data, reading = self._raw, self._data, self._reading
        if raw is not None:
            return raw
        if reading is not None:
            row, raw = reading.last
            if row is self:
                return raw
        try:
            raw = scan(data, self._explicit)
        except (Unusual, struct.error, IndexError):
            raw = _by_pydicom(data, "" if self._explicit else IMPLICIT)
        if reading is not None:
            reading.last = (self, raw)
        else:
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
        return self._text(vr.decode("ascii", "replace") if vr and vr != b"UN" else vr_of(tag or 0), value, bool(vr))

    def get(self, keyword: str, default: Any = None) -> Any:
        """As Mapping's, without an exception for what is not there: most of what the archive asks for is not."""
        raw = self._raw
        if raw is None:
            raw = self.raw()
        found = raw.get(_TAGS.get(keyword) or _tag(keyword) or -1)
        if found is None:
            return default
        vr, value = found
        if vr in _QUICK and value.isascii() and b"\x1b" not in value and b"\\" not in value:
            return value.decode("ascii").strip(" \0")
        return self[keyword]

    def tags(self) -> KeysView[int]:
        """The tags of the elements."""
        return self.raw().keys()

    def __contains__(self, keyword: object) -> bool:
        return isinstance(keyword, str) and self.raw().get(_tag(keyword) or -1) is not None

    def __iter__(self) -> Iterator[str]:
        # Private elements and group lengths have no keyword, and so no place in a mapping of keywords.
        return (keyword for keyword in map(keyword_for_tag, self.raw()) if keyword)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _text(self, vr: str, value: bytes, explicit: bool) -> str:
        if vr == "SQ":
            return self._items(value, explicit)
        number = NUMBERS.get(vr)
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

    def _items(self, value: bytes, explicit: bool) -> str:
        if value.startswith(ITEM_MARK.encode()):
            return value.decode("utf-8", "replace")
        if bounds.too_many_items(value):
            return ""
        try:
            return _items_text(read_sequence(io.BytesIO(value), not explicit, True, len(value), "iso8859"),
                               True, self._charset())  # fmt: skip
        except Exception:  # noqa: BLE001  hostile bytes: pydicom raises anything
            return ""

    def described(self) -> str:
        """Everything but sequences as the text of an item."""
        raw, parts = self.raw(), []
        for tag, (vr, value) in sorted(raw.items()):
            name = vr.decode("ascii", "replace") if vr and vr != b"UN" else vr_of(tag)
            text = "" if name == "SQ" else self._text(name, value, bool(vr))
            if text:
                parts.append(f"{tag:08X}={text.translate(_NO_MARKS)}{VALUE_MARK}")
        return ITEM_MARK + "".join(parts)

    def _charset(self) -> str:
        return self.raw().get(_CHARSET, (b"", b""))[1].decode("ascii", "replace").strip(" \0") or self._fallback

    def _decode(self, vr: str, value: bytes) -> str:
        if self._encodings is None:
            self._encodings = _encodings(self._charset())
        try:
            if vr == "PN":
                names = (PersonName(part, self._encodings) for part in _split(value, self._encodings))
                return "\\".join(str(name.decode()) for name in names)
            return str(decode_bytes(value, self._encodings, {0x5C, 0x0A, 0x0C, 0x0D, 0x09}))
        except (LookupError, ValueError):
            return value.decode("latin-1")


def _split(value: bytes, encodings: list[str]) -> list[bytes]:
    # A backslash byte is a delimiter only where the encoding has no multi-byte characters that contain it.
    if any(name.lower() in ("gb18030", "gbk", "shift_jis") for name in encodings) or b"\x1b$" in value:
        return [value]
    return value.split(b"\\")


def _encodings(charset: str) -> list[str]:
    try:
        return list(convert_encodings(charset.split("\\")[: bounds.MOST_CHARSETS] if charset else ""))
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
        data = bounds.beginning(data)
        dataset = read_dataset(io.BytesIO(data), transfer_syntax == IMPLICIT, little, stop_when=_after_header)
        found |= _raw_of(dataset, little)
        named = Attributes.of(found)._charset()
        for tag in SEQUENCES:
            if tag in dataset:
                found[tag] = (b"SQ", _items_text(dataset[tag].value, little, named).encode())
    except Exception:  # noqa: BLE001  hostile bytes: pydicom raises anything; what was read until then stands
        return found
    return found


def _raw_of(dataset: Dataset, little: bool) -> Raw:
    """What pydicom read and has not decoded yet."""
    found: Raw = {}
    for raw in dataset.values():
        vr = str(raw.VR or "")
        value = getattr(raw, "value", None)
        if isinstance(value, bytes) and vr != "SQ" and len(value) <= 1 << 16:
            if not little and vr in NUMBERS:
                value = _swap(value, struct.calcsize("<" + NUMBERS[vr][0]))
            found[int(raw.tag)] = (vr.encode(), value)
    return found


def _items_text(items: Iterable[Dataset], little: bool, charset: str) -> str:
    return "".join(Attributes.of(_raw_of(item, little), charset).described() for item in items)


def _after_header(tag: int, vr: str | None, length: int) -> bool:
    return int(tag) > HEADER_STOP


def _inflate(data: bytes) -> bytes:
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, HEAD_CAP)


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
    named = "" if ascii_only else (charset or UTF8)
    codecs = _encodings(named)
    elements: dict[int, tuple[str, bytes]] = {}
    if level is not None:
        elements = {_CHARSET: ("CS", named.encode("ascii")), _LEVEL: ("CS", level.value.encode("ascii"))}
    for keyword, text in keys.items():
        tag = _tag(keyword)
        if tag is None:
            raise ValueError(f"{keyword} is not a DICOM keyword")
        vr = vr_of(tag)
        if vr in NUMBERS:
            elements[tag] = (vr, struct.pack("<" + NUMBERS[vr], int(text)) if text else b"")
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


# ---------------------------------------------------------------------- reading requests


def decode_request(data: bytes, transfer_syntax: str) -> tuple[Level, tuple[Element, ...]]:
    """Level and keys of a query or retrieve identifier; ValueError says what is wrong with it (answered A900)."""
    quick = _quick_request(data, transfer_syntax)
    if quick is not None:
        level, keys = quick
    else:
        bounds.check_identifier(data)
        try:
            dataset = read_dataset(io.BytesIO(data), transfer_syntax == IMPLICIT, transfer_syntax != BIG_ENDIAN)
            bounds.check_whole(dataset.values())
            bounds.check_charsets(dataset.get("SpecificCharacterSet"))
            dataset.decode()
            level = str(dataset.get("QueryRetrieveLevel", "") or "").strip().upper()
            keys = _elements(dataset)
        except Exception as error:  # noqa: BLE001  hostile bytes: pydicom raises anything
            raise ValueError(f"identifier cannot be read ({type(error).__name__})") from None
    try:
        return Level(level), keys
    except ValueError:
        raise ValueError(f"Query/Retrieve Level {level[:16]!r} is none of PATIENT, STUDY, SERIES, IMAGE") from None


def _quick_request(data: bytes, transfer_syntax: str) -> tuple[str, tuple[Element, ...]] | None:
    """The same for the many that are plain ASCII without sequences, as pydicom would read them; else None."""
    raw = scan_plain(data, transfer_syntax != IMPLICIT) if transfer_syntax != BIG_ENDIAN else None
    if raw is None:
        return None
    level, keys = "", []
    for tag, (vr, value) in raw.items():
        if tag & 0xFFFF and tag != _CHARSET:
            text = value.decode("latin-1").rstrip(" \0")
            odd = not text.isascii() or not text.isprintable() or text.startswith(" ") or "\\" in text or "=" in text
            if value and (odd or vr not in _AS_IT_STANDS):
                return None
            if tag == _LEVEL:
                level = text.strip().upper()
            else:
                keys.append(Element(tag, vr.decode("ascii"), text))
    return level, tuple(keys)


def _elements(dataset: Dataset, depth: int = 0) -> tuple[Element, ...]:
    if depth > 8:
        raise ValueError("sequences nested too deeply")
    out = []
    for item in dataset:
        if item.tag in (_CHARSET, _LEVEL) or item.tag.element == 0:
            continue
        if item.VR == VR.SQ:
            out.append(Element(int(item.tag), "SQ", "", tuple(_elements(i, depth + 1) for i in item.value or ())))
        elif item.VR == VR.UN and isinstance(item.value, bytes):
            # Not a key anybody can match, and so it may not be overlooked.
            out.append(Element(int(item.tag), "UN", item.value.decode("latin-1")))
        elif item.VR not in (VR.OB, VR.OW, VR.UN, VR.OF, VR.OD, VR.OL, VR.OV):
            values = item.value if item.VM > 1 else ([] if item.value is None else [item.value])
            out.append(Element(int(item.tag), str(item.VR)[:2], "\\".join(str(v) for v in values)))
    return tuple(out)
