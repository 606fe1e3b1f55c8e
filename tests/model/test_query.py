"""The one-line language, and the queries below and beside it."""

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pacs_tui.errors import QueryError
from pacs_tui.model.level import Level, Root
from pacs_tui.model.match import Match
from pacs_tui.model.query import FIELDS, RETURN_KEYS, Query, by_uid, children, parse
from pacs_tui.model.text import printable
from pacs_tui.model.transfer import is_uid

TODAY = date(2026, 11, 22)


def sent(line: str, today: date = TODAY) -> dict[str, str]:
    return dict(parse(line, today).matching)


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        ("", {}),
        ("smi", {"PatientName": "SMI*"}),
        ("meier anna", {"PatientName": "MEIER*ANNA*"}),
        ("Meier, Anna", {"PatientName": "MEIER*ANNA*"}),
        ("meier^anna", {"PatientName": "MEIER^ANNA*"}),
        ("müller anna", {"PatientName": "müller*ANNA*"}),
        ("山田", {"PatientName": "山田*"}),
        ("smi*th", {"PatientName": "smi*th"}),
        ("*mei anna", {"PatientName": "*mei*ANNA*"}),
        ("name:mei anna", {"PatientName": "MEI*ANNA*"}),
        ("anna mod:ct name:mei", {"PatientName": "ANNA*MEI*", "ModalitiesInStudy": "CT"}),
        ('name:"Meier^Anna"', {"PatientName": "Meier^Anna"}),
        ('"Meier^Anna"', {"PatientName": "Meier^Anna"}),
        ("NAME:mei", {"PatientName": "MEI*"}),
        ("id:4711", {"PatientID": "4711"}),
        ("id: 4711 mod: ct", {"PatientID": "4711", "ModalitiesInStudy": "CT"}),
        ("id:47*", {"PatientID": "47*"}),
        ("acc:A-77812", {"AccessionNumber": "A-77812"}),
        ("mod:CT,mr", {"ModalitiesInStudy": "CT\\MR"}),
        ("desc:chest", {"StudyDescription": "*chest*"}),
        ("desc:chest*", {"StudyDescription": "chest*"}),
        ('desc:"chest w contrast"', {"StudyDescription": "chest w contrast"}),
        ("uid:1.2.3", {"StudyInstanceUID": "1.2.3"}),
        ("uid:1.2.3,1.2.4", {"StudyInstanceUID": "1.2.3\\1.2.4"}),
        ("1.2.840.113", {"StudyInstanceUID": "1.2.840.113"}),
        ("1.2.840", {"PatientName": "1.2.840*"}),
        ("series:1.2.3", {"SeriesInstanceUID": "1.2.3"}),
        ("study:7", {"StudyID": "7"}),
        ("birth:1961-02-03", {"PatientBirthDate": "19610203"}),
        ("sex:f", {"PatientSex": "F"}),
        ("sex:Male", {"PatientSex": "M"}),
        ("ref:weiss", {"ReferringPhysicianName": "WEISS*"}),
        ("O'Brien", {"PatientName": "O'BRIEN*"}),
        ("time:08:00-10:00", {"StudyTime": "080000-100000"}),
        ("a\tb", {"PatientName": "A*B*"}),
    ],
)
def test_a_line_becomes_keys(line: str, keys: dict[str, str]) -> None:
    assert sent(line) == keys


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("today", "20261122"),
        ("YESTERDAY", "20261121"),
        ("-7d", "20261115-"),
        ("-2w", "20261108-"),
        ("-3m", "20260822-"),
        ("-1y", "20251122-"),
        ("20260101", "20260101"),
        ("2026-01-01", "20260101"),
        ("20260101-", "20260101-"),
        ("2026-01-01-", "20260101-"),
        ("-20260101", "-20260101"),
        ("2026-11-01..2026-11-20", "20261101-20261120"),
        ("20261101-20261120", "20261101-20261120"),
        ("-7d..yesterday", "20261115-20261121"),
        ("2026-11-01..", "20261101-"),
        ("..2026-11", "-20261130"),
        ("2026", "20260101-20261231"),
        ("2026-", "20260101-"),
        ("2026-11", "20261101-20261130"),
        ("2024-02", "20240201-20240229"),
        ("2025-2026", "20250101-20261231"),
        ("2025-12..2026-01", "20251201-20260131"),
    ],
)
def test_dates_become_ranges(typed: str, value: str) -> None:
    assert sent(f"date:{typed}") == {"StudyDate": value}


