"""What systemd hears: a real datagram socket in its place."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pacs_tui.service.notify import Notifier
from tests.service.conftest import DEADLINE, area, serviced, until

pytestmark = pytest.mark.interop


class Manager:
    """Collects what it is told."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "notify")
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._socket.settimeout(DEADLINE)

    def wait(self, line: str, after: int = 0) -> int:
        """Where a line stands among all that were heard, once it was, from `after` on."""
        while line not in self.heard[after:]:
            self.heard += self._socket.recv(4096).decode().split("\n")
        return self.heard.index(line, after)

    def environ(self, seconds: float) -> dict[str, str]:
        return {"NOTIFY_SOCKET": self.path, "WATCHDOG_USEC": str(int(seconds * 1e6))}

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("processes", [1, 2])
def test_the_life_of_a_service(tmp_path: Path, manager: Manager, processes: int) -> None:
    with serviced(
        tmp_path / "home", f"[archive]\nprocesses = {processes}\n" + area("STA", peers='["FRIEND"]')
    ) as service:
        service.start(environ=manager.environ(1.0))
        ready = manager.wait("READY=1")
        assert not [line for line in manager.heard[:ready] if line.startswith("STATUS")]
        first = manager.wait("WATCHDOG=1", ready)
        manager.wait("WATCHDOG=1", first + 1)
        assert service.process is not None
        service.process.send_signal(signal.SIGHUP)
        reloading = manager.wait("RELOADING=1", first)
        assert manager.heard[reloading + 1].startswith("MONOTONIC_USEC=")
        again = manager.wait("READY=1", reloading)
        service.process.send_signal(signal.SIGTERM)
        manager.wait("STOPPING=1", again)
        assert service.process.wait(DEADLINE) == 0
        # our own echoes are let in where nobody else is, and leave no trace
        assert "rejected" not in service.log
        assert "-> STA: open" not in service.log


@pytest.mark.parametrize("processes", [1, 2])
def test_the_watchdog_gets_nothing_while_the_index_does_not_answer(
    tmp_path: Path, manager: Manager, processes: int
) -> None:
    config = f"[archive]\nindex_wait_seconds = 0.2\nhung_seconds = 300\nprocesses = {processes}\n" + area("STA")
    with serviced(tmp_path / "home", config) as service:
        service.start(environ=manager.environ(0.5))
        manager.wait("WATCHDOG=1")
        index = service.home / "data" / "index.db"
        index.rename(index.with_name("elsewhere"))
        until(lambda: service.log.count("the check of this process failed: ") >= 2 * processes)
        silent = len(manager.heard)
        before = service.log.count("check of this process failed")
        until(lambda: service.log.count("check of this process failed") >= before + 3 * processes)
        manager.heard += drained(manager)
        assert "WATCHDOG=1" not in manager.heard[silent + 2 * processes :]
        index.with_name("elsewhere").rename(index)
        manager.wait("WATCHDOG=1", len(manager.heard))


def drained(manager: Manager) -> list[str]:
    heard = []
    manager._socket.setblocking(False)
    try:
        while True:
            heard += manager._socket.recv(4096).decode().split("\n")
    except BlockingIOError:
        manager._socket.settimeout(DEADLINE)
    return heard


def test_without_a_manager_nothing_happens(tmp_path: Path) -> None:
    silent = Notifier({})
    assert silent.interval == 0.0
    silent.ready()
    gone = Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone"), "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"})
    gone.ready("x")
    assert gone.interval == 0.0
    assert Notifier({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}).interval == 1.5


def test_an_abstract_socket() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0pacs-tui-{os.getpid()}")
        Notifier({"NOTIFY_SOCKET": f"@pacs-tui-{os.getpid()}"}).ready("here")
        assert manager.recv(100) == b"READY=1\nSTATUS=here"
