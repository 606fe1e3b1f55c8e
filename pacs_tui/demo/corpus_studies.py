"""The demo hospital's studies with their UIDs, numbers and times: a pure function of the day they are made on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from random import Random
from uuid import UUID, uuid5

from pacs_tui.demo.corpus_examinations import EXAMINATIONS, Examination, SeriesPattern
from pacs_tui.demo.corpus_visits import VISITS, Visit
from pacs_tui.demo.identities import IDENTITIES, Identity

INSTITUTION = "St. Aurelia Hospital"

_SEED = UUID("6d1f0b0e-64c5-4b0f-9c57-2a0c2f6f4d71")
_PEOPLE = {person.patient_id: person for person in IDENTITIES}


@dataclass(frozen=True, slots=True)
class Series:
    """One series of a study, with an identifier for each of its instances."""

    number: int
    uid: str
    moment: datetime
    pattern: SeriesPattern
    instances: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Study:
    """One visit, worked out."""

    person: Identity
    visit: Visit
    examination: Examination
    uid: str
    frame_of_reference: str
    moment: datetime
    accession: str
    study_id: str
    series: tuple[Series, ...]

    @property
    def description(self) -> str:
        return self.visit.description or self.examination.description

    def nodes(self, series: Series) -> tuple[str, ...]:
        """The AE titles that hold this series."""
        partly = self.visit.first_series_at
        extra = (partly,) if partly and series.number == 1 else ()
        return (*self.visit.nodes.split(), *extra)


def dotted(identifier: UUID) -> str:
    """A UUID as a UID (PS3.5 B.2): at most 44 characters."""
    return f"2.25.{identifier.int}"


def studies(today: date) -> tuple[Study, ...]:
    """Every study, newest first; the same day gives the same studies, another day other UIDs."""
    ordered = sorted(VISITS, key=lambda visit: visit.days_ago, reverse=True)
    numbers = {id(visit): 77_812 + 13 * position for position, visit in enumerate(ordered)}
    return tuple(_study(visit, today, numbers[id(visit)]) for visit in VISITS)


def _study(visit: Visit, today: date, number: int) -> Study:
    key = f"{today:%Y%m%d}/{visit.patient_id}/{visit.examination}/{visit.days_ago}"
    examination = EXAMINATIONS[visit.examination]
    moment = _moment(visit, today, Random(key))
    return Study(
        person=_PEOPLE[visit.patient_id],
        visit=visit,
        examination=examination,
        uid=dotted(uuid5(_SEED, key)),
        frame_of_reference=dotted(uuid5(_SEED, f"{key}/frame")),
        moment=moment,
        accession=f"A-{number}",
        study_id=f"S{number - 70_000:05d}",
        series=tuple(
            _series(f"{key}/{position}", position, moment, pattern)
            for position, pattern in enumerate(examination.series, start=1)
        ),
    )


def _series(key: str, number: int, study: datetime, pattern: SeriesPattern) -> Series:
    return Series(
        number=number,
        uid=dotted(uuid5(_SEED, key)),
        moment=study + timedelta(minutes=4 * (number - 1)),
        pattern=pattern,
        instances=tuple(uuid5(_SEED, f"{key}/{position}") for position in range(1, pattern.count + 1)),
    )


def _moment(visit: Visit, today: date, draw: Random) -> datetime:
    """Office hours; emergencies before dawn too; and today nothing after seven, so that little lies in the future."""
    hours = (1, 7) if visit.days_ago == 0 else (0, 22) if "EMERGENCY" in visit.nodes else (7, 17)
    day = today - timedelta(days=visit.days_ago)
    return datetime.combine(day, time(draw.randrange(*hours), draw.randrange(60), draw.randrange(60)))
