"""Moving: destination, plan, job, proof; what is missing; what cannot be done and why."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from pacs_tui.model.job import Job, JobState, Plan, PlannedInstance
from pacs_tui.model.level import Level
from pacs_tui.model.node import Node
from pacs_tui.model.transfer import Target
from pacs_tui.tui.dialogs.move import MoveDialog
from pacs_tui.tui.screens.jobs import JobsScreen
from pacs_tui.tui.widgets.header import Header
from tests.fakes import FakePlanner, FakeStation
from tests.tui.playing import play


def now_job(number: int, state: JobState, **values: object) -> Job:
    given: dict[str, object] = {"total": 14, "sent": 14, "verified": 0, "created": time.time(), **values}
    return Job(number, state, "IMAGECTN", "MED1", "MEIER^ANNA CT", **given)  # type: ignore[arg-type]


async def test_from_a_mark_to_a_verified_job() -> None:
    async with play() as p:
        await p.find("meier")
        await p.go_to("1.2.3.1")
        await p.press("space", "m")
        await p.until(p.shows("MEIER^ANNA CT", "from IMAGECTN to", "is where it comes from"))
        await p.press("enter")
        await p.until(p.shows("1 study, 2 series, 14 instances", "IMAGECTN → MED1"))
        assert p.station.queue.jobs() == []
        await p.press("enter")
        await p.until(p.shows("waiting"))
        job = p.station.queue.job(1)
        assert (job.source, job.destination, job.total) == ("IMAGECTN", "MED1", 14)
        assert p.station.queue.plan_of(1).targets == (Target(Level.STUDY, "4711", "1.2.3.1"),)
        assert p.station.workers_launched == 1
        assert not p.results.found.marks
        p.station.queue.change(1, state=JobState.RUNNING, sent=7, rate=3.5)
        await p.until(p.shows("▇▇▇", "7/14", "3.5/s", "1 running"))
        p.station.queue.change(1, state=JobState.VERIFYING, sent=14, verified=7)
        await p.until(p.shows("verifying 7/14"))
        assert "✓" not in p.text()
        p.station.queue.change(1, state=JobState.VERIFIED, verified=14)
        await p.until(p.shows("verified 14/14", "✓ 1 verified"))


async def test_moving_again_goes_straight_to_the_plan() -> None:
    station = FakeStation()
    station.book.preferences["destination"] = "MED1"
    async with play(station) as p:
        await p.find("rossi")
        await p.go_to("1.2.3.4", "1.2.3.4.2")
        await p.press("M")
        await p.until(p.shows("1 study, 1 series, 20 instances"))
        await p.press("enter")
        await p.until(lambda: station.queue.jobs())
        assert station.queue.plan_of(1).targets[0].level is Level.SERIES


async def test_nothing_is_moved_without_the_second_enter() -> None:
    async with play() as p:
        await p.find("meier")
        await p.press("down", "m", "enter")
        await p.until(p.shows("14 instances"))
        await p.press("escape")
        assert p.results.has_focus
        assert p.station.queue.jobs() == []


async def test_choosing_another_node_forgets_the_plan() -> None:
    async with play() as p:
        await p.until(p.shows("refused"))
        await p.find("meier")
        await p.press("down", "m", "enter")
        await p.until(p.shows("14 instances"))
        await p.press("down")
        assert "14 instances" not in p.text()
        await p.press("enter")
        await p.until(p.shows("IMAGECTN → ORTHO1", "does not answer now"))


async def test_the_source_and_read_only_nodes_are_no_destinations() -> None:
    station = FakeStation()
    station.book.save_node(Node("VAULT", "VAULT", "10.0.0.9", 104, readonly=True))
    async with play(station) as p:
        await p.find("meier")
        await p.press("down", "m")
        await p.until(p.shows("VAULT", "is read-only"))
        await p.press("end", "enter")
        await p.until(p.shows("VAULT is read-only."))
        await p.press("home", "enter")
        await p.until(p.shows("IMAGECTN is where it comes from."))
        assert isinstance(p.app.screen, MoveDialog)


async def test_a_plan_that_comes_late_is_dropped() -> None:
    station = FakeStation()
    gate = threading.Event()

    class Slow(FakePlanner):
        def plan(self, source: str, destination: str, label: str, targets: Sequence[Target],
                 cancel: threading.Event | None = None) -> Plan:  # fmt: skip
            if destination == "MED1":
                gate.wait(10)
            return super().plan(source, destination, label, targets, cancel)

    station.planner = Slow(station)
    async with play(station) as p:
        await p.find("meier")
        await p.press("down", "m", "enter")
        await p.until(p.shows("Asking IMAGECTN"))
        await p.press("down", "enter")
        await p.until(p.shows("IMAGECTN → ORTHO1"))
        gate.set()
        await p.until(lambda: not any(t.name.startswith("plan#") for t in threading.enumerate()))
        await p.pilot.pause()
        assert "IMAGECTN → ORTHO1" in p.text()


async def test_a_partial_job_tells_what_is_missing_and_can_be_retried() -> None:
    station = FakeStation()
    missing = [PlannedInstance("1.2.3.1", "1.2.3.1.2", f"1.2.3.1.2.{n}") for n in (3, 4)]
    partial = now_job(7, JobState.PARTIAL, verified=12, reason="2 of 14 are not at MED1", code="status:C-STORE:A700")
    station.queue.add(partial, ["Planned 14 instances", "Partial"], missing)
    async with play(station, size=(200, 50)) as p:
        await p.until(p.shows("partial 12/14", "! 1 partial"))
        await p.press("j")
        await p.until(p.shows("Missing at the destination (2)", "1.2.3.1.2.3", "What happened", "Log"))
        await p.press("y")
        assert p.app.clipboard == "1.2.3.1.2.3\n1.2.3.1.2.4"
        await p.press("c")
        assert "has ended (partial)" in p.said()[-1]
        await p.press("r")
        await p.until(lambda: station.queue.job(7).state is JobState.WAITING)
        assert station.workers_launched == 1


async def test_cancelling_asks_first() -> None:
    station = FakeStation()
    station.queue.add(now_job(7, JobState.RUNNING, sent=3))
    async with play(station) as p:
        await p.until(p.shows("3/14"))
        await p.press("j", "c")
        await p.until(p.shows("Cancel job 7"))
        await p.press("n")
        assert station.queue.job(7).state is JobState.RUNNING
        await p.press("c", "y")
        await p.until(lambda: station.queue.job(7).state is JobState.CANCELLED)
        await p.press("escape")
        assert not isinstance(p.app.screen, JobsScreen)


async def test_a_read_only_console_moves_nothing_and_says_so() -> None:
    async with play(FakeStation(readonly=True)) as p:
        await p.find("meier")
        for key in ("m", "M"):
            await p.press(key)
            assert "--readonly" in p.said()[-1]
        assert "read-only" in p.text().splitlines()[0]
        assert "m move" not in p.text().splitlines()[-1]


async def test_the_cursor_stays_with_its_job_when_a_new_one_comes() -> None:
    station = FakeStation()
    for number in (1, 2, 3):
        station.queue.add(now_job(number, JobState.VERIFIED, verified=14))
    async with play(station) as p:
        await p.until(lambda: p.console.query_one(Header).now.jobs)
        await p.press("j", "down")
        screen = p.app.screen
        assert isinstance(screen, JobsScreen)
        await p.until(lambda: screen.job and screen.job.id == 2)
        station.queue.add(now_job(4, JobState.WAITING))
        await p.until(lambda: len(p.app.jobs.now.jobs) == 4)
        assert screen.job is not None
        assert screen.job.id == 2


async def test_a_queue_that_cannot_be_read_is_said_once_and_recovers() -> None:
    from pacs_tui.errors import StorageError
    from tests.fakes import FakeQueue

    class Broken(FakeQueue):
        broken = True

        def version(self) -> int:
            if self.broken:
                raise StorageError("pacs.db cannot be read.")
            return super().version()

    station = FakeStation()
    station.queue = queue = Broken()
    async with play(station) as p:
        await p.until(p.shows("jobs cannot be read", "pacs.db cannot be read."))
        queue.broken = False
        queue.add(now_job(1, JobState.VERIFIED, verified=14))
        await p.until(p.shows("verified 14/14"))
