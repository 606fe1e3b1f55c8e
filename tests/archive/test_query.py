"""Both roots, four levels: which rows come, in which order, with which columns."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Engine
from sqlalchemy.pool import Pool
from sqlalchemy.schema import CreateTable

from pacs_tui.archive import query, schema
from pacs_tui.archive.archive import Archive
from pacs_tui.archive.arrival import Arrival
from pacs_tui.archive.attributes import BY_KEYWORD, BY_TAG, DERIVED, STORED
from pacs_tui.archive.index import Index
from pacs_tui.errors import Refused, StorageError, UsageError
from pacs_tui.model.find import FindRequest
from pacs_tui.model.level import Level, Root
from pacs_tui.model.tag import Element
from pacs_tui.model.transfer import Target
from pacs_tui.settings import Area
from tests.archive.conftest import CT, EXPLICIT, Keys, ask, header, put


@pytest.fixture
def hospital(archive: Archive) -> Archive:
    """Two patients called 4711 by different issuers; the first has two studies, one of them with two series."""
    anna: Keys = {"PatientID": "4711", "IssuerOfPatientID": "A", "PatientName": "MEIER^ANNA"}
    bert: Keys = {"PatientID": "4711", "IssuerOfPatientID": "B", "PatientName": "MEIER^BERT"}
    put(archive, "STA", study="1.1", series="1.1.2", instance="1.1.2.2", SeriesNumber="2", InstanceNumber="10", **anna)
    put(archive, "STA", study="1.1", series="1.1.2", instance="1.1.2.1", SeriesNumber="2", InstanceNumber="9", **anna)
    put(archive, "STA", study="1.1", series="1.1.1", instance="1.1.1.1", SeriesNumber="1", Modality="SR", **anna)
    put(archive, "STA", study="1.2", series="1.2.1", instance="1.2.1.1", Modality="MR", StudyDate="20260101", **anna)
    put(archive, "STA", study="2.1", series="2.1.1", instance="2.1.1.1", StudyDate="20261121", Rows="512", **bert)
    return archive


COUNTS: Keys = {
    "NumberOfPatientRelatedStudies": "", "NumberOfPatientRelatedSeries": "", "NumberOfPatientRelatedInstances": "",
}  # fmt: skip


def test_patient_root_lists_distinct_patients_with_counts(hospital: Archive) -> None:
    rows = ask(hospital, Level.PATIENT, Root.PATIENT, PatientID="4711", PatientName="", IssuerOfPatientID="", **COUNTS)
    assert [(r["PatientName"], r["IssuerOfPatientID"], *(r[c] for c in COUNTS)) for r in rows] == [
        ("MEIER^ANNA", "A", "2", "3", "4"),
        ("MEIER^BERT", "B", "1", "1", "1"),
    ]


def test_patient_counts_stay_whole_when_a_key_narrows_the_studies(hospital: Archive) -> None:
    rows = ask(hospital, Level.PATIENT, Root.PATIENT, PatientName="", StudyDate="20260101", **COUNTS)
    assert [(r["PatientName"], r["NumberOfPatientRelatedStudies"], r["StudyDate"]) for r in rows] == [
        ("MEIER^ANNA", "2", "")
    ]


def test_patient_root_studies_series_and_images(hospital: Archive) -> None:
    above: Keys = {"PatientID": "4711"}
    rows = ask(hospital, Level.STUDY, Root.PATIENT, **above, PatientName="*ANNA", StudyInstanceUID="")
    assert [r["StudyInstanceUID"] for r in rows] == ["1.1", "1.2"]
    above["StudyInstanceUID"] = "1.1"
    rows = ask(hospital, Level.SERIES, Root.PATIENT, **above, SeriesInstanceUID="", Modality="")
    assert [(r["SeriesInstanceUID"], r["Modality"]) for r in rows] == [("1.1.1", "SR"), ("1.1.2", "CT")]
    above["SeriesInstanceUID"] = "1.1.2"
    rows = ask(hospital, Level.IMAGE, Root.PATIENT, **above, SOPInstanceUID="", InstanceNumber="", PatientName="")
    assert [(r["SOPInstanceUID"], r["InstanceNumber"]) for r in rows] == [("1.1.2.1", "9"), ("1.1.2.2", "10")]
    assert {r["PatientName"] for r in rows} == {"MEIER^ANNA"}
    assert ask(hospital, Level.STUDY, Root.PATIENT, PatientID="0815", StudyInstanceUID="") == []


def test_study_root_studies_newest_first_with_counts(hospital: Archive) -> None:
    rows = ask(
        hospital, Level.STUDY, StudyInstanceUID="", ModalitiesInStudy="", NumberOfStudyRelatedSeries="",
        NumberOfStudyRelatedInstances="", SOPClassesInStudy="", NumberOfPatientRelatedStudies="",
    )  # fmt: skip
    assert [tuple(r.values())[1:] for r in rows] == [
        ("CT", CT, "2.1", "1", "1", "1"), ("CT\\SR", CT, "1.1", "2", "2", "3"), ("MR", CT, "1.2", "2", "1", "1"),
    ]  # fmt: skip


def test_study_root_series_and_images(hospital: Archive) -> None:
    rows = ask(hospital, Level.SERIES, StudyInstanceUID="1.1", SeriesNumber="", NumberOfSeriesRelatedInstances="")
    assert [(r["SeriesNumber"], r["NumberOfSeriesRelatedInstances"]) for r in rows] == [("1", "1"), ("2", "2")]
    rows = ask(
        hospital, Level.IMAGE, StudyInstanceUID="2.1", SeriesInstanceUID="2.1.1", SOPInstanceUID="", Rows="",
        SOPClassUID="", AvailableTransferSyntaxUID="", Columns="",
    )  # fmt: skip
    assert [tuple(r.values()) for r in rows] == [(CT, "2.1.1.1", "STA", EXPLICIT, "2.1", "2.1.1", "512", "")]


@pytest.mark.parametrize(
    ("root", "level", "keys", "sentence"),
    [
        (Root.STUDY, Level.PATIENT, {"PatientID": "4711"}, "no PATIENT level"),
        (Root.PATIENT, Level.STUDY, {"StudyInstanceUID": "1.1"}, "needs PatientID"),
        (Root.PATIENT, Level.STUDY, {"PatientID": "*"}, "needs PatientID"),
        (Root.PATIENT, Level.SERIES, {"PatientID": "4711"}, "needs StudyInstanceUID"),
        (Root.STUDY, Level.SERIES, {"StudyInstanceUID": ""}, "needs StudyInstanceUID"),
        (Root.STUDY, Level.IMAGE, {"StudyInstanceUID": "1.1"}, "needs SeriesInstanceUID"),
    ],
)
def test_a_hierarchical_query_needs_the_keys_above(
    hospital: Archive, root: Root, level: Level, keys: Keys, sentence: str
) -> None:
    with pytest.raises(Refused, match=sentence) as refusal:
        ask(hospital, level, root, **keys)
    assert refusal.value.status == 0xA900
    assert len(str(refusal.value)) <= 64


@pytest.mark.parametrize(
    ("level", "keys", "expected"),
    [
        (Level.IMAGE, {"PatientName": "*BERT"}, ["2.1.1.1"]),
        (Level.IMAGE, {"StudyDate": "20260101", "Modality": "MR"}, ["1.2.1.1"]),
        (Level.SERIES, {"Rows": "512"}, ["2.1.1"]),
        (Level.SERIES, {"SOPInstanceUID": "1.1.2.2"}, ["1.1.2"]),
        (Level.STUDY, {"Modality": "SR"}, ["1.1"]),
        (Level.STUDY, {"SeriesInstanceUID": "1.1.2", "Modality": "SR"}, []),
        (Level.STUDY, {"SeriesNumber": "2", "InstanceNumber": "10"}, ["1.1"]),
        (Level.STUDY, {"InstanceNumber": "10", "SeriesNumber": "1"}, []),
        (Level.STUDY, {"SOPInstanceUID": "1.2.1.1\\2.1.1.1"}, ["2.1", "1.2"]),
    ],
)
def test_relational_keys_of_any_level(hospital: Archive, level: Level, keys: Keys, expected: list[str]) -> None:
    keys = {level.key: "", **keys}
    rows = ask(hospital, level, relational=True, **keys)
    assert [r[level.key] for r in rows] == expected


def test_relational_patients_by_a_series(hospital: Archive) -> None:
    rows = ask(hospital, Level.PATIENT, Root.PATIENT, PatientName="", Modality="SR", ModalitiesInStudy="CT")
    assert [r["PatientName"] for r in rows] == ["MEIER^ANNA"]


def test_everything_asked_comes_back_in_ascending_order(hospital: Archive) -> None:
    keys = (
        Element(0x0020000D, "UI"), Element(0x00181061, "LO"), Element(0x00080061, "CS"),
        Element(0x00081110, "SQ"), Element(0x00080056, "CS"), Element(0x0020000E, "UI"), Element(0x00080020, "DA"),
    )  # fmt: skip
    answer = hospital.find(FindRequest("STA", Root.STUDY, Level.STUDY, keys))
    tags = [column.tag for column in answer.columns]
    assert tags == sorted({key.tag for key in keys} | {0x00080054})
    assert {c.tag: c.vr for c in answer.columns}[0x00081110] == "SQ"
    first = dict(zip(tags, next(iter(answer.rows)), strict=True))
    assert first == {
        0x00080020: "20261121", 0x00080054: "STA", 0x00080056: "ONLINE", 0x00080061: "CT", 0x00081110: "",
        0x00181061: "", 0x0020000D: "2.1", 0x0020000E: "",
    }  # fmt: skip


@pytest.mark.parametrize("level", list(Level))
def test_every_known_attribute_can_be_asked_at_every_level(hospital: Archive, level: Level) -> None:
    everything: Keys = dict.fromkeys(BY_KEYWORD, "")
    rows = ask(hospital, level, Root.PATIENT, relational=True, **everything)
    assert rows
    assert all(isinstance(text, str) for row in rows for text in row.values())


def test_the_tables_of_attributes_know_what_the_standard_knows() -> None:
    from pydicom.datadict import dictionary_VR, tag_for_keyword

    for attribute in (*STORED, *DERIVED):
        assert tag_for_keyword(attribute.keyword) == attribute.tag
        assert dictionary_VR(attribute.tag) == attribute.vr
    assert len(BY_TAG) == len(STORED) + len(DERIVED)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (Target(Level.PATIENT, patient_id="4711"), ["1.2.1.1", "1.1.1.1", "1.1.2.1", "1.1.2.2", "2.1.1.1"]),
        (Target(Level.STUDY, study_uid="1.1"), ["1.1.1.1", "1.1.2.1", "1.1.2.2"]),
        (Target(Level.SERIES, study_uid="1.1", series_uid="1.1.2"), ["1.1.2.1", "1.1.2.2"]),
        (Target(Level.SERIES, series_uid="1.1.2"), ["1.1.2.1", "1.1.2.2"]),
        (Target(Level.SERIES, study_uid="1.2", series_uid="1.1.2"), []),
        (Target(Level.IMAGE, instance_uids=("1.1.2.2", "1.1.2.1", "1.1.2.2", "9.9")), ["1.1.2.1", "1.1.2.2"]),
        (Target(Level.IMAGE, study_uid="1.2", series_uid="1.2.1", instance_uids=("1.1.2.2",)), []),
        (Target(Level.STUDY, patient_id="0815", study_uid="1.1"), []),
    ],
)
def test_retrieve_in_the_order_of_numbers(hospital: Archive, target: Target, expected: list[str]) -> None:
    held = hospital.retrieve("STA", target)
    assert [h.sop_instance for h in held] == expected
    assert all(h.path.is_file() for h in held)


@pytest.mark.parametrize("level", list(Level))
def test_a_target_without_its_unique_key_is_refused(hospital: Archive, level: Level) -> None:
    with pytest.raises(Refused) as refusal:
        hospital.retrieve("STA", Target(level))
    assert refusal.value.status == 0xA900


def test_a_target_of_very_many_instances(hospital: Archive) -> None:
    uids = (*(f"9.{n}" for n in range(40_000)), "1.1.2.2", "1.1.2.1")
    held = hospital.retrieve("STA", Target(Level.IMAGE, instance_uids=uids))
    assert [h.sop_instance for h in held] == ["1.1.2.1", "1.1.2.2"]


def test_an_unknown_title_is_refused(hospital: Archive) -> None:
    calls: tuple[Callable[[], object], ...] = (
        lambda: hospital.find(FindRequest("NOBODY", Root.STUDY, Level.STUDY, ())),
        lambda: hospital.retrieve("NOBODY", Target(Level.STUDY, study_uid="1.1")),
        lambda: put(hospital, "NOBODY"),
    )
    for call in calls:
        with pytest.raises(Refused) as refusal:
            call()
        assert refusal.value.status == 0xC000
    with pytest.raises(UsageError):
        Target(Level.STUDY, study_uid="1' OR 1=1")


class Watched:
    """Counts the database's steps, and the connections that are out of the pool."""

    def __init__(self) -> None:
        self.steps = self.out = 0

    def checkout(self, connection: sqlite3.Connection, *_: Any) -> None:
        self.out += 1
        connection.set_progress_handler(self._step, 100)

    def checkin(self, connection: sqlite3.Connection, *_: Any) -> None:
        self.out -= 1
        connection.set_progress_handler(None, 0)

    def _step(self) -> int:
        self.steps += 1
        return 0


