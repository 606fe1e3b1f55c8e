"""Made-up instances, the same in every run: a header as scanners write it, in four sizes."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

ROOT = "1.2.826.0.1.3680043.8.498.77"
CT_CLASS = "1.2.840.10008.5.1.4.1.1.2"
MAMMOGRAPHY_CLASS = "1.2.840.10008.5.1.4.1.1.1.2"
_PIXELS = b"\xe0\x7f\x10\x00OW"
_FIRST_STUDY = 100_000
# What the template says where an instance puts its own; no two share digits, so that each can be replaced in place.
_STUDY, _SERIES, _NUMBER, _DATE, _NAME, _MODALITY = b"900009", b"7", b"9009", b"18010203", b"QQQQQ^QQQQ", b"ZZ"
_SERIES_NUMBER = b"IS\x02\x00%b "
_SURNAMES = [
    "SMITH", "SMITT", "DMITR", "KMITA", "JONES", "BROWN", "KOVAL", "MULLE", "HANSE", "GARCI", "ROSSI", "WEBER",
    "NOVAK", "DUBOI", "ADAMS", "ALLEN", "BAKER", "CLARK", "DAVIS", "EVANS", "FRANK", "GREEN", "HARRI", "IRVIN",
    "JAMES", "KELLY", "LEWIS", "MASON", "NOLAN", "OWENS", "PERRY", "QUINN", "ROGER", "SCOTT", "TURNE", "URBAN",
    "VARGA", "WALSH", "YOUNG", "ZIMME", "ABBOT", "BLAKE", "CRUZE", "DREWS", "ELLIS", "FLYNN", "GRANT", "HUGHE",
    "INGLE", "JOYCE",
]  # fmt: skip
_GIVEN = ["ANNA", "BENN", "CARL", "DAVE", "EVAN", "FRED", "GRET", "HUGO", "INES", "JOHN"]


@dataclass(frozen=True)
class Kind:
    """A sort of instance."""

    name: str
    sop_class: str
    modality: str
    rows: int
    columns: int
    """16 bits a pixel; no pixels at all where there are no columns."""
    per_study: int


CT = Kind("CT", CT_CLASS, "CT", 512, 512, 100)
TINY = Kind("tiny", CT_CLASS, "CT", 32, 32, 10)
MAMMOGRAM = Kind("mammogram", MAMMOGRAPHY_CLASS, "MG", 4096, 3328, 4)
MINIMAL = Kind("minimal", CT_CLASS, "CT", 0, 0, 1)


@dataclass(frozen=True)
class Study:
    """What tells one study from another."""

    number: int
    name: str
    day: str
    modality: str

    @property
    def uid(self) -> str:
        return f"{ROOT}.{self.number}"

    @property
    def patient_id(self) -> str:
        return f"PID{self.number}"

    @property
    def accession(self) -> str:
        return f"ACC{self.number}"


@dataclass(frozen=True)
class Population:
    """Studies such that a name, a day or a month finds the same number of them however many there are."""

    studies: int
    per_name: int = 2000
    per_day: int = 27
    last_day: date = date(2026, 6, 30)

    def study(self, index: int) -> Study:
        """One study, the newest first; every eighth is an MR."""
        surname = _SURNAMES[index % min(len(_SURNAMES), max(1, self.studies // self.per_name))]
        name = f"{surname}^{_GIVEN[index * 7 % len(_GIVEN)]}"
        day = self.last_day - timedelta(index // self.per_day)
        # names come round in step with eights; shifted, every name has both modalities
        modality = "MR" if (index + index // 8) % 8 == 0 else "CT"
        return Study(_FIRST_STUDY + index, name, f"{day:%Y%m%d}", modality)


class Corpus:
    """Files of instances in a folder, written when they are first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def files(self, kind: Kind, count: int) -> list[Path]:
        """`count` Part 10 files of a kind, `kind.per_study` to a study, in order."""
        folder = self._folder / kind.name
        folder.mkdir(parents=True, exist_ok=True)
        people = Population(max(1, count // kind.per_study), per_name=1)
        paths = [folder / f"{index:06d}.dcm" for index in range(count)]
        for index, path in enumerate(paths):
            if not path.exists():
                study, within = divmod(index, kind.per_study)
                path.write_bytes(instance(kind, people.study(study), 1 + within % 2, 1001 + within, kind.modality))
        return paths

    def dealt(self, kind: Kind, count: int, hands: int) -> list[Path]:
        """Folders that share the files among so many senders: a sender takes a folder."""
        files = self.files(kind, count)
        folders = [self._folder / f"{kind.name}-{count}-{hand}-of-{hands}" for hand in range(hands)]
        for hand, folder in enumerate(folders):
            if not folder.exists():
                folder.mkdir()
                for path in files[hand * count // hands : (hand + 1) * count // hands]:
                    (folder / path.name).hardlink_to(path)
        return folders


def instance(kind: Kind, study: Study, series: int, number: int, modality: str = "") -> bytes:
    """The Part 10 file of one instance; `series` has one digit, `number` four."""
    header, pixels = _template(kind)
    digit = b"%d" % series
    # the number first: a study's may hold its placeholder
    for placeholder, value in (
        (_NUMBER, b"%d" % number), (_SERIES_NUMBER % _SERIES, _SERIES_NUMBER % digit),
        (_STUDY + b"." + _SERIES, b"%d.%b" % (study.number, digit)), (_STUDY, b"%d" % study.number),
        (_DATE, study.day.encode()), (_NAME, study.name.encode()),
        (_MODALITY, (modality or study.modality).encode()),
    ):  # fmt: skip
        assert len(placeholder) == len(value), value
        header = header.replace(placeholder, value)
    return header + pixels


@cache
def _template(kind: Kind) -> tuple[bytes, bytes]:
    """An instance before and from its pixel data on, with the placeholders."""
    ds = _header(kind)
    if kind.columns:
        _add_pixels(ds, kind)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta = meta
    whole = io.BytesIO()
    ds.save_as(whole, enforce_file_format=True)
    data = whole.getvalue()
    cut = data.index(_PIXELS) if kind.columns else len(data)
    return data[:cut], data[cut:]


def _header(kind: Kind) -> Dataset:
    study = f"{ROOT}.{_STUDY.decode()}"
    day = _DATE.decode()
    ds = Dataset()
    for keyword, value in {
        "SpecificCharacterSet": "ISO_IR 100", "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "SOPClassUID": kind.sop_class, "SOPInstanceUID": f"{study}.{_SERIES.decode()}.{_NUMBER.decode()}",
        "StudyDate": day, "SeriesDate": day, "AcquisitionDate": day, "ContentDate": day, "StudyTime": "101112",
        "SeriesTime": "101213.25", "ContentTime": "101314.5", "AccessionNumber": f"ACC{_STUDY.decode()}",
        "Modality": _MODALITY.decode(), "Manufacturer": "ACME Imaging", "InstitutionName": "Synthetic General",
        "ReferringPhysicianName": "FAMILY^DOCTOR", "StationName": "ROOM2", "StudyDescription": "CHEST WITH CONTRAST",
        "SeriesDescription": "AX 1.0 LUNG", "ManufacturerModelName": "SIM 64", "PatientName": _NAME.decode(),
        "PatientID": f"PID{_STUDY.decode()}", "PatientBirthDate": "19600214", "PatientSex": "F", "PatientAge": "066Y",
        "BodyPartExamined": "CHEST", "SliceThickness": "1.0", "KVP": "120", "ProtocolName": "CHEST ROUTINE",
        "StudyInstanceUID": study, "SeriesInstanceUID": f"{study}.{_SERIES.decode()}", "StudyID": _STUDY.decode(),
        "SeriesNumber": _SERIES.decode(), "InstanceNumber": _NUMBER.decode(),
        "ImagePositionPatient": ["-250", "-250", "31.5"], "ImageOrientationPatient": ["1", "0", "0", "0", "1", "0"],
        "FrameOfReferenceUID": f"{study}.8",
    }.items():  # fmt: skip
        setattr(ds, keyword, value)
    reference, request = Dataset(), Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = kind.sop_class, f"{study}.8.1"
    ds.ReferencedImageSequence = [reference]
    request.ScheduledProcedureStepDescription, request.ScheduledProcedureStepID = "CHEST", "STEP1"
    ds.RequestAttributesSequence = [request]
    ds.add_new(0x00090010, "LO", "ACME PRIVATE")
    ds.add_new(0x00091001, "LO", "A VALUE OF OUR OWN")
    ds.add_new(0x00091002, "OB", bytes(600))
    return ds


def _add_pixels(ds: Dataset, kind: Kind) -> None:
    for keyword, value in {
        "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "Rows": kind.rows, "Columns": kind.columns,
        "PixelSpacing": ["0.7", "0.7"], "BitsAllocated": 16, "BitsStored": 16, "HighBit": 15, "PixelRepresentation": 0,
        "WindowCenter": "40", "WindowWidth": "400", "RescaleIntercept": "-1024", "RescaleSlope": "1",
    }.items():  # fmt: skip
        setattr(ds, keyword, value)
    ds.PixelData = random.Random(kind.columns).randbytes(2 * kind.rows * kind.columns)
    ds["PixelData"].VR = "OW"
