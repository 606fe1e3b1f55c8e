"""What people see of a match: the columns of its row and the lines of its details. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from pacs_tui.model import text
from pacs_tui.model.level import Level
from pacs_tui.model.match import Match

SOP_CLASSES: dict[str, str] = {
    f"1.2.840.10008.5.1.4.1.1.{tail}": name
    for tail, name in (
        ("1", "CR Image"),
        ("1.1", "DX Image"),
        ("1.1.1", "DX Image (processing)"),
        ("1.2", "Mammography Image"),
        ("1.2.1", "Mammography (processing)"),
        ("1.3", "Intra-oral Image"),
        ("2", "CT Image"),
        ("2.1", "Enhanced CT Image"),
        ("3.1", "US Multi-frame"),
        ("4", "MR Image"),
        ("4.1", "Enhanced MR Image"),
        ("4.2", "MR Spectroscopy"),
        ("6.1", "US Image"),
        ("7", "Secondary Capture"),
        ("7.1", "SC Multi-frame bit"),
        ("7.2", "SC Multi-frame grey byte"),
        ("7.3", "SC Multi-frame grey word"),
        ("7.4", "SC Multi-frame colour"),
        ("9.1.1", "12-lead ECG"),
        ("9.1.2", "General ECG"),
        ("11.1", "Greyscale Presentation State"),
        ("11.2", "Colour Presentation State"),
        ("12.1", "XA Image"),
        ("12.1.1", "Enhanced XA Image"),
        ("12.2", "XRF Image"),
        ("13.1.1", "3D X-ray Angiography"),
        ("13.1.3", "Breast Tomosynthesis"),
        ("20", "NM Image"),
        ("30", "Parametric Map"),
        ("66", "Raw Data"),
        ("66.1", "Spatial Registration"),
        ("66.4", "Segmentation"),
        ("77.1.1", "Endoscopic Image"),
        ("77.1.1.1", "Endoscopic Video"),
        ("77.1.2", "Microscopic Image"),
        ("77.1.4", "Photographic Image"),
        ("77.1.4.1", "Photographic Video"),
        ("77.1.5.1", "Ophthalmic Photography"),
        ("77.1.5.4", "Ophthalmic Tomography"),
        ("77.1.6", "Whole Slide Microscopy"),
        ("88.11", "Basic Text SR"),
        ("88.22", "Enhanced SR"),
        ("88.33", "Comprehensive SR"),
        ("88.50", "Mammography CAD SR"),
        ("88.59", "Key Object Selection"),
        ("88.67", "X-ray Radiation Dose SR"),
        ("104.1", "Encapsulated PDF"),
        ("104.2", "Encapsulated CDA"),
        ("128", "PET Image"),
        ("130", "Enhanced PET Image"),
        ("481.1", "RT Image"),
        ("481.2", "RT Dose"),
        ("481.3", "RT Structure Set"),
        ("481.5", "RT Plan"),
    )
}
"""Short names of the storage SOP classes met every day (PS3.4 B.5)."""


class RowColumn(Struct, frozen=True):
    """One column of a row: where its text comes from and the room it has."""

    heading: str
    keywords: tuple[str, ...]
    """Attributes it is made of; all of them belong to RETURN_KEYS of the level."""
    width: int
    """Terminal cells."""
    form: Callable[[Match], str]
    align: str = "left"
    """left or right."""
    unit: tuple[str, str] = ("", "")
    """One and many of what a count counts, where no heading says so."""


def cells(match: Match, columns: Sequence[RowColumn] | None = None, *, units: bool = True) -> tuple[str, ...]:
    """The printable text of each column, uncut; counts carry their unit where `units` says no heading is shown."""
    return tuple(_cell(match, column, units) for column in columns or COLUMNS[match.level])


def row(match: Match, columns: Sequence[RowColumn] | None = None, *, units: bool = True) -> str:
    """The row as one line: every cell cut and filled to the width of its column, two spaces between."""
    columns = columns or COLUMNS[match.level]
    shown = zip(columns, cells(match, columns, units=units), strict=True)
    return "  ".join(text.pad(cell, column.width, column.align) for column, cell in shown).rstrip()


def headings(columns: Sequence[RowColumn]) -> str:
    """The line above a table."""
    return "  ".join(text.pad(column.heading, column.width, column.align) for column in columns).rstrip()


def details(match: Match) -> list[tuple[str, str]]:
    """Label and printable value of everything the peer told at this level, empty values left out."""
    lines = [(label, form(match)) for label, form in _DETAILS[match.level]]
    return [("Node", text.printable(match.node)), *((label, value) for label, value in lines if value)]


def sop_class(uid: str) -> str:
    """The short name of a storage SOP class, else the UID as it came."""
    return SOP_CLASSES.get(uid.strip(" \0"), text.printable(uid))


def _cell(match: Match, column: RowColumn, units: bool) -> str:
    shown = column.form(match)
    if units and shown and column.unit[1]:
        return f"{shown} {column.unit[0] if shown == '1' else column.unit[1]}"
    return shown


def _plain(keyword: str) -> Callable[[Match], str]:
    return lambda match: ", ".join(part.strip() for part in text.printable(match.get(keyword)).split("\\"))


def _name(keyword: str, missing: str = "") -> Callable[[Match], str]:
    return lambda match: text.person_name(match.get(keyword)) or missing


def _date(keyword: str) -> Callable[[Match], str]:
    return lambda match: text.date(match.get(keyword))


def _moment(date: str, time: str) -> Callable[[Match], str]:
    return lambda match: f"{text.date(match.get(date))} {text.time(match.get(time))}".strip()


def _count(keyword: str) -> Callable[[Match], str]:
    def form(match: Match) -> str:
        number = match.count(keyword)
        return "" if number is None else str(number)

    return form


def _codes(keyword: str) -> Callable[[Match], str]:
    return lambda match: ",".join(part.strip() for part in text.printable(match.get(keyword)).split("\\"))


def _matrix(match: Match) -> str:
    """columns x rows, the way everybody says it: 512×512."""
    rows, columns = match.count("Rows"), match.count("Columns")
    return f"{columns}×{rows}" if rows and columns else ""


def _class(match: Match) -> str:
    return sop_class(match.get("SOPClassUID"))


def _class_and_uid(match: Match) -> str:
    uid, name = text.printable(match.get("SOPClassUID")), _class(match)
    return uid if name == uid else f"{name} ({uid})"


def _counted(heading: str, keyword: str, width: int, one: str, many: str) -> RowColumn:
    return RowColumn(heading, (keyword,), width, _count(keyword), "right", (one, many))


def _uid(level: Level) -> RowColumn:
    return RowColumn("UID", (level.key,), 64, _plain(level.key))


_PATIENT_NAME = RowColumn("PATIENT", ("PatientName",), 28, _name("PatientName", "(no name)"))
_PATIENT_ID = RowColumn("ID", ("PatientID",), 12, _plain("PatientID"))

COLUMNS: dict[Level, tuple[RowColumn, ...]] = {
    Level.PATIENT: (
        _PATIENT_NAME,
        _PATIENT_ID,
        RowColumn("BORN", ("PatientBirthDate",), 10, _date("PatientBirthDate")),
        RowColumn("SEX", ("PatientSex",), 3, _plain("PatientSex")),
        _counted("STUDIES", "NumberOfPatientRelatedStudies", 11, "study", "studies"),
    ),
    Level.STUDY: (
        RowColumn("DATE", ("StudyDate", "StudyTime"), 16, _moment("StudyDate", "StudyTime")),
        RowColumn("MOD", ("ModalitiesInStudy",), 8, _codes("ModalitiesInStudy")),
        RowColumn("DESCRIPTION", ("StudyDescription",), 26, _plain("StudyDescription")),
        RowColumn("ACCESSION", ("AccessionNumber",), 12, _plain("AccessionNumber")),
        _counted("SERIES", "NumberOfStudyRelatedSeries", 7, "ser", "ser"),
        _counted("IMAGES", "NumberOfStudyRelatedInstances", 9, "img", "img"),
    ),
    Level.SERIES: (
        RowColumn("NO", ("SeriesNumber",), 5, _plain("SeriesNumber"), "right"),
        RowColumn("MOD", ("Modality",), 4, _plain("Modality")),
        RowColumn("DESCRIPTION", ("SeriesDescription",), 30, _plain("SeriesDescription")),
        RowColumn("BODY PART", ("BodyPartExamined",), 12, _plain("BodyPartExamined")),
        _counted("IMAGES", "NumberOfSeriesRelatedInstances", 9, "img", "img"),
    ),
    Level.IMAGE: (
        RowColumn("NO", ("InstanceNumber",), 5, _plain("InstanceNumber"), "right"),
        RowColumn("MATRIX", ("Rows", "Columns"), 11, _matrix, "right"),
        RowColumn("CLASS", ("SOPClassUID",), 28, _class),
        _counted("FRAMES", "NumberOfFrames", 11, "frame", "frames"),
    ),
}
"""The columns of the console's tree, where the row above says what a row belongs to."""

