"""`pacs-tui archive status`, `conflicts` and `rebuild`: what they print and what they exit with."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest

from pacs_tui.cli.archive_status import page, size, span
from pacs_tui.dimse.association import Association
from pacs_tui.dimse.contexts import VERIFICATION, Proposal
from pacs_tui.dimse.part10 import read_held
from pacs_tui.errors import Exit
from pacs_tui.model.activity import Activity, Snapshot, Totals
from pacs_tui.model.level import Level
from pacs_tui.model.query import by_uid
from pacs_tui.model.transfer import Held
from pacs_tui.service.reports import Rate, Report
from pacs_tui.service.status import AreaStatus, Status
from pacs_tui.settings import Timeouts
from tests.dimse.test_dataset import bundled
from tests.service.conftest import Service, area, serviced, until

NOW = 1_790_337_600.0


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with serviced(tmp_path / "home", area("STA", quota_gigabytes="1.0") + area("ORTHO")) as made:
        yield made


# ---------------------------------------------------------------------- what people read


def test_the_page_of_a_running_archive() -> None:
    activity = Activity("CT1", "STA", "10.1.2.3", 75.0, "C-STORE", 1234, 5_600_000)
    serving = Report(
        12, "1", "serving", NOW - 90_061, NOW - 30, 52_000_000, {"STA": 104}, 3, "the index is locked",
        Rate(12.5, 6.5e6), Rate(1.0, 2e6), Snapshot((activity,), Totals(9, 2, 1, 1300, 7_000_000)),
    )  # fmt: skip
    held = AreaStatus("STA", 104, 1, 2, 1234, 5_600_000, 10**9, 10**12, 2 * 10**12, 1e8, 9.944, 4, 1, 77)
    lines = page(Status(True, (serving,), (held,)), NOW)
    text = "\n".join(lines)
    assert "last 10 s   12.5 instances/s, 6.5 MB/s" in lines
    assert "waiting for commit 3" in lines
    assert "1 d 1 h" in text
    assert "  in trouble: the index is locked" in lines
    assert "  silent for 30 s" in lines
    [row] = [line.split() for line in lines if line.startswith("STA ")]
    assert row == ["STA", "104", "1", "2", "1,234", "5.6", "MB", "100", "MB", "994", "MB", "10", "days", "4", "1"]
    assert [line.split() for line in lines][-1] == [
        "CT1", "10.1.2.3", "STA", "1", "m", "15", "s", "C-STORE", "1,234", "5.6", "MB",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12_345, "12 kB"), (5.6e9, "5.6 GB"), (4.2e15, "4,200.0 TB")],
)
def test_sizes(number: float, text: str) -> None:
    assert size(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0 s"), (59.9, "59 s"), (61, "1 m 1 s"), (7200, "2 h 0 m"), (90_000, "1 d 1 h")]
)
def test_spans(seconds: float, text: str) -> None:
    assert span(seconds) == text


# ---------------------------------------------------------------------- the verbs


@pytest.mark.interop
def test_status_of_an_archive_that_never_ran(service: Service) -> None:
    done = service.run("status")
    assert (done.returncode, done.stderr) == (0, "")
    assert "The archive is not running." in done.stdout
    assert not (service.home / "data").exists(), "asking changes nothing"
    assert service.status()["running"] is False


@pytest.mark.interop
def test_status_while_it_runs_and_after(service: Service, instances: list[Held]) -> None:
    service.start()
    assert service.send(instances) == [0] * len(instances)
    node = service.nodes["STA"]
    proposal = [Proposal(VERIFICATION, ("1.2.840.10008.1.2",))]
    hostile = Association.request(node.host, node.port, "STA", "EVIL~{}", node.ae_title, proposal, Timeouts())
    until(lambda: service.status()["processes"][0]["snapshot"]["open"])
    found = service.status()
    [process] = found["processes"]
    assert (found["running"], process["pid"], process["ports"]["STA"]) == (True, service.pid, node.port)
    assert process["snapshot"]["open"][0]["calling"] == "EVIL~{}"
    assert process["snapshot"]["totals"]["instances"] == len(instances)
    assert process["minute"]["instances"] > 0
    sta, ortho = found["areas"]
    size_on_disk = sum(path.stat().st_size for path in (service.home / "data" / "STA").glob("??/*"))
    assert (sta["instances"], sta["bytes"], sta["bytes_a_day"]) == (len(instances), size_on_disk, size_on_disk)
    assert 0 < sta["days_to_full"] <= (10**9 - size_on_disk) / size_on_disk
    assert (ortho["instances"], ortho["quota_bytes"]) == (0, 0)
    assert ortho["days_to_full"] is not None, "its neighbour fills the disk"
    assert "EVIL~{}" in service.run("status").stdout
    hostile.release()
    assert service.stop() == 0
    after = service.run("status")
    assert after.returncode == 0
    assert "The archive is not running." in after.stdout
    assert f"{len(instances):>12,}" in after.stdout


@pytest.mark.interop
def test_status_with_a_damaged_index(service: Service) -> None:
    service.start()
    service.stop()
    (service.home / "data" / "index.db").write_bytes(b"\x5a" * 9999)
    done = service.run("status")
    assert done.returncode == Exit.ERROR
    assert "index damaged: run `pacs-tui archive rebuild`" in done.stderr
    assert "The archive is not running." in done.stdout
    serve = service.run("serve")
    assert (serve.returncode, serve.stdout) == (Exit.ERROR, "")
    assert "index damaged: run `pacs-tui archive rebuild`" in serve.stderr
    assert "Traceback" not in serve.stderr


@pytest.mark.interop
def test_conflicts(service: Service, instances: list[Held], tmp_path: Path) -> None:
    none = service.run("conflicts")
    assert (none.returncode, none.stdout, none.stderr) == (0, "", "No conflicts.\n")
    service.start()
    service.send(instances)
    other = pydicom.dcmread(bundled("CT_small.dcm"))
    other.PatientName = "EVIL\x1b[2J^NAME"
    other.save_as(tmp_path / "other.dcm")
    assert service.send([read_held(tmp_path / "other.dcm")]) == [0x0111]
    other.StudyInstanceUID, other.SeriesInstanceUID = "1.2.3", "1.2.3.1"
    other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = "1.2.3.1.1"
    other.save_as(tmp_path / "stranger.dcm")
    assert service.send([read_held(tmp_path / "stranger.dcm")]) == [0]
    found = [json.loads(line) for line in service.run("conflicts", "--json").stdout.splitlines()]
    assert [(one["ae_title"], one["kind"], one["calling"]) for one in found] == [
        ("STA", "patient", "TESTER"), ("STA", "content", "TESTER"),
    ]  # fmt: skip
    assert Path(found[1]["file"]).is_file()
    assert "EVIL" in found[0]["came"]
    assert found[0]["received"].startswith(time.strftime("%Y-"))
    table = service.run("conflicts", "--limit", "1")
    assert "EVIL" in table.stdout
    assert "\x1b" not in table.stdout
    assert "more with --limit" in table.stderr
    sta = next(one for one in service.status()["areas"] if one["ae_title"] == "STA")
    assert (sta["conflicts"], sta["quarantine_files"]) == (2, 1)
    assert service.run("conflicts", "--limit", "0").returncode == Exit.USAGE


@pytest.mark.interop
def test_rebuild(service: Service, instances: list[Held]) -> None:
    service.start()
    service.send(instances)
    refused = service.run("rebuild")
    assert refused.returncode == Exit.ERROR
    assert "The archive is running" in refused.stderr
    service.stop()
    (service.home / "data" / "index.db").unlink()
    done = service.run("rebuild")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{len(instances)} instances listed" in done.stdout
    (service.home / "data" / "STA" / "README").write_text("x")
    partly = service.run("rebuild", "--json", "--processes", "1", "--discard-old")
    assert partly.returncode == Exit.PARTIAL
    assert json.loads(partly.stdout)["instances"] == len(instances)
    assert "README is no file of the archive's" in partly.stderr
    service.start()
    assert len({match.values["StudyInstanceUID"] for match in service.peer().find(by_uid(Level.STUDY, ""))}) == len(
        instances
    )
    assert service.run("rebuild", "--processes", "99").returncode == Exit.USAGE


@pytest.fixture
def instances() -> list[Held]:
    return [read_held(bundled(name)) for name in ("CT_small.dcm", "MR_small_RLE.dcm", "JPEG2000.dcm", "reportsi.dcm")]
