"""Every kind of matching of PS3.4 C.2.2.2 but that of names, asked of a real index."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, event, literal, select
from sqlalchemy.pool import StaticPool

from pacs_tui.archive import matching, values, wildcards
from pacs_tui.archive.archive import Archive
from pacs_tui.errors import Refused
from pacs_tui.model.level import Level
from tests.archive.conftest import Keys, ask, put


def store(archive: Archive, *rows: dict[str, str]) -> None:
    """One study for each row of attributes; its UID tells its place."""
    for number, given_attributes in enumerate(rows, 1):
        uid = f"1.2.{number}"
        attributes: Keys = {"PatientID": str(number), **given_attributes}
        put(archive, study=uid, series=f"{uid}.1", instance=f"{uid}.1.1", **attributes)


def found(archive: Archive, **keys: str) -> str:
    """The places of the studies found, ascending."""
    asked: Keys = {"StudyInstanceUID": "", **keys}
    rows = ask(archive, Level.STUDY, **asked)
    return "".join(sorted(row["StudyInstanceUID"].removeprefix("1.2.") for row in rows))


@pytest.mark.parametrize(
    ("key", "places"),
    [
        ("20260101", "1"), ("20260101-", "123"), ("-20260131", "12"), ("20260102-20260131", "2"),
        ("20260101\\20261231", "13"), ("2026.01.01", "1"), (" 20260101 - 20260131 ", "12"), ("*", "12345"),
        ("20270101-", ""),
    ],
)  # fmt: skip
def test_dates_singly_and_in_ranges(archive: Archive, key: str, places: str) -> None:
    store(archive, *({"StudyDate": d} for d in ("20260101", "2026.01.31", "20261231", "", "unknown")))
    assert found(archive, StudyDate=key) == places


@pytest.mark.parametrize(
    ("key", "places"),
    [
        ("1012", "12"), ("101230", "2"), ("10", "123"), ("10:12", "12"), ("101230.5", "3"), ("-1012", "124"),
        ("1012-", "1235"), ("1012-1013", "123"), ("100000-101229.999999", "1"), ("101230.4-", "35"), ("*", "123456"),
    ],
)  # fmt: skip
def test_times_of_any_precision(archive: Archive, key: str, places: str) -> None:
    times = ("1012", "101230", "101330.5", "09", "23:59:59.999999", "")
    keys = {"101230.5": "101330.5"}
    store(archive, *({"StudyTime": t} for t in times))
    assert found(archive, StudyTime=keys.get(key, key)) == places


@pytest.mark.parametrize("key", ["2026-11-20", "yesterday", "2026*", "20260101-soon", "202601010", "-", "20260101\\-"])
def test_a_date_that_is_none_is_refused_in_a_sentence(archive: Archive, key: str) -> None:
    with pytest.raises(Refused, match=r"StudyDate .* is neither a value nor a range") as refusal:
        found(archive, StudyDate=key)
    assert refusal.value.status == 0xA900
    assert refusal.value.facts["element"] == "00080020"
    assert len(str(refusal.value)) <= 64


@pytest.mark.parametrize(
    ("key", "places"),
    [
        ("1.2.1", "1"), ("1.2.1\\1.2.3", "13"), ("1.2.9", ""), ("1.2", ""), ("1.2.*", ""), ("*", "123"),
        ("1.2.1\\' OR 1=1 --", "1"), ("\\".join(f"1.2.{n}" for n in range(2, 5000)), "23"),
    ],
)  # fmt: skip
def test_lists_of_uids(archive: Archive, key: str, places: str) -> None:
    store(archive, {}, {}, {})
    assert found(archive, StudyInstanceUID=key) == places


def test_more_values_than_a_statement_takes_are_refused(archive: Archive) -> None:
    with pytest.raises(Refused, match="values"):
        found(archive, StudyInstanceUID="1.2\\" * (matching.MAX_VALUES + 1))


@pytest.mark.parametrize(
    ("key", "places"),
    [
        ("50% *", "1"), ("50% dose", "1"), ("?_b", "3"), ("a_b", "3"), ("*_*", "3"), ("*%*", "1"), ("*!*", "4"),
        ("50*", "12"), ("a?b", "35"), ("A_B", ""), ("*'*", "6"), ("[a]*", ""), ("5*e", "12"), ("50?d*", "2"),
        ("a_b\\axb", "35"), ("50*\\Stop!", "124"), ('""', "7"), ('""\\a_b', "37"),
    ],
)  # fmt: skip
def test_wildcards_of_sql_mean_nothing_and_case_counts(archive: Archive, key: str, places: str) -> None:
    texts = ("50% dose", "50 dose", "a_b", "Stop!", "axb", "O'NEILL", "")
    store(archive, *({"StudyDescription": text} for text in texts))
    assert found(archive, StudyDescription=key) == places


@pytest.mark.parametrize(
    ("key", "places"),
    [("CT", "13"), ("CT\\MR", "123"), ("C?", "13"), ("S*", "3"), ("C*R", ""), ("XA", ""), ("*", "123"), ("T", "")],
)
def test_modalities_in_study(archive: Archive, key: str, places: str) -> None:
    store(archive, {"Modality": "CT"}, {"Modality": "MR"}, {"Modality": "CT"})
    put(archive, study="1.2.3", series="1.2.3.2", instance="1.2.3.2.1", Modality="SR")
    assert found(archive, ModalitiesInStudy=key) == places


def test_sop_classes_in_study_match_whole_uids(archive: Archive) -> None:
    store(archive, {"SOPClassUID": "1.9.1"}, {"SOPClassUID": "1.9.11"})
    assert found(archive, SOPClassesInStudy="1.9.1") == "1"
    assert found(archive, SOPClassesInStudy="1.9.1\\1.9.11") == "12"
    assert found(archive, SOPClassesInStudy="9.1") == ""


def test_numbers_match_as_numbers(archive: Archive) -> None:
    put(archive, SeriesNumber="007")
    put(archive, series="1.2.1.2", instance="1.2.1.2.1", SeriesNumber="x")
    rows = ask(archive, Level.SERIES, StudyInstanceUID="1.2.1", SeriesNumber="7", NumberOfSeriesRelatedInstances="1")
    assert [r["SeriesNumber"] for r in rows] == ["7"]
    assert ask(archive, Level.SERIES, StudyInstanceUID="1.2.1", SeriesNumber="seven") == []
    assert len(ask(archive, Level.SERIES, StudyInstanceUID="1.2.1", SeriesNumber='""')) == 1
    rows = ask(archive, Level.SERIES, StudyInstanceUID="1.2.1", SeriesNumber="")
    assert [r["SeriesNumber"] for r in rows] == ["7", ""], "what is no number is unknown, and stands last"


@pytest.mark.parametrize(
    ("key", "places"), [("70", "1"), ("70.0\\+82.5", "12"), ("7e1", "1"), ("seventy", ""), ("7*", "")]
)
def test_decimals_match_as_numbers(archive: Archive, key: str, places: str) -> None:
    store(archive, {"PatientWeight": "070.00"}, {"PatientWeight": "82.5"}, {"PatientWeight": "much"}, {})
    assert found(archive, PatientWeight=key) == places


@pytest.mark.parametrize(
    ("key", "places"),
    [
        ("A1", "1"), ("B*", "13"), ("A*3", ""), ("A?", "1"), ("*2", "1"), ("%", ""), ("X\\B2", "1"), ("B2*", "1"),
        ("B", ""), ("b*", ""), ("A1*B2", ""), ('""', "4"),
    ],
)  # fmt: skip
def test_one_of_several_values_has_to_match_alone(archive: Archive, key: str, places: str) -> None:
    store(archive, *({"OtherPatientIDs": ids} for ids in ("A1\\B2", "C3", " B4 \\C3", "")))
    assert found(archive, OtherPatientIDs=key) == places
    [row] = ask(archive, Level.STUDY, StudyInstanceUID="1.2.1", OtherPatientIDs="")
    assert row["OtherPatientIDs"] == "A1\\B2"


def test_a_pattern_whose_cost_multiplies_is_refused(archive: Archive) -> None:
    with pytest.raises(Refused, match="OtherPatientIDs has over 4 asterisks"):
        found(archive, OtherPatientIDs="a*a*a*a*a*a*b")


def test_a_backslash_is_text_in_a_long_text(archive: Archive) -> None:
    store(archive, {"PatientComments": r"C:\DIR"}, {"PatientComments": "C:"})
    assert found(archive, PatientComments=r"C:\DIR") == "1"
    assert found(archive, PatientComments="C:*") == "12"


def test_text_with_bytes_no_database_takes(archive: Archive) -> None:
    store(archive, {"StudyDescription": "CHEST\0\0", "PatientName": "A\ud800B"})
    assert found(archive, StudyDescription="CHEST\0", PatientName="A\ud800B") == "1"


@pytest.fixture(scope="module")
def like() -> Callable[[str, str], bool]:
    """Asks the database whether a text matches a wildcard text."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    event.listen(engine, "connect", lambda c, _: c.execute("PRAGMA case_sensitive_like=ON"))
    connection = engine.connect()
    return lambda text, key: bool(connection.scalar(select(wildcards.matches(literal(text), key))))


