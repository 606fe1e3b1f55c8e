"""An index of any size, written without sending a single instance: through the door that a rebuild uses."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from bench.bench import Bench
from bench.corpus import CT_CLASS, Population
from bench.peers import TITLE
from pacs_tui.archive.arrival import Arrival, Fate
from pacs_tui.archive.index import Index
from pacs_tui.settings import Area

_BATCH = 200
_EXPLICIT = "1.2.840.10008.1.2.1"


@dataclass(frozen=True)
class Filling:
    """An index of a home that is open for more."""

    index: Index
    area: int
    people: Population
    series: int
    """Of a study."""
    instances: int
    """Of a series."""

    def add(self, numbers: range) -> float:
        """Write instances down, counted study by study and series by series; the seconds it took."""
        arriving = (_arrival(self.area, self.people, number, self.series, self.instances) for number in numbers)
        spent = 0.0
        while batch := list(islice(arriving, _BATCH)):
            began = time.perf_counter()
            results = self.index.add_all(batch)
            spent += time.perf_counter() - began
            assert all(result.fate is Fate.NEW for result in results)
        return spent


@contextmanager
def filling(home: Path, people: Population, series: int = 1, instances: int = 1) -> Iterator[Filling]:
    """The index of a home, open for instances of the people; its file is whole afterwards.

    Files of instances are not made: such an archive answers queries only.
    """
    (home / "data").mkdir(parents=True, exist_ok=True)
    index = Index(f"sqlite:///{home / 'data' / 'index.db'}")
    try:
        yield Filling(index, index.open([Area(TITLE, 0, home / "data" / "sta")])[TITLE], people, series, instances)
    finally:
        index.close()


def fill(home: Path, people: Population, series: int = 1, instances: int = 1) -> None:
    """Give a home an index with all instances of the people."""
    with filling(home, people, series, instances) as filled:
        filled.add(range(people.studies * series * instances))


def give(bench: Bench, home: Path, people: Population, series: int = 1, instances: int = 1) -> None:
    """As `fill`, by a copy of what was filled alike before: a million instances take their time."""
    kept = bench.memory / f"filled-{people.studies}-{people.per_name}-{series}-{instances}"
    if not kept.exists():
        fill(kept, people, series, instances)
    shutil.copytree(kept / "data", home / "data")


def _arrival(area: int, population: Population, index: int, of_series: int, of_instances: int) -> Arrival:
    rest, number = divmod(index, of_instances)
    of_study, series = divmod(rest, of_series)
    study = population.study(of_study)
    series, number = series + 1, number + 1001
    uid = f"{study.uid}.{series}.{number}"
    header = {
        "PatientName": study.name, "PatientID": study.patient_id, "PatientBirthDate": "19600214", "PatientSex": "F",
        "StudyInstanceUID": study.uid, "StudyDate": study.day, "StudyTime": "101112", "StudyID": str(study.number),
        "AccessionNumber": study.accession, "StudyDescription": "CHEST WITH CONTRAST",
        "ReferringPhysicianName": "FAMILY^DOCTOR", "InstitutionName": "Synthetic General",
        "SeriesInstanceUID": f"{study.uid}.{series}", "SeriesNumber": str(series), "Modality": study.modality,
        "SeriesDescription": "AX 1.0 LUNG", "SeriesDate": study.day, "SeriesTime": "101213.25", "Manufacturer": "ACME",
        "StationName": "ROOM2", "BodyPartExamined": "CHEST", "ProtocolName": "CHEST ROUTINE",
        "SOPInstanceUID": uid, "SOPClassUID": CT_CLASS, "InstanceNumber": str(number), "Rows": "512", "Columns": "512",
    }  # fmt: skip
    return Arrival(
        area, study.uid, f"{study.uid}.{series}", uid, CT_CLASS, _EXPLICIT, header,
        hashlib.sha256(uid.encode()).digest(), 526_352, 1_782_000_000 + number, "BENCH",
    )  # fmt: skip
