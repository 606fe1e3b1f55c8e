"""Workers as processes: killed, stopped, side by side."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pacs_tui.model.job import JobState
from pacs_tui.routing.jobs import JobQueue
from tests.routing.fakes import DEADLINE, Shelves, plan, study, until

pytestmark = pytest.mark.interop

ROOT = Path(__file__).parents[2]
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []

    def begin(name: str, lease: float, *hold: int) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-m", "tests.routing.worker_process", tmp_path, name, lease, *hold]
        started.append(subprocess.Popen([str(word) for word in words], cwd=ROOT))
        return started[-1]

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(DEADLINE)


def test_a_killed_workers_job_is_ended_by_another(queue: JobQueue, shelves: Shelves, start: Start) -> None:
    shelves.put("SOURCE", study(1))
    number = queue.enqueue(plan(study(1))).id
    first = start("first", 1.0, 4)
    until(lambda: len(shelves.arrivals("DEST")) == 4)
    first.kill()
    first.wait(DEADLINE)
    left = queue.job(number)
    assert (left.state, left.worker) == (JobState.RUNNING, "first")
    shelves.end("1.2.1")  # the dead source's own note that it was moving
    start("second", 30.0)
    until(lambda: queue.job(number).state.ended)
    job = queue.job(number)
    assert (job.state, job.verified, job.worker, job.attempts) == (JobState.VERIFIED, 6, "second", 2)
    assert Counter(shelves.arrivals("DEST")).most_common(1)[0][1] == 1
    assert any("fell silent" in event.text for event in queue.events(number))


def test_a_worker_that_is_terminated_gives_its_job_back_at_once(
    queue: JobQueue, shelves: Shelves, start: Start
) -> None:
    shelves.put("SOURCE", study(1))
    number = queue.enqueue(plan(study(1))).id
    first = start("first", 3600.0, 4)
    until(lambda: len(shelves.arrivals("DEST")) == 4)
    first.send_signal(signal.SIGTERM)
    assert first.wait(DEADLINE) == 0
    assert queue.job(number).state is JobState.WAITING
    start("second", 3600.0)
    until(lambda: queue.job(number).state is JobState.VERIFIED)
    assert len(shelves.arrivals("DEST")) == 6


def test_two_worker_processes_never_run_one_job_together(queue: JobQueue, shelves: Shelves, start: Start) -> None:
    numbers = []
    for number in range(1, 31):
        shelves.put("SOURCE", study(number))
        numbers.append(queue.enqueue(plan(study(number))).id)
    both = [start("first", 30.0), start("second", 30.0)]
    until(lambda: queue.counts()[JobState.VERIFIED] == len(numbers), 2 * DEADLINE)
    assert [process.wait(DEADLINE) for process in both] == [0, 0]
    assert shelves.overlaps() == 0
    assert set(Counter(shelves.arrivals("DEST")).values()) == {1}
    assert all(queue.job(number).attempts == 1 for number in numbers)


def test_many_processes_may_open_a_new_queue_at_once(tmp_path: Path) -> None:
    script = f"from pacs_tui.routing.jobs import JobQueue; JobQueue('sqlite:///{tmp_path / 'new.db'}').version()"
    opening = [subprocess.Popen([sys.executable, "-c", script], cwd=ROOT) for _ in range(4)]
    assert [process.wait(DEADLINE) for process in opening] == [0] * 4
