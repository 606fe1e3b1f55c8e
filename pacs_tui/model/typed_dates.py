"""Dates and times as people type them -> the ranges DICOM matches (PS3.4 C.2.2.2.5)."""

from __future__ import annotations

import re
from datetime import date, timedelta

from pacs_tui.errors import QueryError

DATE_FORMS = "today, yesterday, -7d, -2w, -3m, -1y, 2026-11-20, 20261120, 2026-11, 2026, FROM..TO, FROM-, -TO"
TIME_FORMS = "08:00, 08, 0800, 080000, 08:00-10:00, 08:00-, -10:00"

_AGO = re.compile(r"-([0-9]{1,5})([dwmy])")
_DAY = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})")
_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})")
_YEAR = re.compile(r"[0-9]{4}")
_ONE = r"([0-9]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{4})"
_TWO_DATES = re.compile(f"{_ONE}-{_ONE}")
_TIME = re.compile(r"([0-9]{2}):?([0-9]{2})(?::?([0-9]{2}))?|([0-9]{1,2})")

_Span = tuple[date, date]


def date_range(text: str, today: date) -> str:
    """The DICOM date or date range a typed date means; QueryError lists what can be read.

    A time ago (`-7d`) means from that day on; a year or a month means all of its days.
    """
    typed = text.strip().lower()
    try:
        if _AGO.fullmatch(typed):
            return _range(_span(typed, today), None)
        if ends := _ends(typed):
            first, last = ends
            return _range(_span(first, today) if first else None, _span(last, today) if last else None)
        begin, end = _span(typed, today)
    except (ValueError, OverflowError):
        raise QueryError(f"The date {text!r} cannot be read; write one of: {DATE_FORMS}.") from None
    return _dicom(begin) if begin == end else f"{_dicom(begin)}-{_dicom(end)}"


def time_range(text: str) -> str:
    """The DICOM time range a typed time of day means; QueryError lists what can be read.

    An hour or a minute alone means all of it; as the end of a range it means its beginning.
    """
    typed = text.strip()
    try:
        first, dash, last = typed.partition("-")
        if not dash:
            begin, end = _clock(first)
            return begin if begin == end else f"{begin}-{end}"
        if not first and not last:
            raise ValueError
        begin, end = (_clock(first)[0] if first else ""), (_clock(last)[0] if last else "")
    except ValueError:
        raise QueryError(f"The time {text!r} cannot be read; write one of: {TIME_FORMS}.") from None
    if begin and end and begin > end:
        raise QueryError(f"The time {text!r} ends before it begins; a range cannot pass midnight.")
    return f"{begin}-{end}"


def _ends(typed: str) -> tuple[str, str] | None:
    """What stands on either side of the range sign; None where a dash belongs to a single date."""
    if ".." in typed:
        first, _, last = typed.partition("..")
        return first, last
    if typed.startswith("-"):
        return "", typed[1:]
    if typed.endswith("-"):
        return typed[:-1], ""
    found = _TWO_DATES.fullmatch(typed)
    return (found[1], found[2]) if found else None


def _span(typed: str, today: date) -> _Span:
    """First and last day of one typed date; ValueError or OverflowError where it is none."""
    if typed in ("today", "yesterday"):
        day = today - timedelta(days=typed == "yesterday")
        return day, day
    if found := _AGO.fullmatch(typed):
        day = _ago(today, int(found[1]), found[2])
        return day, day
    if found := _DAY.fullmatch(typed):
        day = date(*map(int, found.groups()))
        return day, day
    if found := _MONTH.fullmatch(typed):
        first = date(int(found[1]), int(found[2]), 1)
        return first, _month_end(first)
    if _YEAR.fullmatch(typed):
        return date(int(typed), 1, 1), date(int(typed), 12, 31)
    raise ValueError(typed)


def _ago(today: date, count: int, unit: str) -> date:
    if unit in "dw":
        return today - timedelta(days=count * (7 if unit == "w" else 1))
    months = today.year * 12 + today.month - 1 - count * (12 if unit == "y" else 1)
    first = date(months // 12, months % 12 + 1, 1)
    # A month ago on the 31st is the last day of a shorter month.
    return first.replace(day=min(today.day, _month_end(first).day))


def _month_end(first: date) -> date:
    if first.month == 12:
        return first.replace(day=31)
    return first.replace(month=first.month + 1) - timedelta(days=1)


def _range(first: _Span | None, last: _Span | None) -> str:
    if first is None and last is None:
        raise ValueError
    if first and last and first[0] > last[1]:
        raise QueryError(f"The range from {first[0]} to {last[1]} ends before it begins.")
    return f"{_dicom(first[0]) if first else ''}-{_dicom(last[1]) if last else ''}"


def _dicom(day: date) -> str:
    return f"{day.year:04}{day.month:02}{day.day:02}"


def _clock(typed: str) -> tuple[str, str]:
    """First and last second of one typed time of day."""
    found = _TIME.fullmatch(typed.strip())
    if not found:
        raise ValueError(typed)
    hour, minute, second = found[1] or found[4], found[2], found[3]
    if int(hour) > 23 or int(minute or 0) > 59 or int(second or 0) > 59:
        raise ValueError(typed)
    begin = f"{int(hour):02}{minute or '00'}{second or '00'}"
    return begin, f"{int(hour):02}{minute or '59'}{second or '59'}"
