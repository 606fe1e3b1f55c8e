"""Several serving processes on the same ports: replaced when they die, drained when the service ends."""

from __future__ import annotations

import os
import signal
import socket
import threading
from pathlib import Path

import pytest

from pacs_tui.dimse import command as cmd
from pacs_tui.dimse.association import Association
from pacs_tui.dimse.contexts import EXPLICIT, Proposal
from pacs_tui.dimse.part10 import read_meta
from pacs_tui.dimse.upper_layer import p_data
from pacs_tui.model.level import Level
from pacs_tui.model.query import by_uid
from pacs_tui.model.transfer import Held
from pacs_tui.settings import Timeouts
from tests.dimse.test_dataset import bundled
from tests.service.conftest import Service, alive, area, serviced, until

pytestmark = pytest.mark.interop


def test_two_processes_share_a_port_and_an_index(several: Service, instances: list[Held]) -> None:
    several.start()
    assert len(several.children()) == 2
    found: list[list[int]] = []
    senders = [
        threading.Thread(target=lambda title=title: found.append(several.send(instances, title)))
        for title in ("STA", "ORTHO") * 4
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert found == [[0] * len(instances)] * 8
    held = {each["ae_title"]: each["instances"] for each in several.status()["areas"]}
    assert held == {"STA": len(instances), "ORTHO": len(instances)}
    assert several.stop() == 0
    assert "Traceback" not in several.log


def test_a_killed_process_is_replaced_at_once(several: Service, instances: list[Held]) -> None:
    several.start()
    for _ in range(2):
        before = several.children()
        os.kill(before[0], signal.SIGKILL)
        until(lambda: len(several.children()) == 2 and before[0] not in several.children())  # noqa: B023
        assert several.send(instances) == [0] * len(instances)
    assert several.log.count("was ended by SIGKILL: another one starts") == 2
    assert several.stop() == 0


def test_a_process_that_ends_early_again_and_again_is_started_slower_and_slower(tmp_path: Path) -> None:
    """The index is locked away from the children by a folder in its place."""
    with serviced(tmp_path / "home", "[archive]\nprocesses = 2\n" + area("STA")) as service:
        service.start()
        index = service.home / "data" / "index.db"
        index.rename(index.with_name("elsewhere"))
        index.mkdir()
        os.kill(service.children()[0], signal.SIGKILL)
        until(lambda: "another one starts in 1 s" in service.log)
        assert "a serving process cannot start: " in service.log
        assert "Traceback" not in service.log
        index.rmdir()
        index.with_name("elsewhere").rename(index)
        until(lambda: len(service.children()) == 2 and len(service.status()["processes"]) == 3)
        assert service.stop() == 0


def test_a_process_that_hangs_is_replaced(several: Service) -> None:
    several.start()
    stopped = several.children()[0]
    os.kill(stopped, signal.SIGSTOP)
    until(lambda: stopped not in several.children())
    assert f"serving process {stopped} has passed no check" in several.log
    until(lambda: len(several.children()) == 2)
    assert len(list(several.peer().echo())) == 1


def test_no_child_outlives_a_killed_supervisor(several: Service) -> None:
    several.start()
    children = several.children()
    several.stop(signal.SIGKILL)
    until(lambda: not any(map(alive, children)))


@pytest.mark.parametrize("processes", [1, 2])
def test_tethered_it_leaves_with_whoever_started_it(tmp_path: Path, processes: int) -> None:
    with serviced(tmp_path / "home", f"[archive]\nprocesses = {processes}\n" + area("STA")) as service:
        service.start("--tether")
        assert service.process is not None
        assert service.process.stdin is not None
        service.process.stdin.close()
        assert service.process.wait(20) == 0


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_drain_lets_a_store_end_and_no_new_caller_in(tmp_path: Path, processes: int, number: int) -> None:
    with serviced(tmp_path / "home", f"[archive]\nprocesses = {processes}\n" + area("STA")) as service:
        service.start()
        assert service.process is not None
        node = service.nodes["STA"]
        store = HalfStored(service)
        service.process.send_signal(number)
        until(lambda: refused(node.host, node.port))
        assert store.finish() == 0
        assert service.process.wait(20) == 0
        service.start()
        found = service.peer().find(by_uid(Level.IMAGE, store.study, store.series))
        assert [match.values["SOPInstanceUID"] for match in found] == [store.uid]


def test_the_drain_breaks_off_what_takes_longer_than_the_grace_time(tmp_path: Path) -> None:
    with serviced(tmp_path / "home", "[archive]\ngrace_seconds = 0.5\nprocesses = 2\n" + area("STA")) as service:
        service.start()
        HalfStored(service)
        assert service.stop() == 0
        assert list((service.home / "data" / "STA" / "incoming").glob("*/*")) == []


def refused(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), 2).close()
    except ConnectionRefusedError:
        return True
    return False


class HalfStored:
    """A C-STORE whose second half comes when it is told to."""

    def __init__(self, service: Service) -> None:
        import pydicom

        path = Path(bundled("CT_small.dcm"))
        header = pydicom.dcmread(path, stop_before_pixels=True)
        self.uid, self.study, self.series = (
            str(header.SOPInstanceUID), str(header.StudyInstanceUID), str(header.SeriesInstanceUID)
        )  # fmt: skip
        _, offset = read_meta(path)
        data = path.read_bytes()[offset:]
        node = service.nodes["STA"]
        self._association = Association.request(
            node.host, node.port, "STA", "TESTER", node.ae_title, [Proposal(str(header.SOPClassUID), (EXPLICIT,))],
            Timeouts(),
        )  # fmt: skip
        self._context = next(iter(self._association.contexts.values()))
        command = cmd.pack(
            (cmd.AFFECTED_CLASS, str(header.SOPClassUID)), (cmd.FIELD, cmd.C_STORE_RQ), (cmd.MESSAGE_ID, 1),
            (cmd.PRIORITY, 0), (cmd.DATA_SET_TYPE, cmd.DATA_SET), (cmd.AFFECTED_INSTANCE, self.uid),
        )  # fmt: skip
        half = len(data) // 2
        self._rest = data[half:]
        self._say(3, command)
        self._say(0, data[:half])
        until(lambda: list((service.home / "data" / "STA" / "incoming").glob("*/[0-9]*")))

    def finish(self) -> int:
        """The rest, and the status of the answer."""
        self._say(2, self._rest)
        message = self._association.receive()
        assert message is not None
        self._association.release()
        return int(message.command.number(cmd.STATUS))

    def _say(self, control: int, data: bytes) -> None:
        step = self._association.fragment
        for at in range(0, len(data), step):
            last = control & 2 and at + step >= len(data)
            flags = (control & 1) | (2 if last else 0)
            self._association.connection.send([p_data(self._context.id, flags, data[at : at + step])], 10)
