"""Attribute matching (PS3.4 C.2.2.2): one key of an identifier to one SQL condition.

Every VR has one function from a column and a text to a condition; a key with several values matches any of them.
The text of a key comes from strangers: it reaches the database as bound values only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import ColumnElement, FromClause, and_, exists, false, or_, true

from pacs_tui.archive import schema, values
from pacs_tui.archive.attributes import BY_KEYWORD, Attribute
from pacs_tui.errors import Refused
from pacs_tui.model.transfer import is_uid

MAX_VALUES = 10_000
"""Values of one key; databases bind some 32,000 values a statement."""
MAX_TERMS = 250
"""Values of a key of which each needs a condition of its own; SQLite takes a depth of 1,000."""
MAX_PATTERN = 1000
"""Characters of a value with wildcards."""
_ESCAPE = "!"
_EVERYTHING = {"", "*"}
_SILENT = {"PN": "=^", "DA": "-", "TM": "-"}
"""Characters that by themselves say nothing in a value of this VR."""

_OF_TERMS = frozenset(("PN", "DA", "TM"))

Condition = ColumnElement[bool]


def is_universal(attribute: Attribute, text: str) -> bool:
    """True for a key that matches everything (C.2.2.2.3): no value, or nothing but asterisks and separators."""
    return not values.clean(text).strip(" *\\" + _SILENT.get(attribute.vr, ""))


def matches(attribute: Attribute, table: FromClause, text: str) -> Condition:
    """The condition a key with a value puts on its column; Refused (A900) where the text cannot be such a value."""
    given = [value for value in map(values.clean, text.split("\\")) if value]
    if len(given) > MAX_VALUES:
        raise unusable(attribute, f"has {len(given)} values; this archive takes {MAX_VALUES} at a time")
    wild = [value for value in given if "*" in value or "?" in value]
    if any(len(value) > MAX_PATTERN for value in wild):
        raise unusable(attribute, f"has a pattern of over {MAX_PATTERN} characters")
    if len(given if attribute.vr in _OF_TERMS else wild) > MAX_TERMS:
        raise unusable(attribute, f"has over {MAX_TERMS} alternatives")
    rule = _RULES.get(attribute.keyword) or _RULES[attribute.vr]
    return rule(attribute, table, given)


def unusable(attribute: Attribute, problem: str) -> Refused:
    """The refusal of an identifier because of one key (PS3.4 C.4.1.1.4: identifier does not match SOP class)."""
    return Refused(f"{attribute.keyword} {problem}.", "status:C-FIND:A900", status=0xA900)


def text_matches(column: ColumnElement[str], text: str, fold: Callable[[str], str] = str) -> Condition:
    """Single value or wildcard matching (C.2.2.2.1, C.2.2.2.4): '*' is any run of characters, '?' any one."""
    if "*" not in text and "?" not in text:
        return column == fold(text)
    return column.like(_pattern(text, fold), escape=_ESCAPE)


def _pattern(text: str, fold: Callable[[str], str]) -> str:
    """The LIKE pattern of a wildcard text; what is between the wildcards stands for itself."""
    pattern: list[str] = []
    literal = ""
    for character in (*text, ""):
        if character and character not in "*?":
            literal += character
            continue
        pattern += [_ESCAPE + c if c in "%_!" else c for c in fold(literal)]
        literal = ""
        if character == "?":
            pattern.append("_")
        elif character and pattern[-1:] != ["%"]:
            pattern.append("%")
    return "".join(pattern)


def _text(attribute: Attribute, table: FromClause, given: Sequence[str]) -> Condition:
    column = table.c[attribute.column]
    plain = [values.cut(attribute.vr, value) for value in given if "*" not in value and "?" not in value]
    wild = [text_matches(column, value) for value in given if "*" in value or "?" in value]
    return or_(column.in_(plain), *wild) if plain else or_(*wild)


def _uid(attribute: Attribute, table: FromClause, given: Sequence[str]) -> Condition:
    """A list of UIDs (C.2.2.2.2)."""
    return table.c[attribute.column].in_([value for value in given if is_uid(value)])


def _number(attribute: Attribute, table: FromClause, given: Sequence[str]) -> Condition:
    numbers = [number for number in map(values.whole, given) if number is not None]
    return table.c[attribute.column].in_(numbers)


def _name(attribute: Attribute, table: FromClause, given: Sequence[str]) -> Condition:
    return or_(*(_one_name(attribute, table, value) for value in given))


def _one_name(attribute: Attribute, table: FromClause, text: str) -> Condition:
    """A name without '=' is looked for in every component group, one with '=' group by group (PS3.5 6.2.1.1)."""
    columns = [table.c[attribute.column + suffix] for suffix in values.NAME_GROUPS]
    groups = [group.strip(" ").rstrip("^ ") for group in text.split("=")[:3]]
    if len(groups) == 1 and groups[0] not in _EVERYTHING:
        return or_(*(text_matches(column, groups[0], values.fold) for column in columns))
    pairs = [(c, g) for c, g in zip(columns, groups, strict=False) if g not in _EVERYTHING]
    return and_(true(), *(text_matches(column, group, values.fold) for column, group in pairs))


def _date(attribute: Attribute, table: FromClause, given: Sequence[str]) -> Condition:
    column = table.c[attribute.column]
    return or_(*(_range(attribute, column, value, values.date, values.date) for value in given))


def _time(attribute: Attribute, table: FromClause, given: Sequence[str]) -> Condition:
    column = table.c[attribute.column + values.TIME_KEY]
    return or_(*(_range(attribute, column, value, values.earliest, values.latest) for value in given))


def _range(
    attribute: Attribute,
    column: ColumnElement[str],
    text: str,
    first: Callable[[str], str],
    last: Callable[[str], str],
) -> Condition:
    """A range, open at either end, or a single value (C.2.2.2.5); both ends belong to it, with their precision."""
    start, hyphen, end = (part.strip(" ") for part in text.partition("-"))
    if not hyphen:
        end = start
    low, high = first(start), last(end)
    if (start and not low) or (end and not high):
        raise unusable(attribute, f"{text[:20]!r} is neither a value nor a range")
    # An unknown value lies in no range, not even in one that is open towards it.
    condition: Condition = column >= low if low else column != ""
    return and_(condition, column <= high) if high else condition


def _sop_classes(attribute: Attribute, table: FromClause, given: Sequence[str]) -> Condition:
    """Any of the UIDs in a column that joins several by backslashes."""
    within = "\\" + table.c[attribute.column] + "\\"
    parts = [within.contains(f"\\{value}\\", autoescape=True) for value in given if is_uid(value)]
    return or_(*parts) if parts else false()


def _modalities(_attribute: Attribute, table: FromClause, given: Sequence[str]) -> Condition:
    """Studies with a series of any of the modalities (C.3.4): asked of the series, where wildcards are exact."""
    # A name of its own: the query may look at a series already, and that one must not answer for the others.
    any_series = schema.series.alias("any_series")
    of_modality = _text(BY_KEYWORD["Modality"], any_series, given)
    return exists().where(any_series.c.study_id == table.c.id, of_modality).correlate(table)


_Rule = Callable[[Attribute, FromClause, Sequence[str]], Condition]
_RULES: dict[str, _Rule] = {
    "AE": _text, "AS": _text, "CS": _text, "DA": _date, "IS": _number, "LO": _text, "PN": _name, "SH": _text,
    "TM": _time, "UI": _uid, "US": _number, "ModalitiesInStudy": _modalities, "SOPClassesInStudy": _sop_classes,
}  # fmt: skip
"""By VR, and by keyword where an attribute is matched in a way of its own."""
