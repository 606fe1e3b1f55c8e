"""What contradicts what is held: kept aside and listed, never mixed in and never lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pacs_tui.archive.archive import Archive
from pacs_tui.errors import Refused
from pacs_tui.model.level import Level, Root
from pacs_tui.model.transfer import Target
from tests.archive.conftest import ask, put

STUDY = Target(Level.STUDY, study_uid="1.2.1")


def conflicts(archive: Archive) -> list[tuple[str, str, str, str]]:
    return [(c.kind, c.subject, c.held, c.came) for _, c in archive.conflicts()]


def quarantined(tmp_path: Path) -> list[bytes]:
    return [path.read_bytes()[-8:] for path in sorted((tmp_path / "STA" / "quarantine").iterdir())]


def test_other_bytes_under_a_known_uid_go_to_the_quarantine(archive: Archive, tmp_path: Path) -> None:
    put(archive, content=b"original")
    for _ in range(3):
        with pytest.raises(Refused, match="held with other content") as refusal:
            put(archive, content=b"intruder")
        assert refusal.value.status == 0x0111
    [held] = archive.retrieve("STA", STUDY)
    assert held.path.read_bytes().endswith(b"original")
    assert quarantined(tmp_path) == [b"intruder"]
    [(title, conflict)] = archive.conflicts()
    assert (title, conflict.kind, conflict.subject, conflict.calling) == ("STA", "content", "1.2.1.1.1", "SENDER")
    assert (tmp_path / "STA" / "quarantine" / conflict.file).exists()
    assert [c.instances for c in archive.counts()] == [1]


def test_an_area_that_replaces_keeps_the_first_aside(make: Callable[..., Archive], tmp_path: Path) -> None:
    archive = make(duplicates="replace")
    put(archive, content=b"original", Modality="CT", Rows="10")
    put(archive, content=b"its twin", instance="1.2.1.1.2", Modality="CT")
    assert put(archive, content=b"improved", study="1.2.7", series="1.2.7.1", Modality="MR", Rows="20") == 0
    [held] = archive.retrieve("STA", Target(Level.STUDY, study_uid="1.2.7"))
    assert held.path.read_bytes().endswith(b"improved")
    assert [h.sop_instance for h in archive.retrieve("STA", STUDY)] == ["1.2.1.1.2"]
    assert quarantined(tmp_path) == [b"original"]
    assert [(kind, subject) for kind, subject, *_ in conflicts(archive)] == [("replaced", "1.2.1.1.1")]
    rows = ask(archive, Level.STUDY, StudyInstanceUID="", NumberOfStudyRelatedInstances="", ModalitiesInStudy="")
    assert {(r["StudyInstanceUID"], r["NumberOfStudyRelatedInstances"], r["ModalitiesInStudy"]) for r in rows} == {
        ("1.2.1", "1", "CT"), ("1.2.7", "1", "MR"),
    }  # fmt: skip
    [counts] = archive.counts()
    assert (counts.studies, counts.series, counts.instances) == (2, 2, 2)


def test_replacing_the_only_instance_of_a_study_ends_that_study(make: Callable[..., Archive]) -> None:
    archive = make(duplicates="replace")
    put(archive, content=b"original", PatientID="1")
    put(archive, content=b"improved", study="1.2.7", series="1.2.7.1", PatientID="2")
    assert [r["StudyInstanceUID"] for r in ask(archive, Level.STUDY, StudyInstanceUID="")] == ["1.2.7"]
    assert [r["PatientID"] for r in ask(archive, Level.PATIENT, Root.PATIENT, PatientID="")] == ["2"]


def test_one_patient_id_and_two_people_are_listed_and_not_merged(archive: Archive) -> None:
    put(archive, PatientName="MEIER^ANNA", PatientBirthDate="19600211", PatientSex="F")
    for _ in range(2):
        put(
            archive, study="1.2.2", series="1.2.2.1", instance="1.2.2.1.1", content=b"other",
            PatientName="MEIER^BERND", PatientBirthDate="19600211", PatientSex="M",
        )  # fmt: skip
    assert conflicts(archive) == [
        ("patient", "4711", "MEIER^ANNA · 19600211 · F", "MEIER^BERND · 19600211 · M"),
    ]
    rows = ask(archive, Level.STUDY, PatientName="", StudyInstanceUID="")
    assert {r["PatientName"] for r in rows} == {"MEIER^ANNA", "MEIER^BERND"}, "each study says what it was sent with"


def test_the_same_id_of_two_issuers_is_two_patients(archive: Archive) -> None:
    put(archive, IssuerOfPatientID="WARD")
    put(
        archive, study="1.2.2", series="1.2.2.1", instance="1.2.2.1.1", content=b"other", IssuerOfPatientID="CLINIC",
        PatientName="OTHER^ONE",
    )  # fmt: skip
    assert conflicts(archive) == []
    rows = ask(archive, Level.PATIENT, Root.PATIENT, PatientID="4711", PatientName="")
    assert [r["PatientName"] for r in rows] == ["MEIER^ANNA", "OTHER^ONE"]


def test_a_name_in_other_letters_is_the_same_name(archive: Archive) -> None:
    put(archive, PatientName="Meier^Anna")
    put(archive, study="1.2.2", series="1.2.2.1", instance="1.2.2.1.1", content=b"o", PatientName="MEIER^ANNA^^")
    assert conflicts(archive) == []


def test_two_patient_ids_in_one_study_are_listed(archive: Archive) -> None:
    put(archive)
    put(archive, instance="1.2.1.1.2", content=b"other", PatientID="4712")
    assert conflicts(archive) == [("study", "1.2.1", "4711", "4712")]


def test_studies_without_a_patient_id_contradict_nobody(archive: Archive) -> None:
    put(archive, PatientID="", PatientName="A")
    put(archive, study="1.2.2", series="1.2.2.1", instance="1.2.2.1.1", content=b"o", PatientID="", PatientName="B")
    assert conflicts(archive) == []
