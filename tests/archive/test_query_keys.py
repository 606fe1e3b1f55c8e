"""Keys that are not plain attributes: derived, combined, in sequences, about the query, or of no use here."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from pacs_tui.archive import keys, query
from pacs_tui.archive.archive import Archive
from pacs_tui.archive.attributes import BY_KEYWORD
from pacs_tui.errors import Refused
from pacs_tui.model.find import FindAnswer, FindRequest
from pacs_tui.model.level import Level, Root
from pacs_tui.model.tag import Column, Element
from pacs_tui.settings import ArchiveSettings
from tests.archive.conftest import CT, EXPLICIT, Keys, ask, put

STUDY_UID = Element(0x0020000D, "UI")


def request(
    *elements: Element, level: Level = Level.STUDY, relational: bool = False, combined: bool = False
) -> FindRequest:
    root = Root.PATIENT if level is Level.PATIENT else Root.STUDY
    return FindRequest("STA", root, level, elements, relational, combined)


def key(keyword: str, text: str = "") -> Element:
    return Element(BY_KEYWORD[keyword].tag, BY_KEYWORD[keyword].vr, text)


def column(answer: FindAnswer, keyword: str) -> list[str]:
    """What the rows say of one attribute."""
    place = [c.tag for c in answer.columns].index(BY_KEYWORD[keyword].tag)
    return [row[place] for row in answer.rows]


def studies(archive: Archive, *elements: Element, combined: bool = False) -> str:
    """The places of the studies found, ascending."""
    found = column(archive.find(request(STUDY_UID, *elements, combined=combined)), "StudyInstanceUID")
    return "".join(sorted(uid.removeprefix("1.2.") for uid in found))


def store(archive: Archive, *rows: dict[str, str]) -> None:
    for number, more in enumerate(rows, 1):
        attributes: Keys = {"PatientID": str(number), **more}
        put(archive, study=f"1.2.{number}", series=f"1.2.{number}.1", instance=f"1.2.{number}.1.1", **attributes)


# ---------------------------------------------------------------------- keys of no use


UNUSABLE = [
    (Element(0x00321064, "SQ", "", ((Element(0x00080100, "SH", "CT1"),),)), "(0008,0100)", "00321064"),
    (Element(0x00181060, "DS", "80"), "(0018,1060)", "00181060"),
    (Element(0x00091001, "UN", "private"), "(0009,1001)", "00091001"),
    (Element(0x00081032, "SQ", "", ((Element(0x00080103, "SH", "1"),),)), "(0008,0103)", "00081032"),
    (Element(0x00100020, "SQ", "", ((Element(0x00100020, "LO", "1"),),)), "(0010,0020)", "00100020"),
]


@pytest.mark.parametrize(("element", "named", "offending"), UNUSABLE)
def test_a_key_that_cannot_be_used_fails_closed(archive: Archive, element: Element, named: str, offending: str) -> None:
    store(archive, {})
    with pytest.raises(Refused) as refusal:
        archive.find(request(STUDY_UID, element))
    assert refusal.value.status == 0xA900
    assert named in str(refusal.value)
    assert len(str(refusal.value)) <= 64
    assert refusal.value.facts["element"] == offending


@pytest.mark.parametrize(("element", "named", "offending"), UNUSABLE)
def test_a_key_that_cannot_be_used_is_ignored_and_told(
    make: Callable[..., Archive], element: Element, named: str, offending: str
) -> None:
    archive = make(options=ArchiveSettings(unsupported_keys="ignore"))
    store(archive, {}, {})
    answer = archive.find(request(STUDY_UID, element))
    assert answer.unsupported
    assert len(list(answer.rows)) == 2
    assert [f"{each.tag:08X}" for each in keys.unsupported(request(element))] == [offending]


@pytest.mark.parametrize(
    "element",
    [
        Element(0x00080005, "CS", "ISO_IR 100"), Element(0x00080052, "CS", "STUDY"),
        Element(0x00080053, "CS", "CLASSIC"), Element(0x00080201, "SH", "+0100"), Element(0x00090010, "LO", "ACME 1.1"),
        Element(0x00090000, "UL", "12"),
        Element(0xFFFCFFFC, "OB", "\0\0"), Element(0x00181060, "DS", ""), Element(0x00181060, "DS", "*"),
        Element(0x00321064, "SQ"), Element(0x00321064, "SQ", "", ((Element(0x00080100, "SH", "*"),),)),
    ],
)  # fmt: skip
def test_what_is_no_matching_key_changes_nothing(archive: Archive, element: Element) -> None:
    store(archive, {})
    answer = archive.find(request(STUDY_UID, element))
    assert not answer.unsupported
    assert len(list(answer.rows)) == 1


# ---------------------------------------------------------------------- what the archive derives


@pytest.mark.parametrize(
    ("keyword", "text", "count"),
    [
        ("InstanceAvailability", "ONLINE", 2), ("InstanceAvailability", "NEARLINE", 0),
        ("InstanceAvailability", "OFFLINE\\ONLINE", 2), ("InstanceAvailability", "ON*", 2),
        ("RetrieveAETitle", "STA", 2), ("RetrieveAETitle", "OTHER", 0), ("RetrieveAETitle", "S?A", 2),
        ("NumberOfStudyRelatedInstances", "2", 1), ("NumberOfStudyRelatedInstances", "02\\1", 2),
        ("NumberOfStudyRelatedSeries", "1", 2), ("NumberOfStudyRelatedSeries", "many", 0),
        ("NumberOfPatientRelatedStudies", "2", 2), ("NumberOfPatientRelatedStudies", "1", 0),
        ("NumberOfPatientRelatedInstances", "3", 2), ("NumberOfPatientRelatedSeries", "3", 0),
        ("SOPClassUID", CT, 2), ("SOPClassUID", "1.2.3\\1.9.1", 1), ("SOPClassUID", "1.2", 0),
        ("AvailableTransferSyntaxUID", EXPLICIT, 2), ("AvailableTransferSyntaxUID", "1.2.840.10008.1.2", 0),
    ],
)  # fmt: skip
def test_derived_attributes_as_keys(archive: Archive, keyword: str, text: str, count: int) -> None:
    put(archive)
    put(archive, instance="1.2.1.1.2", SOPClassUID="1.9.1")
    put(archive, study="1.2.2", series="1.2.2.1", instance="1.2.2.1.1")
    assert len(studies(archive, key(keyword, text))) == count


def test_derived_attributes_as_keys_of_patients(archive: Archive) -> None:
    store(archive, {}, {})
    put(archive, study="1.2.3", series="1.2.3.1", instance="1.2.3.1.1", PatientID="2")
    for keyword, text, patients in (
        ("NumberOfPatientRelatedStudies", "2", ["2"]),
        ("NumberOfPatientRelatedInstances", "1", ["1"]),
        ("NumberOfStudyRelatedInstances", "1", ["1", "2"]),
        ("RetrieveAETitle", "NOBODY", []),
        ("StudyInstanceUID", "1.2.3\\1.2.9", ["2"]),
        ("SOPInstanceUID", "1.2.1.1.1", ["1"]),
        ("SOPClassUID", "1.2.9", []),
    ):
        found = column(archive.find(request(key("PatientID"), key(keyword, text), level=Level.PATIENT)), "PatientID")
        assert sorted(found) == patients, keyword


def test_a_patient_is_as_the_youngest_study_says(archive: Archive) -> None:
    put(archive, PatientName="MEIER^ANNA", PatientSex="F")
    put(archive, study="1.2.2", series="1.2.2.1", instance="1.2.2.1.1", PatientName="BECK^ANNA", PatientSex="")
    patient: Keys = {"PatientSex": "", "NumberOfPatientRelatedStudies": ""}
    [row] = ask(archive, Level.PATIENT, Root.PATIENT, PatientName="BECK*", **patient)
    assert (row["PatientSex"], row["NumberOfPatientRelatedStudies"]) == ("F", "2")
    assert ask(archive, Level.PATIENT, Root.PATIENT, PatientName="MEIER*") == []
    rows = ask(archive, Level.STUDY, PatientName="MEIER*", StudyInstanceUID="")
    assert [row["StudyInstanceUID"] for row in rows] == ["1.2.1"], "a study says what it was sent with"


def test_the_timezone_of_a_study_comes_with_it(archive: Archive) -> None:
    store(archive, {"TimezoneOffsetFromUTC": "+0100"}, {})
    rows = ask(archive, Level.STUDY, TimezoneOffsetFromUTC="-0500", StudyInstanceUID="")
    assert [row["TimezoneOffsetFromUTC"] for row in rows] == ["", "+0100"]


# ---------------------------------------------------------------------- combined date and time


MOMENTS = (("20260101", "0800"), ("20260101", "1200"), ("20260102", "0700"), ("20260103", "1100"), ("20260102", ""))


@pytest.mark.parametrize(
    ("date", "time", "apart", "together"),
    [
        ("20260101-20260103", "1000-1030", "", "235"),
        ("20260101-20260103", "1000-1100", "4", "2345"),
        ("20260101-20260103", "1000-", "24", "2345"),
        ("20260101-20260103", "-1059", "13", "1235"),
        ("20260101-", "1000-", "24", "2345"),
        ("-20260102", "-0700", "3", "123"),
        ("20260101", "0800", "1", "1"),
        ("20260101", "0700-0900", "1", "1"),
        ("20260102-20260102", "000000-235959.999999", "3", "35"),
        ("20260102", "1000", "", ""),
        ("20260101\\20260103", "1000-1200", "24", "24"),
        ("20260101-20260102", "", "1235", "1235"),
    ],
)
def test_a_date_and_its_time_are_one_moment_where_that_was_agreed(
    archive: Archive, date: str, time: str, apart: str, together: str
) -> None:
    store(archive, *({"StudyDate": d, "StudyTime": t} for d, t in MOMENTS))
    asked = (key("StudyDate", date), key("StudyTime", time))
    assert studies(archive, *asked) == apart
    assert studies(archive, *asked, combined=True) == together


def test_other_dates_are_combined_too(archive: Archive) -> None:
    store(archive, {"SeriesDate": "20260101", "SeriesTime": "23"}, {"SeriesDate": "20260102", "SeriesTime": "01"})
    asked = (key("SeriesDate", "20260101-20260102"), key("SeriesTime", "2230-0030"))
    assert studies(archive, *asked, combined=True) == "1"
    assert studies(archive, *asked) == ""


def test_a_time_without_its_date_is_refused(archive: Archive) -> None:
    with pytest.raises(Refused, match="StudyTime has an end to which StudyDate has none") as refusal:
        studies(archive, key("StudyDate", "20260101-"), key("StudyTime", "0800-1000"), combined=True)
    assert (refusal.value.status, refusal.value.facts["element"]) == (0xA900, "00080030")
    assert len(str(refusal.value)) <= 64


# ---------------------------------------------------------------------- sequences


def requested(*items: dict[str, str]) -> str:
    """A Request Attributes Sequence as a header gives it."""
    tags = {"step": "00400009", "procedure": "00401001", "description": "00321060", "accession": "00080050"}
    return "".join("\x1e" + "".join(f"{tags[k]}={v}\x1f" for k, v in item.items()) for item in items)


def item(**values: str) -> tuple[tuple[Element, ...], ...]:
    tags = {"step": 0x00400009, "procedure": 0x00401001, "description": 0x00321060, "accession": 0x00080050}
    return (tuple(Element(tags[k], "LO" if k == "description" else "SH", v) for k, v in values.items()),)


def sequence(*items: tuple[Element, ...]) -> Element:
    return Element(0x00400275, "SQ", "", items)


@pytest.mark.parametrize(
    ("values", "places"),
    [
        ({"procedure": "R1"}, "1"), ({"procedure": "R2"}, "12"), ({"procedure": "R*"}, "123"),
        ({"procedure": "R?"}, "123"),
        ({"procedure": "R1", "step": "S1"}, "1"), ({"procedure": "R1", "step": "S2"}, ""), ({"step": "S2"}, "12"),
        ({"procedure": "R1\\R3"}, "13"), ({"procedure": "R"}, ""), ({"procedure": "r1"}, ""), ({"step": '""'}, "3"),
        ({"description": "CT (50% *"}, "3"), ({"description": "CT.*"}, ""), ({"procedure": "R3*S"}, ""),
        ({"procedure": "*", "step": ""}, "1234"), ({"description": "*dose*"}, "3"), ({"accession": "A"}, ""),
    ],
)  # fmt: skip
def test_the_keys_in_an_item_have_to_match_one_item(archive: Archive, values: dict[str, str], places: str) -> None:
    one, two = {"procedure": "R1", "step": "S1"}, {"procedure": "R2", "step": "S2"}
    three = {"procedure": "R3", "description": "CT (50% dose)"}
    store(archive, *({"RequestAttributesSequence": s} for s in (requested(one, two), requested(two), requested(three))))
    store_last: Keys = {"RequestAttributesSequence": "rubbish\x1f\x1e"}
    put(archive, study="1.2.4", series="1.2.4.1", instance="1.2.4.1.1", **store_last)
    assert studies(archive, sequence(*item(**values))) == places


def answered(archive: Archive, element: Element, uid: str) -> tuple[Column, str]:
    above = Element(0x0020000D, "UI", uid)
    answer = archive.find(request(above, Element(0x0020000E, "UI"), element, level=Level.SERIES))
    place = [c.tag for c in answer.columns].index(0x00400275)
    [row] = answer.rows
    return answer.columns[place], row[place]


def test_a_sequence_comes_back_with_what_was_asked_of_the_items_that_match(archive: Archive) -> None:
    one, two = {"procedure": "R1", "step": "S1"}, {"procedure": "R2", "step": "S2"}
    store(archive, {"RequestAttributesSequence": requested(one, two)}, {})
    shown, text = answered(archive, sequence(*item(step="", procedure="R2")), "1.2.1")
    assert shown.items == (Column(0x00400009, "SH"), Column(0x00401001, "SH"))
    assert text == "\x1eS2\x1fR2\x1f"
    shown, text = answered(archive, sequence(), "1.2.1")
    assert [c.tag for c in shown.items] == [0x00080050, 0x0020000D, 0x00321060, 0x00400007, 0x00400009, 0x00401001]
    assert text == "\x1e\x1f\x1f\x1f\x1fS1\x1fR1\x1f\x1e\x1f\x1f\x1f\x1fS2\x1fR2\x1f"
    assert answered(archive, sequence(), "1.2.2")[1] == ""
    shown, text = answered(archive, sequence((Element(0x00080103, "SH"), Element(0x00401001, "SH"))), "1.2.1")
    assert text == "\x1e\x1fR1\x1f\x1e\x1fR2\x1f", "what is not kept of an item is empty"


def test_a_sequence_with_two_items_is_no_key(archive: Archive) -> None:
    with pytest.raises(Refused, match="several items"):
        studies(archive, sequence(*item(step="1"), *item(step="2")))
    with pytest.raises(Refused, match="asterisks"):
        studies(archive, sequence(*item(step="a*b*c*d*e*f*g")))
    assert studies(archive, sequence((), ())) == ""


def test_a_very_long_sequence_is_kept_in_part(archive: Archive) -> None:
    items = [{"procedure": f"R{n}", "description": "x" * 64} for n in range(200)]
    store(archive, {"RequestAttributesSequence": requested(*items)})
    assert studies(archive, sequence(*item(procedure="R0"))) == "1"
    assert studies(archive, sequence(*item(procedure="R199"))) == ""
    assert answered(archive, sequence(*item(procedure="R15")), "1.2.1")[1] == "\x1eR15\x1f"


# ---------------------------------------------------------------------- how the database goes about it


def plan(folder: Path, archive: Archive, *elements: Element, level: Level = Level.STUDY) -> str:
    """SQLite's own words on how it would answer."""
    statement = query.statement(request(*elements, level=level), 1)
    with sqlite3.connect(folder / "index.db") as connection:
        connection.execute("PRAGMA case_sensitive_like=ON")
        sql = str(statement.compile(compile_kwargs={"literal_binds": True}))
        return "\n".join(str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}"))


