"""The attributes the archive knows: one table that schema, matching and answers read."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pacs_tui.model.level import Level


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a level of the information model (PS3.4 C.6), kept in `column` of that level's table.

    The table of the PATIENT level is that of the studies (schema.py).
    """

    tag: int
    keyword: str
    vr: str
    level: Level
    column: str
    """The keyword in the manner of SQL: StudyInstanceUID is study_instance_uid."""


_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def _level(level: Level, *rows: tuple[int, str, str]) -> tuple[Attribute, ...]:
    return tuple(Attribute(tag, keyword, vr, level, _WORD.sub("_", keyword).lower()) for tag, keyword, vr in rows)


# Copied from the header of an instance.
STORED: tuple[Attribute, ...] = (
    *_level(
        Level.PATIENT,
        (0x00100010, "PatientName", "PN"),
        (0x00100020, "PatientID", "LO"),
        (0x00100021, "IssuerOfPatientID", "LO"),
        (0x00100030, "PatientBirthDate", "DA"),
        (0x00100040, "PatientSex", "CS"),
    ),
    *_level(
        Level.STUDY,
        (0x00080020, "StudyDate", "DA"),
        (0x00080030, "StudyTime", "TM"),
        (0x00080050, "AccessionNumber", "SH"),
        (0x00080080, "InstitutionName", "LO"),
        (0x00080090, "ReferringPhysicianName", "PN"),
        (0x00081030, "StudyDescription", "LO"),
        (0x00101010, "PatientAge", "AS"),
        (0x0020000D, "StudyInstanceUID", "UI"),
        (0x00200010, "StudyID", "SH"),
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
        (0x00081090, "ManufacturerModelName", "LO"),
        (0x00180015, "BodyPartExamined", "CS"),
        (0x00181030, "ProtocolName", "LO"),
        (0x00185100, "PatientPosition", "CS"),
        (0x0020000E, "SeriesInstanceUID", "UI"),
        (0x00200011, "SeriesNumber", "IS"),
        (0x00200060, "Laterality", "CS"),
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


def stored_at(*levels: Level) -> tuple[Attribute, ...]:
    """What an instance's header gives to the rows of these levels."""
    return tuple(a for a in STORED if a.level in levels)