@pytest.fixture
def watched() -> Generator[Watched]:
    watch = Watched()
    event.listen(Pool, "checkout", watch.checkout)
    event.listen(Pool, "checkin", watch.checkin)
    yield watch
    event.remove(Pool, "checkout", watch.checkout)
    event.remove(Pool, "checkin", watch.checkin)


@pytest.fixture(scope="module")
def full_index(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Index, int]]:
    """2,000 studies, written in one transaction."""
    folder = tmp_path_factory.mktemp("full")
    index = Index(f"sqlite:///{folder / 'index.db'}")
    number = index.open([Area("STA", 0, folder / "STA")])["STA"]
    arrivals = []
    for n in range(2000):
        day = f"2026{n % 12 + 1:02d}{n % 28 + 1:02d}"
        uids = f"1.{n}", f"1.{n}.1", f"1.{n}.1.1"
        arrivals.append(Arrival(number, *uids, CT, EXPLICIT, header(*uids, StudyDate=day), b"", 1, n))
    index.add_all(arrivals)
    yield index, number
    index.close()


@pytest.mark.parametrize("modality", ["", "CT"])
def test_rows_stream_and_a_dropped_answer_lets_go(
    full_index: tuple[Index, int], watched: Watched, modality: str
) -> None:
    index, number = full_index
    keys = (Element(0x0020000D, "UI"), Element(0x00080020, "DA"), Element(0x00080061, "CS", modality))
    request = FindRequest("STA", Root.STUDY, Level.STUDY, keys)
    rows = iter(index.find(request, number, 2000).rows)
    assert watched.out == 0, "nothing is held before the first row is asked for"
    first = next(rows)
    until_first = watched.steps
    assert watched.out == 1
    everything = [first, *rows]
    assert len(everything) == 2000
    assert [r[0] for r in everything] == sorted((r[0] for r in everything), reverse=True)
    assert until_first < watched.steps / 4
    assert watched.out == 0
    dropped = iter(index.find(request, number, 2000).rows)
    next(dropped)
    assert watched.out == 1
    del dropped
    assert watched.out == 0


