"""A station without a network: an in-memory hospital, scripted peers, a queue and a viewer that do as they are told."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, cast

from msgspec.structs import replace

from pacs_tui.errors import Cancelled, NetworkError, NotFound, PacsError, Unreachable, UsageError
from pacs_tui.model.job import Job, JobEvent, JobState, Plan, PlannedInstance
from pacs_tui.model.level import Level
from pacs_tui.model.match import Match
from pacs_tui.model.node import Echo, Node
from pacs_tui.model.picture import Canvas, Picture
from pacs_tui.model.query import Query
from pacs_tui.model.transfer import Target
from pacs_tui.settings import Settings

if TYPE_CHECKING:
    from pacs_tui.station import Station

CT = "1.2.840.10008.5.1.4.1.1.2"


@dataclass(frozen=True, slots=True)
class FakeStudy:
    """A study of the hospital; its series and instances follow from the numbers."""

    uid: str
    name: str
    patient_id: str
    date: str = "20261120"
    time: str = "101200"
    modality: str = "CT"
    description: str = "CHEST W CONTRAST"
    accession: str = "A-77812"
    born: str = "19610203"
    sex: str = "F"
    series: tuple[int, ...] = (2, 12)
    """Instances of each series."""

    def patient(self) -> dict[str, str]:
        return {"PatientName": self.name, "PatientID": self.patient_id, "PatientBirthDate": self.born,
                "PatientSex": self.sex}  # fmt: skip

    def row(self) -> dict[str, str]:
        """As a STUDY query returns it."""
        return self.patient() | {
            "StudyInstanceUID": self.uid, "StudyDate": self.date, "StudyTime": self.time,
            "ModalitiesInStudy": self.modality, "StudyDescription": self.description,
            "AccessionNumber": self.accession, "NumberOfStudyRelatedSeries": str(len(self.series)),
            "NumberOfStudyRelatedInstances": str(sum(self.series)),
        }  # fmt: skip

    def series_rows(self) -> list[dict[str, str]]:
        return [
            {"StudyInstanceUID": self.uid, "SeriesInstanceUID": f"{self.uid}.{n}", "SeriesNumber": str(n),
             "Modality": self.modality, "SeriesDescription": "SCOUT" if n == 1 else f"AXIAL {n * 1.25:g}",
             "BodyPartExamined": "CHEST", "NumberOfSeriesRelatedInstances": str(count)}
            for n, count in enumerate(self.series, 1)
        ]  # fmt: skip

    def instance_rows(self, series_uid: str) -> list[dict[str, str]]:
        number = int(series_uid.rpartition(".")[2])
        return [
            {"StudyInstanceUID": self.uid, "SeriesInstanceUID": series_uid, "SOPInstanceUID": f"{series_uid}.{i}",
             "SOPClassUID": CT, "InstanceNumber": str(i), "Rows": "512", "Columns": "512"}
            for i in range(1, self.series[number - 1] + 1)
        ]  # fmt: skip


HOSPITAL: tuple[FakeStudy, ...] = (
    FakeStudy("1.2.3.1", "MEIER^ANNA", "4711"),
    FakeStudy("1.2.3.2", "MEIER^BERT", "0815", "20261118", "083000", "MR", "KNEE LEFT", "A-77001", "19481130", "M"),
    FakeStudy("1.2.3.3", "MEIER^ANNA", "4711", "20261002", "141500", "CR", "CHEST PA LAT", "A-70233", series=(2,)),
    FakeStudy("1.2.3.4", "ROSSI^GIULIA", "9001", "20261119", "160200", "MR", "BRAIN T1 T2 FLAIR", "A-77410", "19790615",
              series=(3, 20, 20, 24)),
    FakeStudy("1.2.3.5", "YAMADA^TARO=山田^太郎", "3141", "20261121", "072200", "US", "ABDOMEN", "A-77990", "19850101",
              "M", series=(18,)),
)  # fmt: skip


@dataclass
class Script:
    """What a peer does out of the ordinary."""

    error: NetworkError | None = None
    """Raised by every call."""
    gate: threading.Event | None = None
    """Held back before every row until it is set; cancelling lets go."""
    after: int = 0
    """Rows that pass before the gate is asked."""
    rows: Sequence[dict[str, str]] | None = None
    """STUDY rows to answer instead of the hospital's."""