@pytest.fixture(scope="module")
def among() -> Callable[[str, str], bool]:
    """Asks the database whether one of the values in a text matches a wildcard text."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    event.listen(engine, "connect", lambda c, _: c.execute("PRAGMA case_sensitive_like=ON"))
    connection = engine.connect()
    return lambda text, key: bool(connection.scalar(select(wildcards.matches_any(literal(text), key))))


_ALPHABET = st.text(st.sampled_from("aAbéΣ山%_!\\'[]^$.*? "), max_size=10)


@settings(max_examples=500, deadline=None)
@given(text=_ALPHABET, key=_ALPHABET)
def test_wildcards_mean_what_the_standard_says(like: Callable[[str, str], bool], text: str, key: str) -> None:
    reference = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in key)
    assert like(text, key) == bool(re.fullmatch(reference, text, re.DOTALL))


@settings(max_examples=500, deadline=None)
@given(text=_ALPHABET, key=_ALPHABET)
def test_wildcards_among_several_values_mean_the_same(among: Callable[[str, str], bool], text: str, key: str) -> None:
    key = key.replace("\\", "")
    reference = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in key)
    assert among(text, key) == any(re.fullmatch(reference, value, re.DOTALL) for value in text.split("\\"))


@settings(deadline=None)
@given(st.text(max_size=5), st.text(max_size=5))
def test_what_begins_with_a_text_lies_before_the_first_text_behind(start: str, rest: str) -> None:
    end = wildcards.after(start)
    assert start <= start + rest < end if end else not start.strip(chr(0x10FFFF))


@settings(deadline=None)
@given(st.from_regex(r"\d\d(\d\d(\d\d(\.\d{1,6})?)?)?", fullmatch=True, alphabet="0123456789."))
def test_a_time_lies_between_its_ends(text: str) -> None:
    assert len(values.earliest(text)) == len(values.latest(text)) == 13
    assert values.earliest(text) <= values.latest(text)
    assert values.earliest(values.latest(text)) == values.latest(text)


@settings(deadline=None)
@given(st.text(max_size=80))
def test_cleaning_settles(text: str) -> None:
    once = values.cut("LO", text)
    assert values.cut("LO", once) == once
    assert len(once) <= 64