TABLE_COLUMNS: dict[Level, tuple[RowColumn, ...]] = {
    Level.PATIENT: COLUMNS[Level.PATIENT],
    Level.STUDY: (_PATIENT_NAME, _PATIENT_ID, *COLUMNS[Level.STUDY], _uid(Level.STUDY)),
    Level.SERIES: (*COLUMNS[Level.SERIES], _uid(Level.SERIES)),
    Level.IMAGE: (*COLUMNS[Level.IMAGE], _uid(Level.IMAGE)),
}
"""The columns of a table on its own, where every row has to say whose it is and what to call it in the next command."""

_PATIENT_DETAILS: tuple[tuple[str, Callable[[Match], str]], ...] = (
    ("Patient", _name("PatientName")),
    ("Patient ID", _plain("PatientID")),
    ("Born", _date("PatientBirthDate")),
    ("Sex", _plain("PatientSex")),
)

_DETAILS: dict[Level, tuple[tuple[str, Callable[[Match], str]], ...]] = {
    Level.PATIENT: (
        *_PATIENT_DETAILS,
        ("Studies", _count("NumberOfPatientRelatedStudies")),
        ("Instances", _count("NumberOfPatientRelatedInstances")),
    ),
    Level.STUDY: (
        *_PATIENT_DETAILS,
        ("Study date", _moment("StudyDate", "StudyTime")),
        ("Description", _plain("StudyDescription")),
        ("Modalities", _codes("ModalitiesInStudy")),
        ("Accession number", _plain("AccessionNumber")),
        ("Study ID", _plain("StudyID")),
        ("Referring physician", _name("ReferringPhysicianName")),
        ("Institution", _plain("InstitutionName")),
        ("Series", _count("NumberOfStudyRelatedSeries")),
        ("Instances", _count("NumberOfStudyRelatedInstances")),
        ("Study UID", _plain("StudyInstanceUID")),
    ),
    Level.SERIES: (
        ("Series number", _plain("SeriesNumber")),
        ("Modality", _plain("Modality")),
        ("Description", _plain("SeriesDescription")),
        ("Series date", _moment("SeriesDate", "SeriesTime")),
        ("Body part", _plain("BodyPartExamined")),
        ("Protocol", _plain("ProtocolName")),
        ("Manufacturer", _plain("Manufacturer")),
        ("Station", _plain("StationName")),
        ("Instances", _count("NumberOfSeriesRelatedInstances")),
        ("Series UID", _plain("SeriesInstanceUID")),
        ("Study UID", _plain("StudyInstanceUID")),
    ),
    Level.IMAGE: (
        ("Instance number", _plain("InstanceNumber")),
        ("Class", _class_and_uid),
        ("Matrix", _matrix),
        ("Frames", _count("NumberOfFrames")),
        ("Instance UID", _plain("SOPInstanceUID")),
        ("Series UID", _plain("SeriesInstanceUID")),
        ("Study UID", _plain("StudyInstanceUID")),
    ),
}
