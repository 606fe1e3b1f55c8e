"""Nodes without a network: what they hold is a table in a file, what they do wrong is scripted."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, RLock

from pacs_tui.errors import Cancelled, Refused, Unreachable
from pacs_tui.model.job import Plan, PlannedInstance
from pacs_tui.model.level import Level
from pacs_tui.model.match import Match
from pacs_tui.model.node import Node
from pacs_tui.model.query import Query
from pacs_tui.model.transfer import Progress, Target

CT = "1.2.840.10008.5.1.4.1.1.2"
PATIENT = "4711"
DEADLINE = 30.0


def until(fact: Callable[[], object], seconds: float = DEADLINE) -> None:
    """Waits for a fact."""
    never = Event()
    for _ in range(int(seconds / 0.01)):
        if fact():
            return
        never.wait(0.01)
    raise AssertionError(f"not true after {seconds} s")


def study(number: int, series: int = 2, instances: int = 3) -> list[PlannedInstance]:
    """A made-up study 1.2.<number>."""
    return [
        PlannedInstance(f"1.2.{number}", f"1.2.{number}.{s}", f"1.2.{number}.{s}.{i}", CT)
        for s in range(1, series + 1)
        for i in range(1, instances + 1)
    ]


def plan(instances: Iterable[PlannedInstance], targets: Iterable[Target] = ()) -> Plan:
    """Everything of the studies, SOURCE to DEST."""
    held = tuple(instances)
    whole = tuple(Target(Level.STUDY, PATIENT, uid) for uid in dict.fromkeys(i.study_uid for i in held))
    return Plan("SOURCE", "DEST", "MEIER^ANNA CT", tuple(targets) or whole, held)


def node(name: str, **changes: object) -> Node:
    values: dict[str, object] = {"ae_title": name, "host": f"{name.lower()}.example", "port": 104} | changes
    return Node(name, **values)  # type: ignore[arg-type]


class Shelves:
    """What every node holds, in one file that several processes share."""

    def __init__(self, path: Path) -> None:
        self._lock = RLock()
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
        self._connection.executescript(
            "PRAGMA synchronous=OFF;"
            "CREATE TABLE IF NOT EXISTS arrival (id INTEGER PRIMARY KEY, node, study, series, instance, class);"
            "CREATE TABLE IF NOT EXISTS moving (study PRIMARY KEY);"
            "CREATE TABLE IF NOT EXISTS overlap (study);"
        )

    def close(self) -> None:
        self._connection.close()

    def put(self, name: str, instances: Iterable[PlannedInstance]) -> None:
        rows = [(name, i.study_uid, i.series_uid, i.sop_instance, i.sop_class) for i in instances]
        with self._lock:
            insert = "INSERT INTO arrival (node, study, series, instance, class) VALUES (?, ?, ?, ?, ?)"
            self._connection.executemany(insert, rows)

    def held(self, name: str) -> list[PlannedInstance]:
        return list(dict.fromkeys(self.arrivals(name)))

    def arrivals(self, name: str) -> list[PlannedInstance]:
        """Every arrival, the second one of an instance too."""
        with self._lock:
            found = self._connection.execute(
                "SELECT study, series, instance, class FROM arrival WHERE node = ? ORDER BY id", (name,)
            )
            return [PlannedInstance(*row) for row in found]

    def begin(self, study_uid: str) -> None:
        """A C-MOVE of the study begins; two at a time are an overlap."""
        with self._lock:
            done = self._connection.execute("INSERT OR IGNORE INTO moving VALUES (?)", (study_uid,))
            if done.rowcount != 1:
                self._connection.execute("INSERT INTO overlap VALUES (?)", (study_uid,))

    def end(self, study_uid: str) -> None:
        with self._lock:
            self._connection.execute("DELETE FROM moving WHERE study = ?", (study_uid,))

    def overlaps(self) -> int:
        with self._lock:
            return int(self._connection.execute("SELECT COUNT(*) FROM overlap").fetchone()[0])


@dataclass
class FakePeer:
    """A node that answers from its shelf. Its attributes script what it does wrong."""

    name: str
    shelves: Shelves
    lies: bool = False
    """C-MOVE: Success without sending anything."""
    drops: frozenset[str] = frozenset()
    """C-MOVE: these are not sent, and counted as failed."""
    loses: frozenset[str] = frozenset()
    """C-MOVE: these are not sent, and counted as completed."""
    unknown_destination: bool = False
    aborts_after: int | None = None
    """C-MOVE: A-ABORT after so many instances."""
    status_for: dict[str, int] = field(default_factory=dict)
    """C-MOVE: final status by study UID."""
    silent: bool = False
    """C-FIND: no answer."""
    shows: int | None = None
    """C-FIND at IMAGE level: only so many of what it holds, one more with each question."""
    between: Callable[[int, Event | None], None] = lambda sent, cancel: None
    """C-MOVE: called before each instance."""
    patients: dict[str, str] = field(default_factory=dict)
    """PatientID by study UID."""
    ignores_keys: bool = False
    moves: list[Target] = field(default_factory=list)
    finds: list[Query] = field(default_factory=list)

    def find(self, query: Query, cancel: Event | None = None) -> Iterator[Match]:
        self.finds.append(query)
        if cancel is not None and cancel.is_set():
            raise Cancelled("find")
        if self.silent:
            raise Unreachable(f"{self.name} did not answer.", "timeout:message", node=self.name)
        rows = [row for row in dict.fromkeys(self._rows(query.level)) if self.ignores_keys or _fits(query, dict(row))]
        if self.shows is not None and query.level is Level.IMAGE:
            rows = rows[: self.shows]
            self.shows += 1
        for row in rows:
            yield Match(query.level, self.name, dict(row))

    def _rows(self, level: Level) -> Iterator[tuple[tuple[str, str], ...]]:
        for held in self.shelves.held(self.name):
            row = {"PatientID": self.patients.get(held.study_uid, PATIENT), "StudyInstanceUID": held.study_uid}
            if level is not Level.STUDY:
                row["SeriesInstanceUID"] = held.series_uid + " "  # some peers pad with a space
            if level is Level.IMAGE:
                row |= {"SOPInstanceUID": held.sop_instance + "\0", "SOPClassUID": held.sop_class}
            yield tuple(row.items())

    def move(self, target: Target, destination: str, cancel: Event | None = None) -> Iterator[Progress]:
        self.moves.append(target)
        if self.unknown_destination:
            raise Refused("Move destination unknown.", "status:C-MOVE:A801", status=0xA801, destination=destination)
        if status := self.status_for.get(target.study_uid):
            raise Refused(f"Status {status:04X}.", f"status:C-MOVE:{status:04X}", status=status)
        self.shelves.begin(target.study_uid)
        try:
            yield from self._send(target, destination, cancel)
        finally:
            self.shelves.end(target.study_uid)

    def _send(self, target: Target, destination: str, cancel: Event | None) -> Iterator[Progress]:
        wanted = [held for held in self.shelves.held(self.name) if _within(target, held)]
        if self.lies:
            yield Progress(0, len(wanted), 0, 0, 0)
            return
        failed: list[str] = []
        for sent, instance in enumerate(wanted):
            if sent == self.aborts_after:
                raise Unreachable(f"{self.name} aborted.", "abort:0:0", node=self.name)
            self.between(sent, cancel)
            if cancel is not None and cancel.is_set():
                raise Cancelled("move")
            if instance.sop_instance in self.drops:
                failed.append(instance.sop_instance)
            elif instance.sop_instance not in self.loses:
                self.shelves.put(destination, [instance])
            done = sent + 1 - len(failed)
            yield Progress(len(wanted) - sent - 1, done, len(failed), 0, 0xFF00)
        status = 0xB000 if failed else 0
        yield Progress(0, len(wanted) - len(failed), len(failed), 0, status, tuple(failed))


def _fits(query: Query, row: dict[str, str]) -> bool:
    given = [(keyword, value) for keyword, value in query.matching if keyword in row]
    return all(row[keyword].strip(" \0") in value.split("\\") for keyword, value in given)


def _within(target: Target, held: PlannedInstance) -> bool:
    return (
        held.study_uid == target.study_uid
        and target.series_uid in ("", held.series_uid)
        and (not target.instance_uids or held.sop_instance in target.instance_uids)
    )
