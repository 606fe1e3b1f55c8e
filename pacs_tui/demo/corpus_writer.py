"""Turns a source image into an instance of a study: patient, study and series are new, the pixels are untouched.

A data set is held as its encoded elements by tag, so a renumbered copy costs the encoding of what changed and one join.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from pacs_tui.demo.corpus_studies import INSTITUTION, Series, Study, dotted
from pacs_tui.demo.sources import Sources
from pacs_tui.errors import StorageError
from pacs_tui.model.transfer import Held, StoreRequest

_FORGOTTEN = (
    "AccessionNumber", "AcquisitionDate", "AcquisitionDateTime", "AcquisitionTime", "AdditionalPatientHistory",
    "AdmittingDiagnosesDescription", "BodyPartExamined", "CommentsOnThePerformedProcedureStep", "ContentDate",
    "ContentTime", "EthnicGroup", "ImageComments", "InstanceCreationDate", "InstanceCreationTime", "InstitutionAddress",
    "InstitutionName", "InstitutionalDepartmentName", "IssuerOfPatientID", "NameOfPhysiciansReadingStudy",
    "OtherPatientIDs", "OtherPatientIDsSequence", "OtherPatientNames", "PatientAddress", "PatientAge",
    "PatientBirthTime", "PatientComments", "PatientSize", "PatientWeight", "PerformedProcedureStepDescription",
    "PerformedProcedureStepID", "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime",
    "PerformedProtocolCodeSequence", "PerformingPhysicianName", "PhysiciansOfRecord", "PregnancyStatus",
    "ProcedureCodeSequence", "ReasonForStudy", "ReasonForTheRequestedProcedure", "ReferencedStudySequence",
    "RequestAttributesSequence", "RequestedProcedureDescription", "RequestedProcedureID", "RequestingPhysician",
    "RequestingService", "ScheduledProcedureStepID", "SeriesDate", "SeriesDescription", "SeriesTime",
    "SpecificCharacterSet", "StationName", "StudyComments", "StudyDescription", "TimezoneOffsetFromUTC",
)  # fmt: skip
"""What tells of the picture's first patient, hospital or day, and is not set anew everywhere."""

_EMPTIED = (
    "ContentCreatorName", "OperatorsName", "PerformedProcedureCodeSequence", "RTPlanDate", "RTPlanTime",
    "ReferencedPerformedProcedureStepSequence", "StructureSetDate", "StructureSetTime",
)  # fmt: skip
"""The same, where the standard wants the attribute to be there, if only empty (type 2)."""

_ACQUIRED = ("AcquisitionDate", "AcquisitionTime", "AcquisitionDateTime")
_FRAMES = ("FrameOfReferenceUID", "ReferencedFrameOfReferenceUID")


@dataclass(frozen=True, slots=True)
class _Image:
    """A source, opened: its elements encoded, and what the writer must know about them."""

    elements: dict[int, bytes]
    sop_class: str
    syntax: Any
    origin: tuple[float, ...]
    normal: tuple[float, ...]
    acquired: tuple[str, ...]
    """Which of the acquisition's dates and times this kind of object has."""


class Writer:
    """Writes studies as Part 10 files into a folder; StorageError names the file that could not be written."""

    def __init__(self, folder: Path, sources: Sources) -> None:
        self._folder = folder
        self._sources = sources
        self._images: dict[str, _Image] = {}

    def write(self, study: Study) -> Iterator[tuple[Series, Held]]:
        """Every instance of the study, series by series."""
        known = _Known(study)
        for series in study.series:
            dressed: dict[str, dict[int, bytes]] = {}
            first = self._image(series.pattern.sources[0])
            for position, identifier in enumerate(series.instances):
                name = series.pattern.sources[position % len(series.pattern.sources)]
                image = self._image(name)
                if name not in dressed:
                    dressed[name] = self._dress(name, study, series, known)
                own = _encode(_data_set(_about_instance(series, position, first, image)), image.syntax, ())
                path = self._folder / f"{identifier.hex}.dcm"
                held = Held(image.sop_class, dotted(identifier), str(image.syntax), path, study.uid)
                _write(held, study.examination.station, {**dressed[name], **own}, deflated=image.syntax.is_deflated)
                known.add(image.sop_class, dotted(identifier), series.uid)
                yield series, held

    def _image(self, name: str) -> _Image:
        """Each source is read and encoded once."""
        if name not in self._images:
            self._images[name] = _open(self._sources.read(name))
        return self._images[name]

    def _dress(self, name: str, study: Study, series: Series, known: _Known) -> dict[int, bytes]:
        """The elements of a source as every instance of this series shares them."""
        image, charset = self._image(name), study.person.charset
        elements = image.elements
        if series.pattern.refers:
            data_set = _forget(self._sources.read(name))
            known.redirect(data_set)
            elements = _encode(data_set, image.syntax, charset)
        shared = _data_set({**_about_study(study), **_about_series(study, series)})
        return {**elements, **_encode(shared, image.syntax, charset)}


