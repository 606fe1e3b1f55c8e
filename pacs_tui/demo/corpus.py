"""The demo hospital's content: made-up patients around real images, spread over seven archives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pacs_tui.demo.corpus_studies import studies
from pacs_tui.demo.corpus_writer import Writer
from pacs_tui.demo.sources import Sources
from pacs_tui.errors import StorageError
from pacs_tui.model.transfer import Held


@dataclass(frozen=True, slots=True)
class Placement:
    """One instance at one node; a study that lies on two nodes is placed twice and written once."""

    ae_title: str
    held: Held


@dataclass(frozen=True, slots=True)
class Blueprint:
    """How much `arrange` will make, known before it starts."""

    patients: int
    studies: int
    series: int
    instances: int
    """Files written."""
    held: Mapping[str, int]
    """Instances at each AE title; a file counts at every node that holds it."""

    @property
    def placements(self) -> int:
        """How many placements `arrange` yields."""
        return sum(self.held.values())


def plan(today: date) -> Blueprint:
    """Count patients, studies and instances of the hospital as of `today`, without opening an image."""
    planned = studies(today)
    held: Counter[str] = Counter()
    for study in planned:
        for series in study.series:
            held.update(dict.fromkeys(study.nodes(series), len(series.instances)))
    return Blueprint(
        patients=len({study.person.patient_id for study in planned}),
        studies=len(planned),
        series=sum(len(study.series) for study in planned),
        instances=sum(study.examination.instances for study in planned),
        held=dict(sorted(held.items())),
    )


def arrange(folder: Path, today: date) -> Iterator[Placement]:
    """Write each instance once into `folder` and yield where it belongs; the same day writes the same bytes.

    StorageError says what to do where the images are not installed or the folder cannot be written.
    """
    writer = Writer(folder, Sources())
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"The demo cannot make the folder {folder}: {error.strerror}.") from error
    for study in studies(today):
        for series, held in writer.write(study):
            for ae_title in study.nodes(series):
                yield Placement(ae_title, held)
