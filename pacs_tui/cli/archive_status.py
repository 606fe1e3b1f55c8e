"""`pacs-tui archive status`: how the archive is."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from pacs_tui.errors import Exit

if TYPE_CHECKING:
    from pacs_tui.cli.output import Output
    from pacs_tui.service.reports import Rate, Report
    from pacs_tui.service.status import AreaStatus, Status
    from pacs_tui.station import Station


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = verbs.add_parser(
        "status",
        help="processes, associations, rates, what each area holds, how long the disk lasts",
        description="How the archive is: its processes, open associations, rates, areas and disks. Works whether it "
        "runs or not; exit code 1 where the index cannot be read.",
    )
    parser.set_defaults(run=run)


def run(_args: argparse.Namespace, station: Station, output: Output) -> Exit:
    """One JSON object, or a page for people."""
    from pacs_tui.service.status import status

    found = status(station.settings, station.index)
    if output.json:
        import msgspec

        output.record(msgspec.to_builtins(found))
    else:
        output.record({}, "\n".join(page(found, time.time())))
    if found.trouble:
        output.say(found.trouble)
        return Exit.ERROR
    return Exit.OK


def page(found: Status, now: float) -> list[str]:
    """What people read."""
    serving = [report for report in found.processes if report.role == "serving"]
    lines = _processes(found, serving, now)
    lines += ["", *_areas(found)]
    if serving:
        lines += ["", *_associations(serving)]
    return lines


def _processes(found: Status, serving: list[Report], now: float) -> list[str]:
    if not found.running:
        return ["The archive is not running."]
    waiting = sum(report.waiting for report in serving)
    lines = [
        f"last 10 s   {_rate([report.ten_seconds for report in serving])}",
        f"last minute {_rate([report.minute for report in serving])}",
        f"waiting for commit {waiting}",
        "",
        f"{'process':<10}{'role':<13}{'up':>10}{'memory':>10}{'open':>7}{'accepted':>10}{'rejected':>10}{'aborted':>9}",
    ]
    for report in found.processes:
        totals = report.snapshot.totals
        lines.append(
            f"{report.pid:<10}{report.role:<13}{span(now - report.started):>10}{size(report.memory):>10}"
            f"{len(report.snapshot.open):>7}{totals.associations:>10}{totals.rejected:>10}{totals.aborted:>9}"
        )
        if report.trouble:
            lines.append(f"  in trouble: {report.trouble}")
        if now - report.written > 10:
            lines.append(f"  silent for {span(now - report.written)}")
    return lines


def _areas(found: Status) -> list[str]:
    if not found.areas:
        return ["config.toml names no area."]
    lines = [
        f"{'area':<17}{'port':>6}{'studies':>10}{'series':>10}{'instances':>12}{'held':>10}{'a day':>10}{'free':>10}"
        f"{'full in':>10}{'conflicts':>11}{'quarantine':>12}"
    ]
    return lines + [_area(area) for area in found.areas]


def _area(area: AreaStatus) -> str:
    free = min(area.free_bytes, area.quota_bytes - area.bytes) if area.quota_bytes else area.free_bytes
    days = "never" if area.days_to_full is None else f"{area.days_to_full:,.0f} days"
    return (
        f"{area.ae_title:<17}{area.port or '-':>6}{area.studies:>10,}{area.series:>10,}{area.instances:>12,}"
        f"{size(area.bytes):>10}{size(area.bytes_a_day):>10}{size(max(0, free)):>10}{days:>10}{area.conflicts:>11,}"
        f"{area.quarantine_files:>12,}"
    )


def _associations(serving: list[Report]) -> list[str]:
    rows = sorted((one for report in serving for one in report.snapshot.open), key=lambda one: -one.since)
    if not rows:
        return ["No association is open."]
    lines = [f"{'calling':<17}{'host':<24}{'called':<17}{'open':>9} {'operation':<10}{'instances':>10}{'bytes':>10}"]
    return lines + [
        f"{one.calling:<17}{one.host:<24}{one.called:<17}{span(one.since):>9} {one.operation or '-':<10}"
        f"{one.instances:>10,}{size(one.bytes):>10}"
        for one in rows
    ]


def _rate(rates: list[Rate]) -> str:
    instances, volume = sum(rate.instances for rate in rates), sum(rate.bytes for rate in rates)
    return f"{instances:,.1f} instances/s, {volume / 1e6:,.1f} MB/s"


def size(number: float) -> str:
    """Bytes in decimal units, three digits or so."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 10 else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:,.1f} TB"


def span(seconds: float) -> str:
    """A time as its two largest units."""
    whole = max(0, int(seconds))
    days, hours, minutes = whole // 86_400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} m"
    return f"{minutes} m {whole % 60} s" if minutes else f"{whole} s"
