"""Text of a data set as the index keeps it: trimmed, cut, and folded so that it can be compared.

A VR that is compared otherwise than it is written has further columns beside its text: a person's name one for each
component group, and one for its words. Several values of one attribute stay joined by backslashes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from pacs_tui.archive import names, sequences
from pacs_tui.archive.arrival import tags_of
from pacs_tui.archive.attributes import Attribute

MAX_KEPT = 8
"""Values kept of an attribute that has several."""

_DATE = re.compile(r"(\d{4})\.?(\d\d)\.?(\d\d)", re.ASCII)
_TIME = re.compile(r"(\d\d)(?::?(\d\d)(?::?(\d\d)(?:\.(\d{1,6}))?)?)?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,12}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_SMALLEST, _LARGEST = ("00", "00", "00", "000000"), ("23", "59", "59", "999999")


def clean(text: str) -> str:
    """Text without padding, and without what a database cannot hold (NUL, lone surrogates)."""
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode("utf-8")
    return text.replace("\0", "").strip(" ")


@lru_cache(maxsize=512)
def date(text: str) -> str:
    """YYYYMMDD, or empty where the text is no date; the dots of ACR-NEMA are understood."""
    match = _DATE.fullmatch(text)
    return "".join(match.groups()) if match else ""


def earliest(text: str) -> str:
    """The first moment a time of any precision may mean, as HHMMSS.FFFFFF; empty where the text is no time."""
    return _moment(text, _SMALLEST)


def latest(text: str) -> str:
    """The last moment a time of any precision may mean, as HHMMSS.FFFFFF; empty where the text is no time."""
    return _moment(text, _LARGEST)


def whole(text: str) -> int | None:
    """A whole number of 32 bits (PS3.5 6.2, IS), or None."""
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    if not _WHOLE.fullmatch(text):
        return None
    number = int(text)
    return number if -(2**31) <= number < 2**31 else None


def decimal(text: str) -> str:
    """A decimal number (PS3.5 6.2, DS) as equal numbers are written alike; empty where the text is none."""
    number = float(text) if _DECIMAL.fullmatch(text) else math.inf
    return f"{number + 0.0:.12g}" if math.isfinite(number) else ""


def _moment(text: str, missing: tuple[str, ...]) -> str:
    match = _TIME.fullmatch(text)
    if not match:
        return ""
    hours, minutes, seconds, fraction = (part or other for part, other in zip(match.groups(), missing, strict=True))
    fraction += missing[3][len(fraction) :]
    return f"{hours}{minutes}{seconds}.{fraction}"


Columns = Mapping[str, str | int | None]


def _text(text: str) -> Columns:
    return {"": text}


@lru_cache(maxsize=512)
def _time(text: str) -> Columns:
    return {"": text.replace(":", "") if earliest(text) else ""}


# The instances of a study bring the same names again and again.
@lru_cache(maxsize=512)
def _name(text: str) -> Columns:
    values = text.split("\\")
    by_group = zip(*(names.groups(value) for value in values), strict=True)
    joined = {suffix: "\\".join(group).rstrip("\\") for suffix, group in zip(names.GROUPS, by_group, strict=True)}
    return {"": text, **joined, names.WORDS: names.words(values)}


@dataclass(frozen=True, slots=True)
class Form:
    """How a VR is kept: the longest value (of PS3.5 6.2, or less), and the columns (by suffix) that a text fills."""

    length: int
    columns: Callable[[str], Columns] = _text


_INTEGER = Form(13, lambda text: {"": whole(text)})
FORMS: dict[str, Form] = {
    "AE": Form(16),
    "AS": Form(4),
    "CS": Form(16),
    "DA": Form(10, lambda text: {"": date(text)}),
    "DS": Form(16, lambda text: {"": decimal(text)}),
    "IS": _INTEGER,
    "LO": Form(64),
    "LT": Form(1024),
    "PN": Form(64 * 3 + 2, _name),
    "SH": Form(16),
    "SQ": Form(sequences.MAX_TEXT),
    "TM": Form(16, _time),
    "UI": Form(64),
    "US": _INTEGER,
}


def cut(vr: str, text: str) -> str:
    """The text as far as the index keeps it; the file keeps all of it."""
    return clean(text)[: FORMS[vr].length].rstrip(" ")


def row(attributes: tuple[Attribute, ...], header: Mapping[str, str]) -> dict[str, str | int | None]:
    """Column values of one level's row; what the header leaves out, or fills with nonsense, is empty."""
    blank, plan = _plan(attributes)
    values = dict(blank)
    present = tags_of(header)
    # This runs for every instance, and most of what is asked for is not there or is what it is.
    for attribute, tag, keyword, column, length in plan:
        if tag not in present:
            continue
        text = header.get(keyword)
        if not text:
            continue
        if length and text.isascii() and text.isprintable() and "\\" not in text:
            values[column] = text[:length].strip(" ")
            continue
        for suffix, value in FORMS[attribute.vr].columns(_kept(attribute, text)).items():
            values[column + suffix] = value
    return values


_Plan = tuple[dict[str, str | int | None], tuple[tuple[Attribute, int, str, str, int], ...]]


@lru_cache(maxsize=64)
def _plan(attributes: tuple[Attribute, ...]) -> _Plan:
    """The row of an empty header; and each attribute, with the length of its text or 0 where that takes more care."""
    blank = {a.column + suffix: value for a in attributes for suffix, value in FORMS[a.vr].columns("").items()}
    plain = {a: FORMS[a.vr].length if FORMS[a.vr].columns is _text and not a.items else 0 for a in attributes}
    return blank, tuple((a, a.tag, a.keyword, a.column, length) for a, length in plain.items())


def _kept(attribute: Attribute, text: str) -> str:
    if attribute.items:
        return sequences.kept(attribute, clean(text), lambda item, value: cut(item.vr, value))
    if attribute.many and "\\" in text:
        return "\\".join(cut(attribute.vr, value) for value in text.split("\\")[:MAX_KEPT])
    return cut(attribute.vr, text)
