"""The demo hospital as it lies on the disk, read back by pydicom."""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.charset import decode_element

from pacs_tui.demo.corpus import arrange, plan
from pacs_tui.demo.corpus_studies import studies
from pacs_tui.demo.identities import IDENTITIES
from pacs_tui.demo.sources import Sources
from pacs_tui.model.transfer import is_uid
from tests.demo.conftest import TODAY, Hospital

pytestmark = pytest.mark.interop  # writes two thousand files


def _series_sizes(headers: list[Any]) -> dict[str, Counter[str]]:
    """Instances of each series, by study."""
    sizes: dict[str, Counter[str]] = defaultdict(Counter)
    for ds in headers:
        sizes[ds.StudyInstanceUID][ds.SeriesInstanceUID] += 1
    return sizes


def test_what_was_planned_is_written(hospital: Hospital) -> None:
    blueprint = plan(TODAY)
    headers = hospital.headers.values()
    assert len({ds.PatientID for ds in headers}) == blueprint.patients
    assert len({ds.StudyInstanceUID for ds in headers}) == blueprint.studies
    assert len({ds.SeriesInstanceUID for ds in headers}) == blueprint.series
    assert len(headers) == blueprint.instances
    assert Counter(p.ae_title for p in hospital.placements) == dict(blueprint.held)
    assert len(hospital.placements) == blueprint.placements


def test_the_size_is_moderate(hospital: Hospital) -> None:
    assert sum(path.stat().st_size for path in hospital.headers) < 250_000_000


def test_each_file_agrees_with_its_placement(hospital: Hospital) -> None:
    for placement in hospital.placements:
        held, ds = placement.held, hospital.headers[placement.held.path]
        assert held.sop_instance == ds.SOPInstanceUID == ds.file_meta.MediaStorageSOPInstanceUID
        assert held.sop_class == ds.SOPClassUID == ds.file_meta.MediaStorageSOPClassUID
        assert held.transfer_syntax == ds.file_meta.TransferSyntaxUID
        assert held.study_uid == ds.StudyInstanceUID


def test_uids_are_valid_and_never_doubled(hospital: Hospital) -> None:
    headers = list(hospital.headers.values())
    assert len({ds.SOPInstanceUID for ds in headers}) == len(headers)
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"):
        uids = {str(ds[keyword].value) for ds in headers}
        assert all(is_uid(uid) and uid.startswith("2.25.") for uid in uids)


def test_one_series_has_one_study_and_one_study_one_patient(hospital: Hospital) -> None:
    owners: dict[str, set[object]] = defaultdict(set)
    for ds in hospital.headers.values():
        owners[ds.SeriesInstanceUID].add((ds.StudyInstanceUID, ds.Modality, ds.SeriesNumber, ds.SeriesDescription))
        study = (ds.PatientID, str(ds.PatientName), ds.PatientBirthDate, ds.PatientSex, ds.StudyDate, ds.StudyTime)
        owners[ds.StudyInstanceUID].add((*study, ds.AccessionNumber, ds.StudyID, ds.StudyDescription))
    assert all(len(owner) == 1 for owner in owners.values())


def test_accession_numbers_are_given_once_and_in_order_of_time(hospital: Hospital) -> None:
    found = {(ds.StudyDate, ds.AccessionNumber) for ds in hospital.headers.values()}
    assert len({number for _, number in found}) == plan(TODAY).studies
    assert [day for day, _ in sorted(found, key=lambda pair: pair[1])] == sorted(day for day, _ in found)


def test_names_and_descriptions_decode_to_what_was_meant(hospital: Hospital) -> None:
    people = {person.patient_id: person for person in IDENTITIES}
    described = {study.uid: study.description for study in studies(TODAY)}
    for ds in hospital.headers.values():
        person = people[ds.PatientID]
        assert str(ds.PatientName) == person.person_name
        assert ds.PatientName.ideographic == person.ideographic
        assert ds.StudyDescription == described[ds.StudyInstanceUID]
        assert len(ds.StudyDescription) <= 64
        named = ds.get("SpecificCharacterSet")
        terms = () if named is None else (named,) if isinstance(named, str) else tuple(named)
        assert terms == person.charset


def test_the_transfer_syntaxes_of_a_real_archive_are_there(hospital: Hospital) -> None:
    prefix = "1.2.840.10008.1.2"
    wanted = ("", ".1", ".2", ".1.99", ".5", ".4.50", ".4.51", ".4.70", ".4.80", ".4.81", ".4.90", ".4.91")
    assert {prefix + end for end in wanted} <= {p.held.transfer_syntax for p in hospital.placements}


def test_the_modalities_of_a_real_hospital_are_there(hospital: Hospital) -> None:
    wanted = {"CT", "MR", "CR", "US", "NM", "RTPLAN", "RTSTRUCT", "RTDOSE", "SR", "SEG", "OT", "ECG"}
    assert wanted <= {ds.Modality for ds in hospital.headers.values()}
    assert any(int(ds.get("NumberOfFrames") or 1) > 20 for ds in hospital.headers.values())
    assert any(ds.get("PhotometricInterpretation") == "PALETTE COLOR" for ds in hospital.headers.values())


