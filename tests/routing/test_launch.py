"""One worker for each state folder, alive or not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

from pacs_tui.errors import StorageError
from pacs_tui.routing import launch
from pacs_tui.routing.launch import alive, ensure, hold
from tests.routing.fakes import DEADLINE, until

HOLDER = """
import os, pathlib, sys, threading
from pacs_tui.routing.launch import hold
with hold(pathlib.Path(sys.argv[1])) as held:
    pathlib.Path(sys.argv[1], f"held-{os.getpid()}").write_text(f"{held} {os.getsid(0)} {os.getppid()}")
    print("talk", file=sys.stderr, flush=True)
    held and threading.Event().wait()
"""


def command(state: Path) -> list[str]:
    return [sys.executable, "-c", HOLDER, str(state)]


def test_nobody_is_alive_in_an_empty_folder(tmp_path: Path) -> None:
    assert alive(tmp_path) is None
    assert alive(tmp_path / "new") is None


def test_the_holder_is_alive_until_it_lets_go(tmp_path: Path) -> None:
    with hold(tmp_path / "state") as held:
        assert held
        assert alive(tmp_path / "state") == os.getpid()
        with hold(tmp_path / "state") as second:
            assert not second
        assert alive(tmp_path / "state") == os.getpid()
    assert alive(tmp_path / "state") is None


def test_asking_does_not_keep_a_worker_from_starting(tmp_path: Path) -> None:
    done: list[int] = []

    def ask() -> None:
        for _ in range(3000):
            alive(tmp_path)
        done.append(1)

    asking = [Thread(target=ask) for _ in range(2)]
    for thread in asking:
        thread.start()
    while len(done) < 2:
        with hold(tmp_path) as held:
            assert held
    for thread in asking:
        thread.join(DEADLINE)


def test_a_lock_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file"), hold(tmp_path / "file"):
        pass
    with pytest.raises(StorageError, match="started"):
        ensure(tmp_path, ["/no/such/program"])


@pytest.mark.interop
def test_a_worker_is_started_once_detached_and_missed_when_killed(tmp_path: Path) -> None:
    assert ensure(tmp_path, command(tmp_path))
    until(lambda: alive(tmp_path) is not None)
    pid = alive(tmp_path)
    assert pid is not None
    try:
        until(lambda: (tmp_path / f"held-{pid}").exists() and (tmp_path / f"held-{pid}").read_text())
        assert (tmp_path / f"held-{pid}").read_text().startswith(f"True {pid} ")  # the leader of a session of its own
        assert not ensure(tmp_path, command(tmp_path))
        until(lambda: "talk" in (tmp_path / launch.LOG).read_text())
    finally:
        os.kill(pid, signal.SIGKILL)
    until(lambda: alive(tmp_path) is None)
    until(lambda: not Path(f"/proc/{pid}").exists())  # no zombie stays with us


@pytest.mark.interop
def test_of_two_workers_started_at_once_one_leaves(tmp_path: Path) -> None:
    both = [subprocess.Popen(command(tmp_path), stderr=subprocess.DEVNULL) for _ in range(2)]
    try:
        until(lambda: len(list(tmp_path.glob("held-*"))) == 2)
        until(lambda: sum(process.poll() is None for process in both) == 1)
        assert alive(tmp_path) == next(process.pid for process in both if process.poll() is None)
    finally:
        for process in both:
            process.kill()
            process.wait(DEADLINE)


def test_a_long_log_is_kept_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_LOG_BYTES", 10)
    (tmp_path / launch.LOG).write_text("old talk " * 5)
    ensure(tmp_path, [sys.executable, "-c", "import sys; print('new', file=sys.stderr)"])
    until(lambda: "new" in (tmp_path / launch.LOG).read_text())
    assert (tmp_path / f"{launch.LOG}.1").read_text().startswith("old talk")