class FakePeer:
    """Answers from the hospital, as scripted."""

    def __init__(self, node: Node, studies: Sequence[FakeStudy], script: Script) -> None:
        self.node, self.studies, self.script = node, studies, script
        self.queries: list[Query] = []
        self.echoes = 0

    def echo(self, count: int = 1, cancel: threading.Event | None = None) -> Iterator[Echo]:
        self.echoes += 1
        if self.script.error:
            raise self.script.error
        for _ in range(count):
            yield Echo(self.node.name, 4.2, 7.0)

    def find(self, query: Query, cancel: threading.Event | None = None) -> Iterator[Match]:
        self.queries.append(query)
        if self.script.error:
            raise self.script.error
        for passed, row in enumerate(self._rows(query)):
            if query.limit is not None and passed >= query.limit:
                return
            self._wait(passed, cancel)
            yield Match(query.level, self.node.name, row)

    def _wait(self, passed: int, cancel: threading.Event | None) -> None:
        gate = self.script.gate
        if gate is None or passed < self.script.after:
            return
        while not gate.wait(0.005):
            if cancel is not None and cancel.is_set():
                raise Cancelled("Cancelled.")

    def _rows(self, query: Query) -> Iterable[dict[str, str]]:
        keys = dict(query.matching)
        if query.level is Level.STUDY:
            rows = [s.row() for s in self.studies] if self.script.rows is None else self.script.rows
            return (row for row in rows if _matches(row, keys))
        study = next((s for s in self.studies if s.uid == keys["StudyInstanceUID"]), None)
        if study is None:
            return ()
        return study.series_rows() if query.level is Level.SERIES else study.instance_rows(keys["SeriesInstanceUID"])


def _matches(row: dict[str, str], keys: dict[str, str]) -> bool:
    return all(
        _in_range(row.get(key, ""), value)
        if key == "StudyDate"
        else fnmatchcase(row.get(key, "").upper(), value.upper())
        for key, value in keys.items()
    )


def _in_range(day: str, value: str) -> bool:
    first, dash, last = value.partition("-")
    return first <= day <= (last or "9") if dash else day == value


@dataclass
class FakeBook:
    """The book as plain lists."""

    known: list[Node]
    lines: list[str] = field(default_factory=list)
    preferences: dict[str, str] = field(default_factory=dict)

    def nodes(self) -> list[Node]:
        return list(self.known)

    def node(self, name: str) -> Node:
        for node in self.known:
            if node.name == name:
                return node
        raise NotFound(f"There is no node {name}.")

    def save_node(self, node: Node) -> None:
        names = [known.name for known in self.known]
        if node.name in names:
            self.known[names.index(node.name)] = node
        else:
            self.known.append(node)

    def remove_node(self, name: str) -> None:
        self.known.remove(self.node(name))

    def queries(self) -> list[str]:
        return list(self.lines)

    def save_query(self, line: str) -> None:
        self.lines = [line, *(old for old in self.lines if old != line)]

    def preference(self, key: str, default: str = "") -> str:
        return self.preferences.get(key, default)

    def set_preference(self, key: str, value: str) -> None:
        self.preferences[key] = value


class FakeQueue:
    """Jobs that move on when a test says so."""

    def __init__(self) -> None:
        self._jobs: dict[int, Job] = {}
        self._plans: dict[int, Plan] = {}
        self._events: dict[int, list[JobEvent]] = {}
        self._missing: dict[int, list[PlannedInstance]] = {}
        self._version = 0

    def add(self, job: Job, events: Sequence[str] = (), missing: Sequence[PlannedInstance] = ()) -> None:
        """A job that was there before."""
        self._jobs[job.id] = job
        self._events[job.id] = [JobEvent(job.created + n, text) for n, text in enumerate(events)]
        self._missing[job.id] = list(missing)
        self._version += 1

    def change(self, number: int, missing: Sequence[PlannedInstance] | None = None, **values: object) -> Job:
        """What a worker would have written."""
        job = self._jobs[number] = replace(self._jobs[number], **values)
        if missing is not None:
            self._missing[number] = list(missing)
        self._events[number].append(JobEvent(time.time(), f"{job.state.value.capitalize()}: {job.reason}"))
        self._version += 1
        return job

    def enqueue(self, plan: Plan) -> Job:
        number = max(self._jobs, default=0) + 1
        total = len(plan.instances)
        job = Job(number, JobState.WAITING, plan.source, plan.destination, plan.label, total, 0, 0, time.time())
        self._plans[number] = plan
        self.add(job, [f"Planned {total} instances"])
        return job

    def plan_of(self, number: int) -> Plan:
        return self._plans[number]

    def jobs(self, limit: int = 200) -> list[Job]:
        return [self._jobs[number] for number in sorted(self._jobs, reverse=True)][:limit]

    def job(self, number: int) -> Job:
        if number not in self._jobs:
            raise NotFound(f"There is no job {number}.")
        return self._jobs[number]

    def counts(self) -> dict[JobState, int]:
        return {state: sum(job.state is state for job in self._jobs.values()) for state in JobState}

    def version(self) -> int:
        return self._version

    def events(self, number: int) -> list[JobEvent]:
        return list(self._events[number])

    def missing(self, number: int) -> list[PlannedInstance]:
        return list(self._missing[number])

    def cancel(self, number: int) -> Job:
        return self.change(number, state=JobState.CANCELLED, reason="Cancelled before it was sent")

    def retry(self, number: int) -> Job:
        return self.change(number, state=JobState.WAITING, reason="", code="")


