"""Dates and times against single values and ranges (PS3.4 C.2.2.2.5), and both together as one moment."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import ColumnElement, String, and_, func, literal_column, or_

from pacs_tui.archive import values
from pacs_tui.archive.wildcards import Condition

_MIDNIGHT = literal_column("'000000.000000'", String)
_FIRST, _LAST = values.earliest("00"), values.latest("23")

Ends = tuple[str, str]
"""The first and last value of a range; empty where it is open."""


def ends(vr: str, text: str) -> Ends | None:
    """What a DA or TM key spans; None for what is neither a value nor a range, as a hyphen alone."""
    first, last = _READERS[vr]
    start, hyphen, end = (part.strip(" ") for part in text.partition("-"))
    low, high = first(start), last(end if hyphen else start)
    if (start and not low) or (end and not high) or not (low or high):
        return None
    return low, high


def moment(column: ColumnElement[str]) -> ColumnElement[str]:
    """A time as it is kept, written out to the microsecond."""
    return column + func.substr(_MIDNIGHT, func.length(column) + 1)


def inside(column: ColumnElement[str], span: Ends) -> Condition:
    """A value within a range; both ends belong to it. An unknown value lies in none, not even in one open to it."""
    low, high = span
    condition: Condition = column >= low if low else column != ""
    return and_(condition, column <= high) if high else condition


def together(date: ColumnElement[str], time: ColumnElement[str], dates: Ends, times: Ends) -> Condition | None:
    """A date and its time within one range of moments; None where a time has no date to stand beside.

    An unknown time lies within a day that is in the range as a whole.
    """
    if any(of_time and not of_date for of_date, of_time in zip(dates, times, strict=True)):
        return None
    condition = inside(date, dates)
    if times[0] > _FIRST:
        condition = and_(condition, or_(date > dates[0], and_(time != "", moment(time) >= times[0])))
    if times[1] and times[1] < _LAST:
        condition = and_(condition, or_(date < dates[1], and_(time != "", moment(time) <= times[1])))
    return condition


_READERS: dict[str, tuple[Callable[[str], str], Callable[[str], str]]] = {
    "DA": (values.date, values.date),
    "TM": (values.earliest, values.latest),
}