class _Known:
    """What a study holds so far, by SOP class: where its reports, plans and doses shall point."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._held: dict[str, list[tuple[str, str]]] = {}

    def add(self, sop_class: str, sop_instance: str, series_uid: str) -> None:
        self._held.setdefault(sop_class, []).append((sop_instance, series_uid))

    def redirect(self, data_set: Any) -> None:
        """Lead the references of an object into this study; those without a counterpart stay as they are."""
        with warnings.catch_warnings():
            # One source names an impossible UID, just where it will be replaced.
            warnings.simplefilter("ignore")
            data_set.decode()
            self._lead(data_set, {})

    def _lead(self, item: Any, met: dict[str, tuple[str, str]]) -> str:
        """Follow one item and those below it; the UID of the series it now points into, empty where it does not.

        `met` keeps old references that were the same the same.
        """
        into = ""
        counterparts = self._held.get(str(item.get("ReferencedSOPClassUID", "")), [])
        old = str(item.get("ReferencedSOPInstanceUID", ""))
        if old and counterparts:
            uid, into = met.setdefault(old, counterparts[len(met) % len(counterparts)])
            item.ReferencedSOPInstanceUID = uid
        for keyword in _FRAMES:
            if keyword in item:
                setattr(item, keyword, self._study.frame_of_reference)
        for element in item:
            if element.VR == "SQ":
                below = [self._lead(child, met) for child in element.value]
                into = next(filter(None, below), into)
        if into and "SeriesInstanceUID" in item:
            item.SeriesInstanceUID = into
        if into and "StudyInstanceUID" in item:
            item.StudyInstanceUID = self._study.uid
        return into


def _open(data_set: Any) -> _Image:
    acquired = tuple(keyword for keyword in _ACQUIRED if keyword in data_set)
    syntax = data_set.file_meta.TransferSyntaxUID
    origin = tuple(float(value) for value in data_set.get("ImagePositionPatient") or ())
    row_column = tuple(float(value) for value in data_set.get("ImageOrientationPatient") or ())
    return _Image(
        elements=_encode(_forget(data_set), syntax, ()),
        sop_class=str(data_set.SOPClassUID),
        syntax=syntax,
        origin=origin if len(origin) == 3 else (),
        normal=_normal(row_column) if len(row_column) == 6 else (),
        acquired=acquired,
    )


def _forget(data_set: Any) -> Any:
    """The same data set without what tells of its first patient."""
    for keyword in _FORGOTTEN:
        if keyword in data_set:
            delattr(data_set, keyword)
    for keyword in _EMPTIED:
        if keyword in data_set:
            data_set[keyword].clear()
    return data_set


def _normal(v: tuple[float, ...]) -> tuple[float, ...]:
    """The direction from slice to slice (PS3.3 C.7.6.2.1.1)."""
    return v[1] * v[5] - v[2] * v[4], v[2] * v[3] - v[0] * v[5], v[0] * v[4] - v[1] * v[3]


def _about_study(study: Study) -> dict[str, object]:
    person, station = study.person, study.examination.station
    outside = station == "DISC"
    return {
        "SpecificCharacterSet": list(person.charset) or None,
        "StudyDate": f"{study.moment:%Y%m%d}",
        "StudyTime": f"{study.moment:%H%M%S}",
        "AccessionNumber": study.accession,
        "InstitutionName": "Outside hospital" if outside else INSTITUTION,
        "ReferringPhysicianName": person.referring,
        "StationName": station,
        "StudyDescription": study.description,
        "PatientName": person.person_name,
        "PatientID": person.patient_id,
        "PatientBirthDate": person.birth,
        "PatientSex": person.sex,
        "PatientAge": _age(person.birth, study.moment.date()),
        "BodyPartExamined": study.examination.body_part,
        "StudyInstanceUID": study.uid,
        "StudyID": study.study_id,
    }


def _age(birth: str, day: date) -> str | None:
    """PatientAge in whole years; None where no birth date is known."""
    if not birth:
        return None
    years = day.year - int(birth[:4]) - (f"{day:%m%d}" < birth[4:])
    return f"{max(years, 0):03d}Y"


def _about_series(study: Study, series: Series) -> dict[str, object]:
    pattern = series.pattern
    return {
        "SeriesDate": f"{series.moment:%Y%m%d}",
        "SeriesTime": f"{series.moment:%H%M%S}",
        "Modality": pattern.modality,
        "SeriesDescription": pattern.description,
        "SeriesInstanceUID": series.uid,
        "SeriesNumber": str(series.number),
        "FrameOfReferenceUID": study.frame_of_reference if pattern.step else None,
        "SliceThickness": str(pattern.step) if pattern.step else None,
        "WindowCenter": str(pattern.window[0]) if pattern.window else None,
        "WindowWidth": str(pattern.window[1]) if pattern.window else None,
    }


def _about_instance(series: Series, position: int, first: _Image, image: _Image) -> dict[str, object]:
    moment: datetime = series.moment + timedelta(seconds=position)
    day, clock = f"{moment:%Y%m%d}", f"{moment:%H%M%S}"
    values: dict[str, object] = {
        "SOPClassUID": image.sop_class,
        "SOPInstanceUID": dotted(series.instances[position]),
        "ContentDate": day,
        "ContentTime": clock,
        "InstanceNumber": str(position + 1),
    }
    acquired = dict(zip(_ACQUIRED, (day, clock, day + clock), strict=True))
    values.update((keyword, acquired[keyword]) for keyword in image.acquired)
    if series.pattern.step and first.origin and first.normal:
        way = series.pattern.step * position
        place = [a + way * n for a, n in zip(first.origin, first.normal, strict=True)]
        values["ImagePositionPatient"] = [f"{value:.4f}" for value in place]
        # The distance along the normal: what a viewer would sort by.
        values["SliceLocation"] = f"{sum(a * n for a, n in zip(place, first.normal, strict=True)):.4f}"
    return values


def _data_set(values: dict[str, object]) -> Any:
    """A pydicom data set of these attributes; None leaves an attribute out."""
    from pydicom.dataset import Dataset

    data_set = Dataset()
    for keyword, value in values.items():
        if value is not None:
            setattr(data_set, keyword, value)
    return data_set


def _encode(data_set: Any, syntax: Any, charset: tuple[str, ...]) -> dict[int, bytes]:
    """Each element as it stands in a file of that transfer syntax; retired group lengths are left out."""
    from pydicom.charset import convert_encodings
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_data_element

    encodings = convert_encodings(list(charset) or None)
    encoded = {}
    for tag in data_set.keys():  # noqa: SIM118  iterating the data set itself would decode every element
        if tag.element == 0:
            continue
        buffer = DicomBytesIO()
        buffer.is_implicit_VR, buffer.is_little_endian = syntax.is_implicit_VR, syntax.is_little_endian
        write_data_element(buffer, data_set.get_item(tag), encodings)
        encoded[int(tag)] = buffer.getvalue()
    return encoded


def _write(held: Held, station: str, elements: dict[int, bytes], *, deflated: bool) -> None:
    header = StoreRequest(station, "", "", held.sop_class, held.sop_instance, held.transfer_syntax).part10_header()
    body = b"".join(elements[tag] for tag in sorted(elements))
    if deflated:
        # A raw stream, padded to even length (PS3.5 A.5).
        compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        body = compressor.compress(body) + compressor.flush()
        body += b"\0" * (len(body) & 1)
    try:
        held.path.write_bytes(header + body)
    except OSError as error:
        raise StorageError(f"The demo cannot write {held.path}: {error.strerror}.") from error
