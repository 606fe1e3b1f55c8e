"""Person names as they are compared: by their letters in any case, and by their words and sounds."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

GROUPS = ("_alphabetic", "_ideographic", "_phonetic")
"""Columns of a person's name, one for each component group (PS3.5 6.2.1)."""
WORDS = "_words"
"""Column of the words of a person's name and their sounds, for fuzzy matching."""

_SOUNDS = {
    letter: str(code)
    for code, letters in enumerate(("bfpv", "cgjkqsxz", "dt", "l", "mn", "r"), 1)
    for letter in letters
}
_STROKES = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i",
                          "'": "", "’": "", "`": ""})  # fmt: skip
_WRITTEN_OUT = re.compile("[aou]e")
_LETTERS = re.compile(r"[^\W\d_]+")


def fold(text: str) -> str:
    """Text for comparing names: no case, no half- or full-width forms (PS3.4 C.2.2.2.1 leaves this to the SCP)."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def groups(text: str) -> tuple[str, str, str]:
    """The folded component groups of one name; trailing carets say nothing (PS3.5 6.2.1.1) and are left out."""
    parts = [fold(group.strip(" ")).rstrip("^ ") for group in text.split("=")[:3]]
    parts += [""] * (3 - len(parts))
    return parts[0], parts[1], parts[2]


def plain(text: str) -> str:
    """Text without case, accents and strokes, and without the `e` that stands for two dots: MÜLLER, MUELLER: muller."""
    text = text.casefold().translate(_STROKES)
    if not text.isascii():
        apart = unicodedata.normalize("NFKD", text)
        bare = "".join(c for c in apart if not unicodedata.combining(c))
        text = unicodedata.normalize("NFC", bare).translate(_STROKES)
    return _WRITTEN_OUT.sub(lambda match: match[0][0], text)


def sound(word: str) -> str:
    """The American Soundex of a plain word, M460 for muller; empty for other scripts than the Latin."""
    if not (word.isascii() and word.isalpha()):
        return ""
    code, last = word[0].upper(), _SOUNDS.get(word[0], "")
    for letter in word[1:]:
        now = _SOUNDS.get(letter, "")
        if now and now != last:
            code += now
        if letter not in "hw":
            last = now
    return code[:4].ljust(4, "0")


def words(values: Sequence[str]) -> str:
    """Every plain word of the alphabetic groups and its sound between spaces: ` muller M460 anna A500 `."""
    found: dict[str, None] = {}
    for value in values:
        for word in _LETTERS.findall(plain(value.partition("=")[0])):
            found[word] = found[sound(word)] = None
    found.pop("", None)
    return f" {' '.join(found)} " if found else ""
