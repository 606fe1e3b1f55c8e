"""How the archive is: what its processes report, what its index counts, and how long its disks last."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from pacs_tui.archive.index import Counts
from pacs_tui.archive.inspection import inspecting, quarantine
from pacs_tui.errors import StorageError
from pacs_tui.service import reports
from pacs_tui.service.reports import Report
from pacs_tui.settings import Area, Settings

_DAYS = 7
_DAY_SECONDS = 86_400
_GIGABYTE, _MEGABYTE = 10**9, 10**6


class AreaStatus(msgspec.Struct, frozen=True):
    """One area: what it holds, and the room it has."""

    ae_title: str
    port: int | None
    """Where it is served; None while it is not."""
    studies: int
    series: int
    instances: int
    bytes: int
    quota_bytes: int
    """0 is no limit."""
    free_bytes: int
    total_bytes: int
    """Of the disk its folder is on."""
    bytes_a_day: float
    """What arrived, over the last seven days."""
    days_to_full: float | None
    """Of disk or quota, whichever ends first; None where nothing arrives."""
    conflicts: int
    quarantine_files: int
    quarantine_bytes: int


class Status(msgspec.Struct, frozen=True):
    """The archive at one moment."""

    running: bool
    processes: tuple[Report, ...]
    areas: tuple[AreaStatus, ...]
    trouble: str = ""
    """Why the index tells nothing."""


def status(settings: Settings, index: str) -> Status:
    """Everything there is to know, whether the archive runs or not."""
    processes = tuple(reports.read(settings.state))
    counts: list[Counts] = []
    intake: list[tuple[str, int, int, int]] = []
    conflicts: dict[str, int] = {}
    trouble = ""
    try:
        with inspecting(index) as held:
            if held is not None:
                counts, conflicts = held.counts(), dict(held.conflict_counts())
                intake = held.intake(_day(time.time() - (_DAYS - 1) * _DAY_SECONDS))
    except StorageError as error:
        trouble = str(error)
    daily = bytes_a_day(intake, time.time())
    known = {one.ae_title: one for one in counts}
    ports = {title: port for report in processes for title, port in report.ports.items()}
    areas = settings.archive.areas
    together = {area.ae_title: sum(daily.get(one.ae_title, 0.0) for one in _neighbours(area, areas)) for area in areas}
    return Status(
        bool(processes), processes,
        tuple(
            _area(area, settings, known.get(area.ae_title), ports.get(area.ae_title), daily.get(area.ae_title, 0.0),
                  together[area.ae_title], conflicts.get(area.ae_title, 0))
            for area in areas
        ),
        trouble,
    )  # fmt: skip


def _area(
    area: Area, settings: Settings, counts: Counts | None, port: int | None, daily: float, disk_daily: float,
    conflicts: int,
) -> AreaStatus:  # fmt: skip
    held = counts or Counts(area.ae_title, 0, 0, 0, 0)
    disk = shutil.disk_usage(_existing(area.sta))
    aside = quarantine(area.sta)
    quota = round(area.quota_gigabytes * _GIGABYTE)
    room = disk.free - settings.archive.low_water_megabytes * _MEGABYTE
    ends = [max(0.0, room) / disk_daily] if disk_daily else []
    if quota and daily:
        ends.append(max(0, quota - held.bytes) / daily)
    return AreaStatus(
        area.ae_title, port, held.studies, held.series, held.instances, held.bytes, quota, disk.free, disk.total, daily,
        min(ends, default=None), conflicts, aside.files, aside.bytes,
    )  # fmt: skip


def bytes_a_day(intake: Sequence[tuple[str, int, int, int]], now: float) -> dict[str, float]:
    """Bytes that arrived per day in each area: over seven days, or since the first of them that brought something."""
    if not intake:
        return {}
    first = min(day for _, day, _, _ in intake)
    began = time.strptime(str(first), "%Y%m%d")
    days = (int(now) // _DAY_SECONDS) - (_utc(began) // _DAY_SECONDS) + 1
    sums: dict[str, float] = {}
    for title, _, _, size in intake:
        sums[title] = sums.get(title, 0.0) + size / max(1, days)
    return sums


def _utc(moment: time.struct_time) -> int:
    import calendar

    return calendar.timegm(moment)


def _day(moment: float) -> int:
    return int(time.strftime("%Y%m%d", time.gmtime(moment)))


def _neighbours(area: Area, areas: Sequence[Area]) -> list[Area]:
    """The areas on the same disk: they fill it together."""
    device = _existing(area.sta).stat().st_dev
    return [one for one in areas if _existing(one.sta).stat().st_dev == device]


def _existing(folder: Path) -> Path:
    """The folder, or the one above that exists already."""
    return next((path for path in (folder, *folder.parents) if path.exists()), Path("/"))
