"""Attribute matching (PS3.4 C.2.2.2): one key of an identifier to one SQL condition.

Every VR has one rule from a column and the values of a key to a condition; a key with several values matches any of
them. The text of a key comes from strangers: it reaches the database as bound values only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from sqlalchemy import ColumnElement, FromClause, and_, false, or_, select, true, union_all

from pacs_tui.archive import names, ranges, values, wildcards
from pacs_tui.archive.attributes import Attribute
from pacs_tui.archive.sequences import RS, US
from pacs_tui.archive.wildcards import Condition
from pacs_tui.errors import Refused
from pacs_tui.model.tag import Element
from pacs_tui.model.transfer import is_uid

MAX_VALUES = 10_000
"""Values of one key; databases bind some 32,000 values a statement."""
MAX_TERMS = 250
"""Values of a key of which each needs a condition of its own; SQLite takes a depth of 1,000."""
MAX_PATTERN = 1000
"""Characters of a value with wildcards."""
MAX_WORDS = 10
"""Words of a name that is matched by its sound."""
FEW = 5
"""Characters before a wildcard with which few names begin: those are looked up, and then sorted."""
NOTHING = '""'
"""A value that only what is empty matches (PS3.4 C.2.2.2.7)."""
_EVERYTHING = {"", "*"}
_OF_TERMS = frozenset(("PN", "DA", "TM"))
_WORD = re.compile(r"(?:[^\W\d_]|[*?])+")


def is_universal(vr: str, text: str) -> bool:
    """True for a value that matches everything (C.2.2.2.3): none, or nothing but asterisks and separators."""
    return not values.clean(text).strip(" *\\=^" if vr == "PN" else " *\\")


def is_silent(key: Element) -> bool:
    """True for a key that only asks for its attribute, as do all keys in its items."""
    return is_universal(key.vr, key.text) and all(is_silent(each) for item in key.items for each in item)


def matches(attribute: Attribute, table: FromClause, key: Element, fuzzy: bool = False) -> Condition:
    """The condition a key that is not silent puts on its column; Refused (A900) where it cannot be such a key."""
    column: ColumnElement[str] = table.c[attribute.column]
    if attribute.items:
        return wildcards.expressed(column, item_expression(attribute, key, False), item_expression(attribute, key))
    given = given_values(attribute, key.text)
    asked = [value for value in given if value != NOTHING]
    conditions = [] if len(asked) == len(given) else [_is_empty(column, attribute)]
    if asked and attribute.vr == "PN":
        conditions.append(_names(attribute, table, asked, fuzzy))
    elif asked:
        conditions.append(_RULES[attribute.vr](attribute, column, asked))
    return or_(*conditions)


def given_values(attribute: Attribute, text: str) -> list[str]:
    """The values of a key; Refused (A900) for more of them, or wilder ones, than one statement is to bear."""
    # A backslash is text in an LT (PS3.5 6.2).
    parts = [text] if attribute.vr == "LT" else text.split("\\")
    given = [value for value in map(values.clean, parts) if value]
    if len(given) > MAX_VALUES:
        raise unusable(attribute, f"has {len(given)} values; this archive takes {MAX_VALUES} at a time")
    wild = [value for value in given if wildcards.is_wild(value)]
    if any(len(value) > MAX_PATTERN for value in wild):
        raise unusable(attribute, f"has a pattern of over {MAX_PATTERN} characters")
    if len(given if attribute.vr in _OF_TERMS or attribute.many else wild) > MAX_TERMS:
        raise unusable(attribute, f"has over {MAX_TERMS} alternatives")
    return given


def unusable(attribute: Attribute, problem: str) -> Refused:
    """The refusal of an identifier because of one key (PS3.4 C.4.1.1.4: identifier does not match SOP class)."""
    return Refused(
        f"{attribute.keyword} {problem}.", "status:C-FIND:A900", status=0xA900, element=f"{attribute.tag:08X}"
    )


def matches_constant(attribute: Attribute, value: str, text: str) -> Condition:
    """The condition of a key for what the archive says of everything: all rows, or none."""
    given = given_values(attribute, text)
    return true() if any(wildcards.matches_text(value, each) for each in given) else false()


def item_expression(attribute: Attribute, key: Element, atomic: bool = True) -> str:
    """The regular expression of an item that meets all the keys in a key's item (C.2.2.2.6)."""
    if len(key.items) > 1 and not is_silent(key):
        raise unusable(attribute, "has several items; a key has one")
    if not is_universal("SQ", key.text):
        raise unusable(attribute, "is a sequence")
    asked = {each.tag: each for item in key.items for each in item}
    parts = [_value_expression(attribute, each, asked.get(each.tag), atomic) for each in attribute.items]
    return RS + "".join(part + US for part in parts)


def _value_expression(sequence: Attribute, attribute: Attribute, key: Element | None, atomic: bool) -> str:
    if key is None or is_silent(key):
        return f"[^{RS}{US}]*"
    given = given_values(attribute, key.text)
    if len(given) > MAX_TERMS:
        raise unusable(sequence, f"has over {MAX_TERMS} alternatives")
    alternatives = ["" if value == NOTHING else _regular(sequence, value, atomic) for value in given]
    return f"(?:{'|'.join(alternatives)})"


def _regular(attribute: Attribute, text: str, atomic: bool) -> str:
    _check_runs(attribute, text)
    return wildcards.regular(text, RS + US, atomic=atomic)


def _check_runs(attribute: Attribute, text: str) -> None:
    if wildcards.runs(text) > wildcards.MAX_RUNS:
        raise unusable(attribute, f"has over {wildcards.MAX_RUNS} asterisks in a value")


