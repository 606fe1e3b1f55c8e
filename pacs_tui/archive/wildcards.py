"""Text against text with wildcards (PS3.4 C.2.2.2.4): '*' is any run of characters, '?' any one.

Conditions in SQL for columns of one value and of several, and the same in Python for what stands in no column. What is
between the wildcards stands for itself, whatever it means to LIKE or to a regular expression.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from sqlalchemy import ColumnElement, String, and_, literal_column

Condition = ColumnElement[bool]
Fold = Callable[[str], str]

MAX_RUNS = 4
"""Asterisks between characters of one pattern that is looked for among several values: what each costs multiplies."""
_ESCAPE = "!"
_LAST = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)
BACKSLASH = "\\\\"
"""In a regular expression, also within a class."""
_BACKSLASH = literal_column("'\\'", String)


def is_wild(text: str) -> bool:
    """True where a text is more than itself."""
    return "*" in text or "?" in text


def matches(column: ColumnElement[str], text: str, fold: Fold = str) -> Condition:
    """Single value or wildcard matching of a column with one value; a text that starts plainly is found by an index."""
    if not is_wild(text):
        return column == fold(text)
    pattern = column.like(like(text, fold), escape=_ESCAPE)
    plain = start(text)
    first = fold(text[:plain])
    end = after(first)
    if not end:
        return pattern
    # The bounds follow the order of code points, which is SQLite's, and that of the collation "C" of PostgreSQL.
    inside = and_(column >= first, column < end)
    return and_(inside, pattern) if text[plain:].strip("*") else inside


def matches_any(column: ColumnElement[str], text: str, fold: Fold = str) -> Condition:
    """The same of a column that joins several values by backslashes: one of them has to match alone."""
    within = _BACKSLASH + column + _BACKSLASH
    found = within.like(f"%\\{like(text, fold)}\\%", escape=_ESCAPE)
    if not is_wild(text):
        return found
    # LIKE alone would let an asterisk run over the end of a value.
    return and_(found, within.regexp_match("".join((BACKSLASH, regular(text, BACKSLASH, fold), BACKSLASH))))


def like(text: str, fold: Fold = str) -> str:
    """The LIKE pattern of a wildcard text."""
    pattern: list[str] = []
    for part in _parts(text):
        if part == "?":
            pattern.append("_")
        elif part != "*":
            pattern += [_ESCAPE + c if c in "%_!" else c for c in fold(part)]
        elif pattern[-1:] != ["%"]:
            pattern.append("%")
    return "".join(pattern)


def regular(text: str, outside: str, fold: Fold = str) -> str:
    """A regular expression for a wildcard text whose wildcards stop at the characters of the class `outside`."""
    forms = {"?": f"[^{outside}]", "*": f"[^{outside}]*"}
    parts = (forms.get(part) or re.escape(fold(part)) for part in _parts(text))
    expression = "".join(parts)
    while forms["*"] * 2 in expression:
        expression = expression.replace(forms["*"] * 2, forms["*"])
    return expression


def start(text: str) -> int:
    """Characters before the first wildcard."""
    return len(re.split("[*?]", text, maxsplit=1)[0])


def runs(text: str) -> int:
    """Asterisks between other characters."""
    return len(re.findall(r"\*+", text.strip("*")))


def matches_text(value: str, text: str) -> bool:
    """The same without a database, for a value that no column holds."""
    return bool(re.fullmatch(regular(text, BACKSLASH), value))


def after(first: str) -> str:
    """The first text behind all that begin with `first`, by code points; empty where there is none."""
    while first and ord(first[-1]) == _LAST:
        first = first[:-1]
    if not first:
        return ""
    following = ord(first[-1]) + 1
    return first[:-1] + chr(_SURROGATES.stop if following in _SURROGATES else following)


def _parts(text: str) -> Iterator[str]:
    """Wildcards, and the runs of characters between them."""
    return (part for part in re.split(r"([*?])", text) if part)