def test_an_index_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    Index(f"sqlite:///{tmp_path / 'index.db'}").open([])
    with sqlite3.connect(tmp_path / "index.db") as connection:
        connection.execute("INSERT INTO step VALUES (99, 'from the future')")
    with pytest.raises(StorageError, match="schema step 99"):
        Index(f"sqlite:///{tmp_path / 'index.db'}").open([])


def test_a_step_that_fails_leaves_neither_tables_nor_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, ("fails", fail)))
    url = f"sqlite:///{tmp_path / 'index.db'}"
    with pytest.raises(RuntimeError):
        Index(url).open([])
    with sqlite3.connect(tmp_path / "index.db") as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []


def test_tables_and_queries_are_written_for_postgresql_too() -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    for table in schema.metadata.sorted_tables:
        str(CreateTable(table).compile(dialect=dialect))
    texts = {"DA": "20260101-20260102", "TM": "-12", "UI": "1.2", "IS": "1", "US": "1", "DS": "1.5"}
    for wild in ("", "SMITH^*", "*x?*"):
        keys = tuple(Element(a.tag, a.vr, wild and texts.get(a.vr, wild)) for a in BY_TAG.values() if not a.items)
        for level in Level:
            request = FindRequest("STA", Root.PATIENT, level, keys, relational=True, combined=True, fuzzy=True)
            assert "SELECT" in str(query.statement(request, 1).compile(dialect=dialect))


def test_commits_survive_a_power_cut(tmp_path: Path) -> None:
    index = Index(f"sqlite:///{tmp_path / 'index.db'}")
    engine: Engine = index._engine
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    index.close()
