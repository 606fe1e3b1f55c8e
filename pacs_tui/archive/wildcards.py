"""Text against text with wildcards (PS3.4 C.2.2.2.4): '*' is any run of characters, '?' any one.

Conditions in SQL for columns of one value and of several, and the same in Python for what stands in no column. What is
between the wildcards stands for itself, whatever it means to LIKE or to a regular expression.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Boolean, ColumnElement, String, and_, literal, literal_column
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

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
    common, atomic = ("".join((BACKSLASH, regular(text, BACKSLASH, fold, form), BACKSLASH)) for form in (False, True))
    return and_(found, expressed(within, common, atomic))


class Expressed(FunctionElement[bool]):
    """A text in which a regular expression is found, given in its common form and in its atomic one."""

    type = Boolean()
    inherit_cache = True


@compiles(Expressed)
def _in_common(element: Expressed, compiler: SQLCompiler, **more: Any) -> str:
    column, common, _ = element.clauses
    return compiler.process(column.regexp_match(common), **more)


@compiles(Expressed, "sqlite")
def _in_python(element: Expressed, compiler: SQLCompiler, **more: Any) -> str:
    # Python reads the expressions of SQLite: it would go back to every asterisk, and nothing else runs meanwhile.
    column, _, atomic = element.clauses
    return compiler.process(column.regexp_match(atomic), **more)


def expressed(column: ColumnElement[str], common: str, atomic: str) -> Condition:
    """The condition that one of the two forms, whichever the database takes, is found."""
    return Expressed(column, literal(common), literal(atomic))


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


def regular(text: str, outside: str, fold: Fold = str, atomic: bool = False) -> str:
    """A regular expression for a wildcard text whose wildcards stop at the characters of the class `outside`.

    Something of that class, or the end, has to follow it. The `atomic` form, of Python's re alone, takes the first
    place for what stands between two asterisks, which is as good as any, and never tries another.
    """
    one = f"[^{outside}]"
    first, *others = (
        "".join(one if part == "?" else re.escape(fold(part)) for part in _parts(run)) for run in text.split("*")
    )
    if not others:
        return first
    *middle, last = others
    between = (f"(?>{one}*?{run})" if atomic else f"{one}*{run}" for run in middle if run)
    return "".join((first, *between, f"{one}*", last))


def start(text: str) -> int:
    """Characters before the first wildcard."""
    return len(re.split("[*?]", text, maxsplit=1)[0])


def runs(text: str) -> int:
    """Asterisks between other characters."""
    return len(re.findall(r"\*+", text.strip("*")))


def matches_text(value: str, text: str) -> bool:
    """The same without a database, for a value that no column holds."""
    return bool(re.fullmatch(regular(text, BACKSLASH, atomic=True), value))


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