@pytest.mark.parametrize(
    ("level", "elements", "index"),
    [
        (Level.STUDY, [key("PatientName", "SMITH^*")], "study_by_alphabetic"),
        (Level.STUDY, [key("PatientName", "SMITH^ANNA")], "study_by_ideographic"),
        (Level.STUDY, [key("PatientName", "SMI*")], "study_by_date"),
        (Level.STUDY, [key("PatientID", "47*")], "study_by_patient"),
        (Level.STUDY, [key("AccessionNumber", "A1?*")], "study_by_accession"),
        (Level.STUDY, [key("AccessionNumber", "A1")], "study_by_accession"),
        (Level.STUDY, [key("StudyDate", "20260101-20260131")], "study_by_date"),
        (Level.STUDY, [], "study_by_date"),
        (Level.STUDY, [key("SOPInstanceUID", "1.2.3")], "sqlite_autoindex_instance_1"),
        (Level.PATIENT, [], "patient_by_name"),
        (Level.PATIENT, [key("PatientName", "SMI*")], "patient_by_name"),
        (Level.PATIENT, [key("PatientID", "47")], "sqlite_autoindex_patient_1"),
    ],
)
def test_keys_that_begin_plainly_are_looked_up(
    tmp_path: Path, archive: Archive, level: Level, elements: Iterable[Element], index: str
) -> None:
    told = plan(tmp_path, archive, *elements, level=level)
    assert index in told
    assert "SCAN study\n" not in told + "\n"


def test_a_name_anywhere_in_the_text_is_one_scan(tmp_path: Path, archive: Archive) -> None:
    told = plan(tmp_path, archive, key("PatientName", "*MIT*"))
    assert told.count("SCAN") == 1
    assert "TEMP B-TREE" not in told, "rows leave in the order of the index, the first at once"
