"""Text on its way to a terminal: made harmless, measured in cells, formatted for people."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from rich.cells import cell_len, get_character_cell_size

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_DELETE = 0x7F
_CONTROL_PICTURES = 0x2400
_INVISIBLE = frozenset("\u034f\u115f\u1160\u2800\u3164\uffa0")
"""Letters and marks that print nothing: the combining grapheme joiner, Hangul fillers, the empty Braille cell."""


@lru_cache(maxsize=4096)
def _harmless(character: str) -> str:
    """The character itself where a terminal only prints it, else a visible stand-in."""
    code = ord(character)
    if code < 0x20:
        return chr(_CONTROL_PICTURES + code)
    if code == _DELETE:
        return "\N{SYMBOL FOR DELETE}"
    # Cc: C1 controls, which some terminals obey as ESC sequences; Cf: bidi overrides and isolates, zero-width and tag
    # characters; Cs: lone surrogates, which cannot be written at all; Co and Cn: private and unassigned, whose width
    # nobody knows; Zl and Zp: line breaks in disguise.
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
        return REPLACEMENT
    if character in _INVISIBLE or 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF:  # variation selectors
        return REPLACEMENT
    if unicodedata.category(character)[0] != "M" and get_character_cell_size(character) == 0:
        return REPLACEMENT
    return character


def printable(text: str) -> str:
    """The text with everything that could drive a terminal, or hide in it, replaced by a visible stand-in.

    Control characters become their pictures (ESC is shown as "␛"); C1, bidi controls, zero-width characters and lone
    surrogates become "\N{REPLACEMENT CHARACTER}". The number of characters is kept.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_harmless, text))


def width(text: str) -> int:
    """The cells the text takes in a terminal."""
    return len(text) if text.isascii() else cell_len(text)


def cut(text: str, cells: int) -> str:
    """At most `cells` cells of the text; what was cut off is marked by an ellipsis."""
    if width(text) <= cells:
        return text
    if cells <= 0:
        return ""
    kept: list[str] = []
    room = cells - 1
    for character in text:
        room -= get_character_cell_size(character)
        if room < 0:
            break
        kept.append(character)
    return "".join(kept) + "…"


def pad(text: str, cells: int, align: str = "left") -> str:
    """Exactly `cells` cells: cut where too long, filled with spaces on the far side of `align` (left, right)."""
    text = cut(text, cells)
    spaces = " " * (cells - width(text))
    return spaces + text if align == "right" else text + spaces


def date(text: str) -> str:
    """A DICOM date as 2026-11-20; anything else as it came (PS3.5 6.2, VR DA)."""
    digits = text.strip().replace(".", "")  # the ACR-NEMA form is 2026.11.20
    if len(digits) == 8 and digits.isascii() and digits.isdigit():
        return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"
    return printable(text.strip())


def time(text: str) -> str:
    """A DICOM time as 10:11; anything else as it came (PS3.5 6.2, VR TM)."""
    digits = text.strip().partition(".")[0].replace(":", "")
    if len(digits) in (4, 6) and digits.isascii() and digits.isdigit():
        return f"{digits[:2]}:{digits[2:4]}"
    return printable(text.strip())


def person_name(text: str) -> str:
    """A person name for people: the alphabetic group first, the ideographic in parentheses (PS3.5 6.2.1).

    Component carets stay, as administrators type them; trailing empty components and the phonetic group go, the
    latter only where another group says who it is.
    """
    groups = [group.strip().rstrip("^ ") for group in printable(text).split("=")]
    alphabetic, ideographic, phonetic = [*groups, "", ""][:3]
    if alphabetic and ideographic:
        return f"{alphabetic} ({ideographic})"
    return alphabetic or ideographic or phonetic


def duration(seconds: float) -> str:
    """A length of time in its two largest units: 0.4 s, 42 s, 3 min 20 s, 2 h 5 min, 3 d 4 h."""
    if seconds < 10:
        return f"{max(seconds, 0.0):.1f} s"
    whole = round(seconds)
    for unit, name, below, lower in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= unit:
            rest = whole % unit // below
            return f"{whole // unit} {name} {rest} {lower}" if rest else f"{whole // unit} {name}"
    return f"{whole} s"


def size(count: int) -> str:
    """A number of bytes with three digits of meaning: 512 B, 12.5 MB."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 999.5 or unit == "TB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" or value >= 99.95 else f"{value:.1f} {unit}"


def rate(per_second: float) -> str:
    """Things a second: 58/s, 0.4/s."""
    return f"{per_second:.0f}/s" if per_second >= 9.95 else f"{per_second:.1f}/s"
