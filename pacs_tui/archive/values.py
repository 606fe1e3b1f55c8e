"""Text of a data set as the index keeps it: trimmed, cut, and folded so that it can be compared.

A VR that is compared otherwise than it is written has further columns beside its text: a person's name one for each
component group, a time one that is written out to the microsecond.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pacs_tui.archive.attributes import Attribute

NAME_GROUPS = ("_alphabetic", "_ideographic", "_phonetic")
"""Columns of a person's name, one for each component group (PS3.5 6.2.1)."""
TIME_KEY = "_key"

_DATE = re.compile(r"(\d{4})\.?(\d\d)\.?(\d\d)", re.ASCII)
_TIME = re.compile(r"(\d\d)(?::?(\d\d)(?::?(\d\d)(?:\.(\d{1,6}))?)?)?", re.ASCII)
_SMALLEST, _LARGEST = ("00", "00", "00", "000000"), ("23", "59", "59", "999999")


def clean(text: str) -> str:
    """Text without padding, and without what a database cannot hold (NUL, lone surrogates)."""
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode("utf-8")
    return text.replace("\0", "").strip(" ")


def fold(text: str) -> str:
    """Text for comparing names: no case, no half- or full-width forms (PS3.4 C.2.2.2.1 leaves this to the SCP)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def name_groups(text: str) -> tuple[str, str, str]:
    """The folded component groups; trailing carets say nothing (PS3.5 6.2.1.1) and are left out."""
    groups = [fold(clean(group)).rstrip("^ ") for group in text.split("=")[:3]]
    groups += [""] * (3 - len(groups))
    return groups[0], groups[1], groups[2]


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
    if not re.fullmatch(r"[+-]?\d{1,12}", text, re.ASCII):
        return None
    number = int(text)
    return number if -(2**31) <= number < 2**31 else None


def _moment(text: str, missing: tuple[str, ...]) -> str:
    match = _TIME.fullmatch(text)
    if not match:
        return ""
    hours, minutes, seconds, fraction = (part or other for part, other in zip(match.groups(), missing, strict=True))
    fraction += missing[3][len(fraction) :]
    return f"{hours}{minutes}{seconds}.{fraction}"


def _time(text: str) -> dict[str, str | int | None]:
    key = earliest(text)
    return {"": text.replace(":", "") if key else "", TIME_KEY: key}


def _name(text: str) -> dict[str, str | int | None]:
    return {"": text, **dict(zip(NAME_GROUPS, name_groups(text), strict=True))}


def _text(text: str) -> dict[str, str | int | None]:
    return {"": text}


@dataclass(frozen=True, slots=True)
class Form:
    """How a VR is kept: the longest text of PS3.5 6.2, and the columns (by suffix) that a text fills."""

    length: int
    columns: Callable[[str], Mapping[str, str | int | None]] = _text


_WHOLE = Form(13, lambda text: {"": whole(text)})
FORMS: dict[str, Form] = {
    "AE": Form(16),
    "AS": Form(4),
    "CS": Form(16),
    "DA": Form(10, lambda text: {"": date(text)}),
    "IS": _WHOLE,
    "LO": Form(64),
    "PN": Form(64 * 3 + 2, _name),
    "SH": Form(16),
    "TM": Form(16, _time),
    "UI": Form(64),
    "US": _WHOLE,
}
_SUFFIXES = {vr: tuple(form.columns("")) for vr, form in FORMS.items()}


def cut(vr: str, text: str) -> str:
    """The text as far as the index keeps it; the file keeps all of it."""
    return clean(text)[: FORMS[vr].length].rstrip(" ")


def row(attributes: tuple[Attribute, ...], header: Mapping[str, str]) -> dict[str, str | int | None]:
    """Column values of one level's row; what the header leaves out, or fills with nonsense, is empty."""
    values: dict[str, str | int | None] = {}
    for attribute in attributes:
        columns = FORMS[attribute.vr].columns(cut(attribute.vr, header.get(attribute.keyword, "")))
        for suffix, value in columns.items():
            values[attribute.column + suffix] = value
    return values


def filled(
    attributes: tuple[Attribute, ...], old: Mapping[str, object], new: Mapping[str, object]
) -> dict[str, object]:
    """The columns of attributes that were empty and now are known: the first instance to say something is believed."""
    return {
        attribute.column + suffix: new[attribute.column + suffix]
        for attribute in attributes
        if old[attribute.column] in ("", None) and new[attribute.column] not in ("", None)
        for suffix in _SUFFIXES[attribute.vr]
    }