class FakePlanner:
    """Plans from the hospital."""

    def __init__(self, station: FakeStation) -> None:
        self._station = station

    def plan(
        self,
        source: str,
        destination: str,
        label: str,
        targets: Sequence[Target],
        cancel: threading.Event | None = None,
    ) -> Plan:
        if self._station.book.node(destination).readonly:
            raise UsageError(f"{destination} is marked read-only: nothing is sent to it.")
        found: dict[str, PlannedInstance] = {}
        for target in targets:
            for study in self._station.studies:
                if study.uid == target.study_uid:
                    found |= {i.sop_instance: i for i in _instances(study, target)}
        return Plan(source, destination, label, tuple(targets), tuple(found.values()))


def _instances(study: FakeStudy, target: Target) -> Iterator[PlannedInstance]:
    for series in study.series_rows():
        uid = series["SeriesInstanceUID"]
        if target.series_uid in ("", uid):
            for row in study.instance_rows(uid):
                if not target.instance_uids or row["SOPInstanceUID"] in target.instance_uids:
                    yield PlannedInstance(study.uid, uid, row["SOPInstanceUID"], CT)


class FakeViewer:
    """Draws a grey ramp, and remembers who asked for what."""

    def __init__(self) -> None:
        self.asked: list[Target] = []
        self.cancelled: list[Target] = []
        self.gate: threading.Event | None = None
        self.error: PacsError | None = None

    def picture(self, node: str, target: Target, canvas: Canvas, cancel: threading.Event) -> Picture:
        self.asked.append(target)
        while self.gate is not None and not self.gate.wait(0.005):
            if cancel.is_set():
                self.cancelled.append(target)
                raise Cancelled("Cancelled.")
        if self.error is not None:
            raise self.error
        return ramp(canvas, "W 400 L 40   512×512   1/12")


def ramp(canvas: Canvas, caption: str) -> Picture:
    """A disc on black, in half blocks."""
    columns, rows = min(canvas.columns, 2 * canvas.rows), canvas.rows
    left = (canvas.columns - columns) // 2

    def grey(x: int, y: int) -> bytes:
        u, v = (x - left - columns / 2) / (columns / 2), (y - rows) / rows
        inside = u * u + v * v < 0.9 and left <= x < left + columns
        return bytes([int(40 + 160 * (u + 1) / 2)] * 3) if inside else b"\0\0\0"

    upper = b"".join(grey(x, 2 * y) for y in range(rows) for x in range(canvas.columns))
    lower = b"".join(grey(x, 2 * y + 1) for y in range(rows) for x in range(canvas.columns))
    return Picture(canvas.columns, rows, ("▀" * canvas.columns,) * rows, upper, lower, caption=caption)


ORTHO1_DOWN = Unreachable(
    "ORTHO1 (10.0.0.7:11114) refused the connection.", "tcp:refused", node="ORTHO1", host="10.0.0.7", port=11114
)


class FakeStation:
    """Three nodes, one of them not answering; every part is there at once."""

    def __init__(self, *, readonly: bool = False, studies: Sequence[FakeStudy] = HOSPITAL, limit: int = 500) -> None:
        here = Path("nowhere")
        self.settings = Settings(here / "config.toml", here, here, here, query_limit=limit)
        self.readonly = readonly
        self.studies = list(studies)
        self.book = FakeBook([
            Node("IMAGECTN", "IMAGECTN", "10.0.0.5", 11112, comment="the archive"),
            Node("MED1", "MED1", "10.0.0.6", 11113),
            Node("ORTHO1", "ORTHO1", "10.0.0.7", 11114),
        ])  # fmt: skip
        self.queue = FakeQueue()
        self.planner = FakePlanner(self)
        self.viewer = FakeViewer()
        self.scripts: dict[str, Script] = {"ORTHO1": Script(error=ORTHO1_DOWN)}
        self.peers: dict[str, FakePeer] = {}
        self.workers_launched = 0

    def peer(self, name: str) -> FakePeer:
        if name not in self.peers:
            script = self.scripts.setdefault(name, Script())
            self.peers[name] = FakePeer(self.book.node(name), self.studies, script)
        return self.peers[name]

    def launch_worker(self) -> bool:
        self.workers_launched += 1
        return True

    def close(self) -> None:
        pass

    @property
    def station(self) -> Station:
        """Itself, as what it stands for."""
        return cast("Station", self)
