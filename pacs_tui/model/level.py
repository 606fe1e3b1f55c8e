"""The four levels of the Query/Retrieve information models (PS3.4 C.6)."""

from __future__ import annotations

from enum import Enum


class Level(Enum):
    """A Query/Retrieve Level, valued as (0008,0052) spells it."""

    PATIENT = "PATIENT"
    STUDY = "STUDY"
    SERIES = "SERIES"
    IMAGE = "IMAGE"

    @property
    def key(self) -> str:
        """Keyword of the unique key of this level (PS3.4 C.6.1.1)."""
        return _KEYS[self]

    @property
    def word(self) -> str:
        """What the product calls an entity of this level."""
        return "instance" if self is Level.IMAGE else self.value.lower()

    @property
    def below(self) -> Level | None:
        """The next level down, None under an instance."""
        order = list(Level)
        index = order.index(self) + 1
        return order[index] if index < len(order) else None


class Root(Enum):
    """The information model a query runs in."""

    PATIENT = "patient"
    STUDY = "study"
    PATIENT_STUDY = "patient/study only"
    """Retired (PS3.4-2004 C.6.3), and still asked: Patient Root without its lower levels."""

    @property
    def levels(self) -> tuple[Level, ...]:
        """The levels of this model, from the top."""
        return _LEVELS[self]


_KEYS = {
    Level.PATIENT: "PatientID",
    Level.STUDY: "StudyInstanceUID",
    Level.SERIES: "SeriesInstanceUID",
    Level.IMAGE: "SOPInstanceUID",
}
_LEVELS = {
    Root.PATIENT: tuple(Level),
    Root.STUDY: (Level.STUDY, Level.SERIES, Level.IMAGE),
    Root.PATIENT_STUDY: (Level.PATIENT, Level.STUDY),
}
