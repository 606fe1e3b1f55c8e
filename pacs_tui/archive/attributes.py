"""The attributes the archive knows: one table that schema, matching and answers read."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pacs_tui.model.level import Level


@dataclass(frozen=True, slots=True, eq=False)
class Attribute:
    """One attribute of a level of the information model (PS3.4 C.6), kept in `column` of that level's table.

    Those of the PATIENT level stand in the rows of the studies too, as each study says them (schema.py).
    """

    tag: int
    keyword: str
    vr: str
    level: Level
    column: str
    """The keyword in the manner of SQL: StudyInstanceUID is study_instance_uid."""
    many: bool = False
    """True where several values are usual; the column joins them by backslashes."""
    items: tuple[Attribute, ...] = ()
    """What is kept of each item of a sequence (sequences.py); their columns do not exist."""


_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SEVERAL = frozenset((
    "OtherPatientIDs", "NameOfPhysiciansReadingStudy", "AdmittingDiagnosesDescription", "PerformingPhysicianName",
    "OperatorsName", "ModalitiesInStudy", "SOPClassesInStudy",
))  # fmt: skip
_ITEMS = {
    "ProcedureCodeSequence": (
        (0x00080100, "CodeValue", "SH"),
        (0x00080102, "CodingSchemeDesignator", "SH"),
        (0x00080104, "CodeMeaning", "LO"),
    ),
    "RequestAttributesSequence": (
        (0x00080050, "AccessionNumber", "SH"),
        (0x0020000D, "StudyInstanceUID", "UI"),
        (0x00321060, "RequestedProcedureDescription", "LO"),
        (0x00400007, "ScheduledProcedureStepDescription", "LO"),
        (0x00400009, "ScheduledProcedureStepID", "SH"),
        (0x00401001, "RequestedProcedureID", "SH"),
    ),
}


def _level(level: Level, *rows: tuple[int, str, str]) -> tuple[Attribute, ...]:
    return tuple(
        Attribute(
            tag, keyword, vr, level, _WORD.sub("_", keyword).lower(), keyword in _SEVERAL,
            _level(level, *_ITEMS.get(keyword, ())),
        )
        for tag, keyword, vr in rows
    )  # fmt: skip


# Copied from the header of an instance.
STORED: tuple[Attribute, ...] = (
    *_level(
        Level.PATIENT,
        (0x00100010, "PatientName", "PN"),
        (0x00100020, "PatientID", "LO"),
        (0x00100021, "IssuerOfPatientID", "LO"),
        (0x00100030, "PatientBirthDate", "DA"),
        (0x00100032, "PatientBirthTime", "TM"),
        (0x00100040, "PatientSex", "CS"),
        (0x00101000, "OtherPatientIDs", "LO"),
        (0x00102160, "EthnicGroup", "SH"),
        (0x00104000, "PatientComments", "LT"),
    ),
    *_level(
        Level.STUDY,
        (0x00080020, "StudyDate", "DA"),
        (0x00080030, "StudyTime", "TM"),
        (0x00080050, "AccessionNumber", "SH"),
        (0x00080080, "InstitutionName", "LO"),
        (0x00080090, "ReferringPhysicianName", "PN"),
        (0x00080201, "TimezoneOffsetFromUTC", "SH"),
        (0x00081030, "StudyDescription", "LO"),
        (0x00081032, "ProcedureCodeSequence", "SQ"),
        (0x00081060, "NameOfPhysiciansReadingStudy", "PN"),
        (0x00081080, "AdmittingDiagnosesDescription", "LO"),
        (0x00101010, "PatientAge", "AS"),
        (0x00101020, "PatientSize", "DS"),
        (0x00101030, "PatientWeight", "DS"),
        (0x00102180, "Occupation", "SH"),
        (0x001021B0, "AdditionalPatientHistory", "LT"),
        (0x0020000D, "StudyInstanceUID", "UI"),
        (0x00200010, "StudyID", "SH"),
        (0x00321032, "RequestingPhysician", "PN"),
        (0x00321033, "RequestingService", "LO"),
        (0x00321060, "RequestedProcedureDescription", "LO"),
        (0x00324000, "StudyComments", "LT"),
        (0x00380010, "AdmissionID", "LO"),
    ),
    *_level(
        Level.SERIES,
        (0x00080021, "SeriesDate", "DA"),
        (0x00080031, "SeriesTime", "TM"),
        (0x00080060, "Modality", "CS"),
        (0x00080070, "Manufacturer", "LO"),
        (0x00081010, "StationName", "SH"),
        (0x0008103E, "SeriesDescription", "LO"),
        (0x00081040, "InstitutionalDepartmentName", "LO"),
        (0x00081050, "PerformingPhysicianName", "PN"),
        (0x00081070, "OperatorsName", "PN"),
        (0x00081090, "ManufacturerModelName", "LO"),
        (0x00180010, "ContrastBolusAgent", "LO"),
        (0x00180015, "BodyPartExamined", "CS"),
        (0x00181000, "DeviceSerialNumber", "LO"),
        (0x00181030, "ProtocolName", "LO"),
        (0x00185100, "PatientPosition", "CS"),
        (0x0020000E, "SeriesInstanceUID", "UI"),
        (0x00200011, "SeriesNumber", "IS"),
        (0x00200052, "FrameOfReferenceUID", "UI"),
        (0x00200060, "Laterality", "CS"),
        (0x00400244, "PerformedProcedureStepStartDate", "DA"),
        (0x00400245, "PerformedProcedureStepStartTime", "TM"),
        (0x00400253, "PerformedProcedureStepID", "SH"),
        (0x00400254, "PerformedProcedureStepDescription", "LO"),
        (0x00400275, "RequestAttributesSequence", "SQ"),
    ),
    *_level(
        Level.IMAGE,
        (0x00080016, "SOPClassUID", "UI"),
        (0x00080018, "SOPInstanceUID", "UI"),
        (0x00080022, "AcquisitionDate", "DA"),
        (0x00080023, "ContentDate", "DA"),
        (0x00080032, "AcquisitionTime", "TM"),
        (0x00080033, "ContentTime", "TM"),
        (0x00200012, "AcquisitionNumber", "IS"),
        (0x00200013, "InstanceNumber", "IS"),
        (0x00280008, "NumberOfFrames", "IS"),
        (0x00280010, "Rows", "US"),
        (0x00280011, "Columns", "US"),
    ),
)

# Counted, collected or known by the archive itself.
DERIVED: tuple[Attribute, ...] = (
    *_level(
        Level.PATIENT,
        (0x00080054, "RetrieveAETitle", "AE"),
        (0x00080056, "InstanceAvailability", "CS"),
        (0x00201200, "NumberOfPatientRelatedStudies", "IS"),
        (0x00201202, "NumberOfPatientRelatedSeries", "IS"),
        (0x00201204, "NumberOfPatientRelatedInstances", "IS"),
    ),
    *_level(
        Level.STUDY,
        (0x00080061, "ModalitiesInStudy", "CS"),
        (0x00080062, "SOPClassesInStudy", "UI"),
        (0x00201206, "NumberOfStudyRelatedSeries", "IS"),
        (0x00201208, "NumberOfStudyRelatedInstances", "IS"),
    ),
    *_level(Level.SERIES, (0x00201209, "NumberOfSeriesRelatedInstances", "IS")),
    *_level(Level.IMAGE, (0x00083002, "AvailableTransferSyntaxUID", "UI")),
)

BY_TAG: dict[int, Attribute] = {a.tag: a for a in (*STORED, *DERIVED)}
BY_KEYWORD: dict[str, Attribute] = {a.keyword: a for a in (*STORED, *DERIVED)}
MOMENTS: tuple[tuple[Attribute, Attribute], ...] = tuple(
    (BY_KEYWORD[f"{what}Date"], BY_KEYWORD[f"{what}Time"])
    for what in ("Study", "Series", "Acquisition", "Content", "PatientBirth", "PerformedProcedureStepStart")
)
"""Dates and the times that belong to them, for combined matching (PS3.4 C.2.2.2.5)."""


def stored_at(*levels: Level) -> tuple[Attribute, ...]:
    """What an instance's header gives to the rows of these levels."""
    return tuple(a for a in STORED if a.level in levels)
