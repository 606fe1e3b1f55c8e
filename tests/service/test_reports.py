"""What processes report about themselves, and how long the disk lasts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from pacs_tui.model.activity import Activity, Snapshot, Totals
from pacs_tui.service import reports
from pacs_tui.service.reports import Report, Reporter
from pacs_tui.service.status import bytes_a_day

NOON = 1_790_337_600.0
"""2026-09-25 12:00 UTC."""


def snapshot(instances: int, size: int) -> Snapshot:
    return Snapshot((), Totals(3, 1, 1, instances, size))


def test_rates_are_over_ten_seconds_and_a_minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("pacs_tui.service.reports.time.monotonic", lambda: now[0])
    reporter = Reporter(tmp_path, "serving", {"STA": 104})
    counted = 0
    for second in range(0, 82, 2):
        now[0] = 1000.0 + second
        counted += 20 if second > 70 else 2
        reporter.write(snapshot(counted, counted * 1000), 5, "")
    [report] = reports.read(tmp_path)
    assert (report.ports, report.waiting, report.role) == ({"STA": 104}, 5, "serving")
    assert report.ten_seconds.instances == pytest.approx(10.0)
    assert report.ten_seconds.bytes == pytest.approx(10_000.0)
    assert report.minute.instances == pytest.approx((5 * 20 + 25 * 2) / 60)
    assert report.memory > 1_000_000
    reporter.remove()
    assert reports.read(tmp_path) == []


def test_the_first_report_has_no_rate(tmp_path: Path) -> None:
    Reporter(tmp_path, "serving", {}).write(snapshot(7, 7), 0, "the index is gone")
    [report] = reports.read(tmp_path)
    assert (report.ten_seconds.instances, report.trouble) == (0.0, "the index is gone")


def test_a_report_of_a_process_that_is_gone_is_not_believed(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    me = Report(os.getpid(), reports.born(os.getpid()), "serving", NOON, NOON)
    folder = reports.folder(tmp_path)
    folder.mkdir(parents=True)
    for name, one in (
        ("me", me),
        ("ended", msgspec.structs.replace(me, pid=ended.pid)),
        ("number given again", msgspec.structs.replace(me, born="1")),
    ):
        (folder / f"{name}.json").write_bytes(msgspec.json.encode(one))
    (folder / "torn.json").write_bytes(b'{"pid": 1')
    (folder / "foreign.json").write_bytes(b'{"pid": "x"}')
    assert reports.read(tmp_path) == [me]
    (folder / "me.json").rename(folder / f"{os.getpid()}.json")
    reports.sweep(tmp_path)
    assert [path.name for path in folder.iterdir()] == [f"{os.getpid()}.json"]


def test_a_folder_that_takes_no_report_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "archive").write_text("no folder")
    reporter = Reporter(tmp_path, "serving", {})
    reporter.write(snapshot(1, 1), 0, "")
    reporter.remove()
    assert reports.read(tmp_path) == []


def test_a_report_survives_its_journey(tmp_path: Path) -> None:
    open_now = (Activity("CT\x1b1", "STA", "::1", 1.5, "C-STORE", 3, 99),)
    Reporter(tmp_path, "serving", {}).write(Snapshot(open_now, Totals()), 0, "")
    [path] = reports.folder(tmp_path).glob("*.json")
    assert json.loads(path.read_text())["snapshot"]["open"][0]["operation"] == "C-STORE"
    assert reports.read(tmp_path)[0].snapshot.open == open_now


@pytest.mark.parametrize(
    ("intake", "expected"),
    [
        ([], {}),
        ([("A", 20260925, 1, 70)], {"A": 70.0}),
        ([("A", 20260919, 1, 70), ("A", 20260925, 1, 70), ("B", 20260920, 1, 7)], {"A": 20.0, "B": 1.0}),
        ([("A", 20260924, 1, 10), ("A", 20260925, 1, 10)], {"A": 10.0}),
    ],
)
def test_a_day_is_the_mean_of_those_since_the_first(
    intake: list[tuple[str, int, int, int]], expected: dict[str, float]
) -> None:
    assert bytes_a_day(intake, NOON) == pytest.approx(expected)