def _is_empty(column: ColumnElement[str], attribute: Attribute) -> Condition:
    return column.is_(None) if attribute.vr in ("IS", "US") else column == ""


def _text(attribute: Attribute, column: ColumnElement[str], given: Sequence[str]) -> Condition:
    """Single values and wildcards in text whose case counts (C.2.2.2.1, C.2.2.2.4)."""
    if attribute.many:
        for value in given:
            _check_runs(attribute, value)
        return or_(*(wildcards.matches_any(column, value) for value in given))
    plain = [values.cut(attribute.vr, value) for value in given if not wildcards.is_wild(value)]
    wild = [wildcards.matches(column, value) for value in given if wildcards.is_wild(value)]
    return or_(column.in_(plain), *wild) if plain else or_(*wild)


def _uid(attribute: Attribute, column: ColumnElement[str], given: Sequence[str]) -> Condition:
    """A list of UIDs (C.2.2.2.2); what is no UID matches nothing."""
    uids = [value for value in given if is_uid(value)]
    if attribute.many:
        return or_(false(), *(wildcards.matches_any(column, value) for value in uids))
    return column.in_(uids)


def _number(_attribute: Attribute, column: ColumnElement[str], given: Sequence[str]) -> Condition:
    """Equal as numbers, however they are written; what is no number matches nothing."""
    return column.in_([number for number in map(values.whole, given) if number is not None])


def _decimal(_attribute: Attribute, column: ColumnElement[str], given: Sequence[str]) -> Condition:
    return column.in_([number for number in map(values.decimal, given) if number])


def _span(attribute: Attribute, column: ColumnElement[str], given: Sequence[str]) -> Condition:
    """Single values and ranges (C.2.2.2.5)."""
    return or_(*(ranges.inside(column, span_of(attribute, value)) for value in given))


def _time(attribute: Attribute, column: ColumnElement[str], given: Sequence[str]) -> Condition:
    return and_(column != "", _span(attribute, ranges.moment(column), given))


def span_of(attribute: Attribute, text: str) -> ranges.Ends:
    """The ends of a date or time key; Refused (A900) for what has none."""
    found = ranges.ends(attribute.vr, text)
    if found is None:
        raise unusable(attribute, f"{text[:20]!r} is neither a value nor a range")
    return found


# ---------------------------------------------------------------------- person names


def _names(attribute: Attribute, table: FromClause, given: Sequence[str], fuzzy: bool) -> Condition:
    conditions = [_one_name(attribute, table, value) for value in given]
    if fuzzy:
        conditions += [_by_words(attribute, table, value) for value in given]
    return or_(*conditions)


def _one_name(attribute: Attribute, table: FromClause, text: str) -> Condition:
    """A name without '=' is looked for in every component group, one with '=' group by group (PS3.5 6.2.1.1)."""
    if attribute.many:
        _check_runs(attribute, text)
    parts = [group.strip(" ").rstrip("^ ") for group in text.split("=")[:3]]
    if len(parts) == 1 and parts[0] not in _EVERYTHING:
        if attribute.keyword == "PatientName" and wildcards.is_wild(text) and wildcards.start(parts[0]) >= FEW:
            # Each group has an index, but SQLite would rather read all rows than three indexes.
            named = [table.alias() for _ in names.GROUPS]
            each = [_group(attribute, a, s, parts[0]) for a, s in zip(named, names.GROUPS, strict=True)]
            return table.c.id.in_(union_all(*(select(a.c.id).where(c) for a, c in zip(named, each, strict=True))))
        return or_(*(_group(attribute, table, suffix, parts[0]) for suffix in names.GROUPS))
    return and_(*(_group(attribute, table, *pair) for pair in zip(names.GROUPS, parts, strict=False)))


def _group(attribute: Attribute, table: FromClause, suffix: str, text: str) -> Condition:
    if text in _EVERYTHING:
        return true()
    match = wildcards.matches_any if attribute.many else wildcards.matches
    return match(table.c[attribute.column + suffix], text, names.fold)


def _by_words(attribute: Attribute, table: FromClause, text: str) -> Condition:
    """Fuzzy matching: every word of the key, in any order, begins a word of the name or sounds like one.

    So in the alphabetic group; the others, where they are given, match as ever.
    """
    first, *others = text.split("=")[:3]
    found = [word for word in _WORD.findall(names.plain(first)) if word.strip("*?")]
    if not found:
        return false()
    if len(found) > MAX_WORDS:
        raise unusable(attribute, f"has over {MAX_WORDS} words")
    column = table.c[attribute.column + names.WORDS]
    groups = zip(names.GROUPS[1:], (group.strip(" ").rstrip("^ ") for group in others), strict=False)
    return and_(*(_word(column, word) for word in found), *(_group(attribute, table, *pair) for pair in groups))


def _word(column: ColumnElement[str], word: str) -> Condition:
    begins = wildcards.matches(column, f"* {word.rstrip('*')}*")
    code = names.sound(word)
    return or_(begins, wildcards.matches(column, f"* {code} *")) if code else begins


_Rule = Callable[[Attribute, ColumnElement[str], Sequence[str]], Condition]
_RULES: dict[str, _Rule] = {
    "AE": _text, "AS": _text, "CS": _text, "DA": _span, "DS": _decimal, "IS": _number, "LO": _text, "LT": _text,
    "SH": _text, "TM": _time, "UI": _uid, "US": _number,
}  # fmt: skip
"""By VR; names look at several columns, sequences at their items."""
