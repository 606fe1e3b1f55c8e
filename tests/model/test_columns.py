"""What is shown of a match: sensible for good answers, harmless for bad ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_tui.model.columns import COLUMNS, SOP_CLASSES, TABLE_COLUMNS, cells, details, headings, row, sop_class
from pacs_tui.model.level import Level
from pacs_tui.model.match import Match
from pacs_tui.model.query import RETURN_KEYS
from pacs_tui.model.text import printable, width

STUDY = Match(
    Level.STUDY,
    "IMAGECTN",
    {
        "PatientName": "MEIER^ANNA",
        "PatientID": "4711",
        "StudyDate": "20261120",
        "StudyTime": "101112.00",
        "ModalitiesInStudy": "CT\\SR",
        "StudyDescription": "CHEST W CONTRAST",
        "AccessionNumber": "A-77812",
        "NumberOfStudyRelatedSeries": " 4 ",
        "NumberOfStudyRelatedInstances": "612",
        "StudyInstanceUID": "1.2.3",
    },
)


def test_a_study_row() -> None:
    assert cells(STUDY) == ("2026-11-20 10:11", "CT,SR", "CHEST W CONTRAST", "A-77812", "4 ser", "612 img")
    assert cells(STUDY, TABLE_COLUMNS[Level.STUDY], units=False)[:2] == ("MEIER^ANNA", "4711")
    assert cells(STUDY, TABLE_COLUMNS[Level.STUDY], units=False)[-3:] == ("4", "612", "1.2.3")


def test_a_patient_row_counts_in_words() -> None:
    patient = {"PatientName": "", "PatientID": "4711", "PatientBirthDate": "19610203", "PatientSex": "F"}
    one = Match(Level.PATIENT, "A", patient | {"NumberOfPatientRelatedStudies": "1"})
    two = Match(Level.PATIENT, "A", patient | {"NumberOfPatientRelatedStudies": "2"})
    assert cells(one) == ("(no name)", "4711", "1961-02-03", "F", "1 study")
    assert cells(two)[-1] == "2 studies"


def test_an_instance_row() -> None:
    instance = Match(
        Level.IMAGE,
        "A",
        {"InstanceNumber": "1", "Rows": "512", "Columns": "256", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2\0"},
    )
    assert cells(instance) == ("1", "256×512", "CT Image", "")
    assert ("Class", "CT Image (1.2.840.10008.5.1.4.1.1.2)") in details(
        Match(Level.IMAGE, "A", {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"})
    )
    assert sop_class("1.2.3") == "1.2.3"


def test_details_leave_out_what_is_empty() -> None:
    lines = dict(details(STUDY))
    assert lines["Node"] == "IMAGECTN"
    assert lines["Study UID"] == "1.2.3"
    assert "Institution" not in lines


def test_headings_stand_over_their_columns() -> None:
    columns = TABLE_COLUMNS[Level.STUDY]
    assert headings(columns).index("ACCESSION") == row(STUDY, columns, units=False).index("A-77812")


@pytest.mark.parametrize("level", list(Level))
def test_every_column_is_asked_for(level: Level) -> None:
    asked = {*RETURN_KEYS[level], "StudyInstanceUID", "SeriesInstanceUID"}
    for column in (*COLUMNS[level], *TABLE_COLUMNS[level]):
        assert asked.issuperset(column.keywords)
        assert width(column.heading) <= column.width


@pytest.mark.parametrize("level", list(Level))
def test_every_return_key_is_shown(level: Level) -> None:
    """A key that nobody sees would only slow the peer down."""

    class Recording(dict[str, str]):
        seen: set[str] = set()

        def get(self, key: str, default: str | None = None) -> str:  # type: ignore[override]
            self.seen.add(key)
            return "1"

    match = Match(level, "A", Recording())
    details(match)
    cells(match, TABLE_COLUMNS[level])
    assert Recording.seen >= set(RETURN_KEYS[level])


def test_the_names_of_sop_classes_belong_to_storage_classes() -> None:
    from pydicom.uid import UID

    for uid in SOP_CLASSES:
        assert "Storage" in UID(uid).name, uid


hostile = st.dictionaries(
    st.sampled_from(sorted({key for keys in RETURN_KEYS.values() for key in keys})), st.text(st.characters())
)


@given(st.sampled_from(list(Level)), hostile)
def test_rows_keep_their_places_whatever_a_peer_answers(level: Level, values: dict[str, str]) -> None:
    match = Match(level, "N\x1b", values)
    for columns in (COLUMNS[level], TABLE_COLUMNS[level]):
        line = row(match, columns)
        assert printable(line) == line
        assert width(line) <= sum(column.width for column in columns) + 2 * (len(columns) - 1)
    for label, value in details(match):
        assert label
        assert printable(value) == value