def test_there_are_long_and_large_series_to_look_at(hospital: Hospital) -> None:
    headers = list(hospital.headers.values())
    sizes = Counter(ds.SeriesInstanceUID for ds in headers)
    large = Counter(ds.SeriesInstanceUID for ds in headers if ds.Modality == "CT" and ds.Rows == 512)
    assert max(sizes.values()) <= 120
    assert sum(count >= 20 for count in sizes.values()) >= 20
    assert max(large.values()) >= 40
    assert any(ds.Modality == "MR" and ds.Rows == 1024 for ds in headers)


def test_slices_are_numbered_and_lie_apart(hospital: Hospital) -> None:
    series: dict[str, list[Any]] = defaultdict(list)
    for ds in hospital.headers.values():
        series[ds.SeriesInstanceUID].append(ds)
    for members in series.values():
        assert sorted(int(ds.InstanceNumber) for ds in members) == list(range(1, len(members) + 1))
        if len(members) >= 20:
            places = {tuple(ds.ImagePositionPatient) for ds in members}
            assert len(places) == len({ds.SliceLocation for ds in members}) == len(members)
            assert len({ds.FrameOfReferenceUID for ds in members}) == 1


def test_med1_holds_a_long_ct_study_that_ortho1_lacks(hospital: Hospital) -> None:
    med1 = _series_sizes([ds for ds in hospital.at("MED1") if ds.Modality == "CT"])
    ortho1 = {ds.StudyInstanceUID for ds in hospital.at("ORTHO1")}
    assert any(len(sizes) >= 3 and max(sizes.values()) >= 40 for uid, sizes in med1.items() if uid not in ortho1)


def test_some_studies_are_on_two_nodes_and_some_only_in_part(hospital: Hospital) -> None:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for placement in hospital.placements:
        counts[placement.held.study_uid][placement.ae_title] += 1
    assert sum(len(nodes) >= 2 for nodes in counts.values()) >= 10
    assert any(len(set(nodes.values())) > 1 for nodes in counts.values())


def test_dates_reach_back_five_years_and_up_to_today(hospital: Hospital) -> None:
    days = {datetime.strptime(ds.StudyDate, "%Y%m%d").date() for ds in hospital.headers.values()}
    assert max(days) == TODAY
    assert TODAY - timedelta(days=5 * 365 + 1) <= min(days) < TODAY - timedelta(days=4 * 365)
    planned = Counter(study.moment.date() for study in studies(TODAY))
    assert planned[TODAY] >= 3
    assert planned[TODAY - timedelta(days=1)] >= 3
    for ds in hospital.headers.values():
        assert ds.StudyDate <= ds.SeriesDate <= ds.ContentDate
        assert (ds.PatientBirthDate or "0") < ds.StudyDate


def test_nothing_is_left_of_the_first_patients(hospital: Hospital) -> None:
    for ds in hospital.headers.values():
        assert ds.InstitutionName in ("St. Aurelia Hospital", "Outside hospital")
        for keyword in (
            "OtherPatientIDs",
            "OtherPatientNames",
            "PatientAddress",
            "PatientComments",
            "IssuerOfPatientID",
        ):
            assert keyword not in ds


def test_plans_doses_reports_and_segmentations_point_into_their_study(hospital: Hospital) -> None:
    held: dict[str, set[str]] = defaultdict(set)
    for ds in hospital.headers.values():
        held[ds.StudyInstanceUID].add(str(ds.SOPInstanceUID))
    seen = set()
    for ds in hospital.headers.values():
        mine = held[ds.StudyInstanceUID]
        if ds.Modality == "RTPLAN":
            assert ds.ReferencedStructureSetSequence[0].ReferencedSOPInstanceUID in mine
        elif ds.Modality == "RTDOSE":
            assert ds.ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID in mine
        elif ds.Modality == "SEG":
            images = ds.ReferencedSeriesSequence[0].ReferencedInstanceSequence
            assert {image.ReferencedSOPInstanceUID for image in images} <= mine
        else:
            continue
        seen.add(ds.Modality)
    assert seen == {"RTPLAN", "RTDOSE", "SEG"}


def test_every_element_of_one_instance_of_each_series_can_be_read(hospital: Hospital) -> None:
    seen = set()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for path, header in hospital.headers.items():
            kind = (header.SeriesInstanceUID, header.file_meta.TransferSyntaxUID)
            if kind in seen:
                continue
            seen.add(kind)
            for element in pydicom.dcmread(path).iterall():
                decode_element(element, header.get("SpecificCharacterSet"))


def test_pixels_are_the_source_bytes(hospital: Hospital) -> None:
    sources = Sources()
    for study in islice(studies(TODAY), 12):
        for series in study.series:
            source = sources.read(series.pattern.sources[0])
            written = pydicom.dcmread(next(iter(hospital.headers)).with_name(f"{series.instances[0].hex}.dcm"))
            assert written.get("PixelData") == source.get("PixelData")
            assert written.file_meta.TransferSyntaxUID == source.file_meta.TransferSyntaxUID


def test_the_same_day_makes_the_same_bytes(hospital: Hospital, tmp_path: Path) -> None:
    again = list(islice(arrange(tmp_path, TODAY), 400))
    for first, second in zip(hospital.placements, again, strict=False):
        assert first.ae_title == second.ae_title
        assert first.held.path.name == second.held.path.name
        assert first.held.path.read_bytes() == second.held.path.read_bytes()
