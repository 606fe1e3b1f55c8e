"""What every process of the archive writes about itself, for `pacs-tui archive status`.

The files lie in `<state>/archive/`, one of each process, are replaced whole every two seconds and removed at the end.
One whose process is gone is not believed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections import deque
from pathlib import Path

import msgspec

from pacs_tui.model.activity import Snapshot, Totals

EVERY_SECONDS = 2.0
_MINUTE = 60.0
_log = logging.getLogger(__name__)


class Rate(msgspec.Struct, frozen=True):
    """Per second, over some time."""

    instances: float
    bytes: float
    """Over the network, both ways."""


class Report(msgspec.Struct, frozen=True):
    """One process at one moment."""

    pid: int
    born: str
    """When the kernel started it, in its own words: another process may get the same number later."""
    role: str
    """`serving`, or `supervising` those that serve."""
    started: float
    written: float
    """Unix time, seconds."""
    memory: int = 0
    """Resident bytes, those shared with other processes by their part; 0 where the system does not tell."""
    ports: dict[str, int] = {}
    """AE title to port."""
    waiting: int = 0
    """Arrivals whose rows are not committed yet."""
    trouble: str = ""
    """Why its last check did not pass."""
    ten_seconds: Rate = Rate(0.0, 0.0)
    minute: Rate = Rate(0.0, 0.0)
    snapshot: Snapshot = Snapshot((), Totals())


def folder(state: Path) -> Path:
    """Where the reports of a state folder lie."""
    return state / "archive"


class Reporter:
    """Writes the reports of this process."""

    def __init__(self, state: Path, role: str, ports: dict[str, int]) -> None:
        self._folder = folder(state)
        self._path = self._folder / f"{os.getpid()}.json"
        self._report = Report(os.getpid(), born(os.getpid()), role, time.time(), 0.0, ports=ports)
        self._samples: deque[tuple[float, int, int]] = deque()
        self._failing = False

    def write(self, snapshot: Snapshot, waiting: int, trouble: str) -> None:
        """Replace the report; a disk that takes none is no reason to stop serving, and is logged once."""
        now = time.monotonic()
        self._samples.append((now, snapshot.totals.instances, snapshot.totals.bytes))
        while self._samples[0][0] < now - _MINUTE - EVERY_SECONDS:
            self._samples.popleft()
        report = msgspec.structs.replace(
            self._report, written=time.time(), memory=memory(os.getpid()), waiting=waiting, trouble=trouble,
            ten_seconds=self._rate(10.0), minute=self._rate(_MINUTE), snapshot=snapshot,
        )  # fmt: skip
        try:
            self._folder.mkdir(mode=0o750, parents=True, exist_ok=True)
            made = self._path.with_suffix(".new")
            made.write_bytes(msgspec.json.encode(report))
            made.replace(self._path)
            self._failing = False
        except OSError as error:
            if not self._failing:
                _log.warning("the status cannot be written: %s", error)
            self._failing = True

    def remove(self) -> None:
        """The process ends."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _rate(self, seconds: float) -> Rate:
        """Since the youngest sample that is so old, or the oldest there is."""
        last = self._samples[-1]
        first = next((s for s in reversed(self._samples) if s[0] <= last[0] - seconds), self._samples[0])
        elapsed = last[0] - first[0]
        if elapsed <= 0:
            return Rate(0.0, 0.0)
        return Rate((last[1] - first[1]) / elapsed, (last[2] - first[2]) / elapsed)


def read(state: Path) -> list[Report]:
    """The reports of the processes that live, by their start; what cannot be read is left out."""
    found = []
    for path in folder(state).glob("*.json"):
        with contextlib.suppress(OSError, msgspec.DecodeError):
            report = msgspec.json.decode(path.read_bytes(), type=Report)
            if lives(report):
                found.append(report)
    return sorted(found, key=lambda report: (report.role != "supervising", report.started, report.pid))


def sweep(state: Path) -> None:
    """Remove the reports of processes that were killed."""
    living = {f"{report.pid}.json" for report in read(state)}
    for path in folder(state).glob("*.json"):
        if path.name not in living:
            with contextlib.suppress(OSError):
                path.unlink()


def lives(report: Report) -> bool:
    """True while the process that wrote it runs."""
    try:
        os.kill(report.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return born(report.pid) == report.born


def born(pid: int) -> str:
    """The start of a process in ticks since the machine's (proc(5)); empty where the system does not tell."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[19]


def memory(pid: int) -> int:
    """Resident bytes of a process, what it shares counted by its part; 0 where the system does not tell (proc(5))."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