def test_a_month_ago_stays_within_the_month() -> None:
    assert sent("date:-1m", date(2026, 3, 31)) == {"StudyDate": "20260228-"}
    assert sent("date:-12m", date(2024, 2, 29)) == {"StudyDate": "20230228-"}


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("8", "080000-085959"),
        ("08:00", "080000-080059"),
        ("0800", "080000-080059"),
        ("080001", "080001"),
        ("8-10", "080000-100000"),
        ("08:30-", "083000-"),
        ("-10:00", "-100000"),
    ],
)
def test_times_become_ranges(typed: str, value: str) -> None:
    assert sent(f"time:{typed}") == {"StudyTime": value}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("nmae:meier", "There is no field 'nmae:'; did you mean 'name:'?"),
        ("qqqq:x", "There is no field 'qqqq:'; there are name:, id:"),
        ("date:tomorrow", "The date 'tomorrow' cannot be read; write one of: today"),
        ("date:2026-13-01", "cannot be read"),
        ("date:20260230", "cannot be read"),
        ("date:-", "cannot be read"),
        ("date:..", "cannot be read"),
        ("date:-99999y", "cannot be read"),
        ("date:٢٠٢٦", "cannot be read"),
        ("date:2026-11-20..2026-11-01", "from 2026-11-20 to 2026-11-01 ends before it begins"),
        ("time:25", "The time '25' cannot be read; write one of: 08:00"),
        ("time:-", "cannot be read"),
        ("time:22-02", "a range cannot pass midnight"),
        ("birth:old", "The date 'old' cannot be read"),
        ("sex:x", "write sex:F, sex:M or sex:O"),
        ("mod:C-T", "is not a modality"),
        ("mod:CT,", "is not a modality"),
        ("uid:1.2.*", "is not a UID: digits and dots without wildcards"),
        ("uid:" + "1." * 40 + "1", "is not a UID"),
        ("1..2.3.4", "is not a UID"),
        ("a\\b", "A backslash cannot be sent"),
        ("name:a\x1bb", "cannot be sent; the line takes printable text only"),
        ('"a\x00"', "cannot be sent"),
        ("\udc80", "cannot be sent"),
        ("id:", "id: has no value; write for example id:text"),
        ("uid: mod:CT", "uid: has no value; write for example uid:1.2.840.1"),
        ('name:"', "The quotes in"),
        ('name:"a"b', "The quotes in"),
        ('me"ier', "The quotes in"),
        ('id:""', "id: has no value"),
        ('""', "name: has no value"),
        ("name:,", "name: has no value"),
        ("id:1 id:2", "id: is given twice"),
        ('"Meier^Anna" bert', "is quoted, so it is matched exactly"),
        ("12:30", "is no field and no name"),
        ("@all", "looks like a node"),
        ("id:" + "x" * 65, "The value of id: is too long; PatientID holds at most 64 characters"),
        ("acc:" + "x" * 17, "at most 16"),
        ("x" * 70, "at most 64"),
    ],
)
def test_what_cannot_be_read_is_named(line: str, sentence: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(line, TODAY)
    assert sentence in str(caught.value)
    assert printable(str(caught.value)) == str(caught.value)


words = st.lists(
    st.one_of(
        st.text(),
        st.builds(
            "{}:{}".format, st.sampled_from([field.name for field in FIELDS] + ["nope", ""]), st.text(max_size=20)
        ),
        st.builds(
            "{}:{}".format,
            st.sampled_from(["date", "birth", "time", "uid", "mod"]),
            st.text("0123456789-.:dwmy*?,\" '", max_size=12),
        ),
    ),
    max_size=4,
).map(" ".join)


@given(words, st.dates())
@example("date:-1d", date.min)
@example("date:-1m", date.min)
def test_nothing_but_query_errors_and_only_sendable_values(line: str, today: date) -> None:
    try:
        query = parse(line, today, 10)
    except QueryError:
        return
    assert (query.level, query.root, query.limit, query.text) == (Level.STUDY, Root.STUDY, 10, line)
    assert printable(query.sent) == query.sent
    for keyword, value in query.matching:
        assert value == value.strip()
        assert not re.search(r"[\x00-\x1f\x7f-\x9f]", value)
        assert "\\" not in value or keyword in ("ModalitiesInStudy", "StudyInstanceUID", "SeriesInstanceUID")
        if keyword.endswith("UID"):
            assert all(map(is_uid, value.split("\\")))
        if keyword.endswith("Date"):
            assert re.fullmatch(r"\d{8}|\d{8}-(\d{8})?|-\d{8}", value)
        if keyword == "StudyTime":
            assert re.fullmatch(r"\d{6}|\d{6}-(\d{6})?|-\d{6}", value)


def test_every_study_query_asks_for_all_return_keys_once() -> None:
    query = parse("smi series:1.2.3", TODAY)
    keywords = [keyword for keyword, _ in query.keys]
    assert keywords[: len(RETURN_KEYS[Level.STUDY])] == list(RETURN_KEYS[Level.STUDY])
    assert keywords[len(RETURN_KEYS[Level.STUDY]) :] == ["SeriesInstanceUID"]
    assert query.sent == "PatientName=SMI*  SeriesInstanceUID=1.2.3"


def test_every_keyword_is_in_the_dictionary_of_dicom() -> None:
    from pydicom.datadict import tag_for_keyword

    for keyword in [*(f.keyword for f in FIELDS), *(k for keys in RETURN_KEYS.values() for k in keys)]:
        assert tag_for_keyword(keyword), keyword


def match(level: Level, **values: str) -> Match:
    return Match(level, "CTN", values)


def test_children_carry_the_unique_keys_of_the_path() -> None:
    patient = match(Level.PATIENT, PatientID="4711", PatientName="A^B")
    study = match(Level.STUDY, StudyInstanceUID="1.2.3\0", PatientID="4711")
    series = match(Level.SERIES, SeriesInstanceUID="1.2.3.4")
    below_patient = children([patient])
    assert (below_patient.level, below_patient.root) == (Level.STUDY, Root.STUDY)
    assert below_patient.matching == (("PatientID", "4711"),)
    below_study = children([patient, study])
    assert below_study.level is Level.SERIES
    assert below_study.matching == (("StudyInstanceUID", "1.2.3"),)
    below_series = children([patient, study, series])
    assert below_series.level is Level.IMAGE
    assert dict(below_series.matching) == {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.4"}
    assert {keyword for keyword, _ in below_series.keys} >= set(RETURN_KEYS[Level.IMAGE])
    # A series row that repeats its study needs no study above it.
    assert children([match(Level.SERIES, SeriesInstanceUID="1.2", StudyInstanceUID="1.1")]).level is Level.IMAGE


def test_a_patient_without_an_id_is_asked_for_by_name() -> None:
    assert children([match(Level.PATIENT, PatientName="A^B")]).matching == (("PatientName", "A^B"),)
    with pytest.raises(QueryError, match="neither an ID nor a name"):
        children([match(Level.PATIENT, PatientID=" ")])


@pytest.mark.parametrize(
    "path",
    [
        [],
        [match(Level.IMAGE, SOPInstanceUID="1.2")],
        [match(Level.STUDY)],
        [match(Level.STUDY, StudyInstanceUID="1.2\\1.3")],
        [match(Level.STUDY, StudyInstanceUID="*")],
        [match(Level.SERIES, SeriesInstanceUID="1.2")],
    ],
)
def test_a_path_without_usable_keys_is_refused(path: list[Match]) -> None:
    with pytest.raises(QueryError):
        children(path)


def test_hierarchical_queries_by_uid() -> None:
    assert by_uid(Level.STUDY, "1.2") == Query(
        Level.STUDY,
        Root.STUDY,
        (("StudyInstanceUID", "1.2"), ("NumberOfStudyRelatedSeries", ""), ("NumberOfStudyRelatedInstances", "")),
    )
    instances = by_uid(Level.IMAGE, "1.2", "1.3", keys=["SOPClassUID", "Rows"])
    assert instances.keys == (
        ("StudyInstanceUID", "1.2"), ("SeriesInstanceUID", "1.3"), ("SOPInstanceUID", ""),
        ("SOPClassUID", ""), ("Rows", ""),
    )  # fmt: skip
    assert ("SOPInstanceUID", "1.4\\1.5") in by_uid(Level.IMAGE, "1.2", "1.3", "1.4\\1.5").keys
    assert ("SeriesInstanceUID", "") in by_uid(Level.SERIES, "1.2").keys


@pytest.mark.parametrize(
    ("level", "uids"),
    [
        (Level.SERIES, ("",)),
        (Level.IMAGE, ("1.2",)),
        (Level.IMAGE, ("1.2", "1.3", "x")),
        (Level.STUDY, ("1.2*",)),
        (Level.PATIENT, ("1.2",)),
    ],
)
def test_queries_by_uid_want_uids(level: Level, uids: tuple[str, ...]) -> None:
    with pytest.raises(QueryError):
        by_uid(level, *uids)
