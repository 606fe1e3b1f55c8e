"""Every kind of matching of PS3.4 C.2.2.2, asked of a real index."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, event, literal, select
from sqlalchemy.pool import StaticPool

from pacs_tui.archive import matching, values
from pacs_tui.archive.archive import Archive
from pacs_tui.errors import Refused
from pacs_tui.model.level import Level
from tests.archive.conftest import Keys, ask, put

JAPANESE = "Yamada^Tarou=山田^太郎=やまだ^たろう"
GREEK = "Διονυσιος^Παπάς"


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
        ("", "1234"), ("*", "1234"), ("**", "1234"), ("*^*", "1234"), ("==", "1234"), ("^^", "1234"),
        ("MEIER^ANNA", "1"), ("meier^anna", "1"), ("Meier^Anna^^^", "1"), ("MEIER", ""), ("MEIER*", "12"),
        ("*er*", "12"), ("M?IER^A*", "1"), ("MEIER^ANNA\\MEIER^B*", "12"), ("MEIER^ANNA\\", "1"),
        ("MEIER^ANNA\\*", "1234"), (" MEIER^ANNA ", "1"),
        ("yamada*", "3"), ("山田*", "3"), ("やまだ^たろう", "3"), ("*=山田*", "3"), ("=山田^太郎", "3"),
        ("YAMADA^TAROU=山田^太郎", "3"), ("yamada*=田*", ""), ("==やまだ*", "3"), ("山?^太郎", "3"),
        ("ΔΙΟΝΥΣΙΟΣ*", "4"), ("διονυσιος^*", "4"), ("*ΠΑΠΆΣ", "4"),
    ],
)  # fmt: skip
def test_names_in_any_case_and_every_group(archive: Archive, key: str, places: str) -> None:
    store(archive, *({"PatientName": n} for n in ("MEIER^ANNA", "Meier^Bert^^^", JAPANESE, GREEK)))
    assert found(archive, PatientName=key) == places


def test_names_come_back_as_they_were_written(archive: Archive) -> None:
    store(archive, {"PatientName": JAPANESE, "ReferringPhysicianName": GREEK})
    [row] = ask(archive, Level.STUDY, PatientName="山田*", ReferringPhysicianName="*ΠΑΠΆΣ")
    assert (row["PatientName"], row["ReferringPhysicianName"]) == (JAPANESE, GREEK)


def test_half_width_katakana_is_the_same_name(archive: Archive) -> None:
    store(archive, {"PatientName": "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎"})
    assert found(archive, PatientName="ヤマダ*") == "1"


@pytest.mark.parametrize(
    ("key", "places"),
    [
        ("20260101", "1"), ("20260101-", "123"), ("-20260131", "12"), ("20260102-20260131", "2"), ("-", "12345"),
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
        ("1012-", "1235"), ("1012-1013", "123"), ("100000-101229.999999", "1"), ("101230.4-", "35"), ("-", "123456"),
    ],
)  # fmt: skip
def test_times_of_any_precision(archive: Archive, key: str, places: str) -> None:
    times = ("1012", "101230", "101330.5", "09", "23:59:59.999999", "")
    keys = {"101230.5": "101330.5"}
    store(archive, *({"StudyTime": t} for t in times))
    assert found(archive, StudyTime=keys.get(key, key)) == places


@pytest.mark.parametrize("key", ["2026-11-20", "yesterday", "2026*", "20260101-soon", "202601010"])
def test_a_date_that_is_none_is_refused_in_a_sentence(archive: Archive, key: str) -> None:
    with pytest.raises(Refused, match=r"StudyDate .* is neither a value nor a range") as refusal:
        found(archive, StudyDate=key)
    assert refusal.value.status == 0xA900
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
        ("50*", "12"), ("a?b", "35"), ("A_B", ""), ("*'*", "6"), ("[a]*", ""),
    ],
)  # fmt: skip
def test_wildcards_of_sql_mean_nothing_and_case_counts(archive: Archive, key: str, places: str) -> None:
    texts = ("50% dose", "50 dose", "a_b", "Stop!", "axb", "O'NEILL")
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
    rows = ask(archive, Level.SERIES, StudyInstanceUID="1.2.1", SeriesNumber="")
    assert [r["SeriesNumber"] for r in rows] == ["7", ""], "what is no number is unknown, and stands last"


def test_text_with_bytes_no_database_takes(archive: Archive) -> None:
    store(archive, {"StudyDescription": "CHEST\0\0", "PatientName": "A\ud800B"})
    assert found(archive, StudyDescription="CHEST\0", PatientName="A\ud800B") == "1"


@pytest.fixture(scope="module")
def like() -> Callable[[str, str], bool]:
    """Asks the database whether a text matches a wildcard text."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    event.listen(engine, "connect", lambda c, _: c.execute("PRAGMA case_sensitive_like=ON"))
    connection = engine.connect()
    return lambda text, key: bool(connection.scalar(select(matching.text_matches(literal(text), key))))


_ALPHABET = st.text(st.sampled_from("aAbéΣ山%_!\\'[]^$.*? "), max_size=10)


@settings(max_examples=500, deadline=None)
@given(text=_ALPHABET, key=_ALPHABET)
def test_wildcards_mean_what_the_standard_says(like: Callable[[str, str], bool], text: str, key: str) -> None:
    reference = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in key)
    assert like(text, key) == bool(re.fullmatch(reference, text, re.DOTALL))


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
