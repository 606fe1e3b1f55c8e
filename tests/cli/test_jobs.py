"""`jobs` and `worker`, on a queue of their own."""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any, cast

import pytest
from msgspec.structs import replace

from pacs_tui.cli import jobs, worker
from pacs_tui.cli.output import Output
from pacs_tui.errors import Exit, UsageError
from pacs_tui.model.job import JobState
from pacs_tui.model.node import Node
from pacs_tui.routing.jobs import JobQueue
from pacs_tui.routing.launch import alive, hold
from pacs_tui.settings import Settings
from pacs_tui.station import Station
from tests.routing.fakes import DEADLINE, FakePeer, Shelves, node, plan, study, until


class Desk:
    """What the verbs use of a Station, and what they printed."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(
            config=folder / "config.toml", state=folder, cache=folder, data=folder, verify_seconds=0.1
        )
        self.queue = JobQueue(f"sqlite:///{folder / 'pacs.db'}")
        self.shelves = Shelves(folder / "shelves.db")
        self.peers = {name: FakePeer(name, self.shelves) for name in ("SOURCE", "DEST")}
        self.book = self
        self.launched = 0
        self.out = io.StringIO()
        self.talk = io.StringIO()
        self.shelves.put("SOURCE", study(1))

    def node(self, name: str) -> Node:
        return node(name)

    def peer(self, name: str) -> FakePeer:
        return self.peers[name]

    def launch_worker(self) -> None:
        self.launched += 1

    def type(self, *words: str, as_json: bool = False) -> Exit:
        parser = argparse.ArgumentParser()
        subparsers = parser.add_subparsers()
        jobs.add_parser(subparsers)
        worker.add_parser(subparsers)
        args = parser.parse_args(words)
        return cast(Exit, args.run(args, cast(Station, self), Output(as_json, self.out, self.talk)))

    def printed(self) -> str:
        text = self.out.getvalue()
        self.out.seek(0)
        self.out.truncate()
        return text

    def enqueued(self, label: str = "MEIER^ANNA CT") -> int:
        return self.queue.enqueue(replace(plan(study(1)), label=label)).id


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    opened = Desk(tmp_path)
    yield opened
    opened.queue.close()
    opened.shelves.close()


def partial(desk: Desk) -> int:
    number = desk.enqueued()
    desk.peers["SOURCE"].drops = frozenset({"1.2.1.2.1"})
    assert desk.type("worker", "--idle", "0") is Exit.OK
    desk.peers["SOURCE"].drops = frozenset()
    return number


def test_an_empty_queue_says_so_and_prints_no_data(desk: Desk) -> None:
    assert desk.type("jobs") is Exit.OK
    assert desk.printed() == ""
    assert "no jobs" in desk.talk.getvalue()


def test_the_list_shows_the_newest_first(desk: Desk) -> None:
    numbers = [desk.enqueued() for _ in range(3)]
    desk.queue.cancel(numbers[1])
    desk.type("jobs", "list", "--limit", "2")
    lines = desk.printed().splitlines()
    assert [line.split()[0] for line in lines[1:]] == [str(numbers[2]), str(numbers[1])]
    assert "waiting 6" in lines[1]
    assert "SOURCE -> DEST" in lines[1]
    assert "cancelled 0/6" in lines[2]
    desk.type("jobs", as_json=True)
    found = [json.loads(line) for line in desk.printed().splitlines()]
    assert [job["job"] for job in found] == numbers[::-1]
    assert {job["state"] for job in found} == {"waiting", "cancelled"}


def test_show_explains_a_job_and_names_what_is_missing(desk: Desk) -> None:
    number = partial(desk)
    assert desk.type("jobs", "show", str(number)) is Exit.OK
    text = desk.printed()
    for words in (f"Job {number}: partial 5/6", "Claimed by", "1.2.1.2.1", "Happened:", "Next step:"):
        assert words in text


def test_show_as_json_is_one_object(desk: Desk) -> None:
    number = partial(desk)
    desk.type("jobs", "show", str(number), as_json=True)
    (line,) = desk.printed().splitlines()
    shown: dict[str, Any] = json.loads(line)
    assert (shown["job"], shown["state"], shown["verified"], shown["total"]) == (number, "partial", 5, 6)
    assert [missing["instance"] for missing in shown["missing"]] == ["1.2.1.2.1"]
    assert shown["explanation"]["next_step"]
    assert shown["events"][0]["text"].startswith("Planned")
    assert shown["finished"].endswith("+00:00")


def test_long_lists_of_missing_instances_are_cut_for_people(desk: Desk) -> None:
    number = desk.queue.enqueue(plan(study(5, 1, 50))).id
    desk.queue.cancel(number)
    desk.type("jobs", "show", str(number))
    assert "and 30 more" in desk.printed()


def test_what_a_peer_named_itself_does_not_drive_the_terminal(desk: Desk) -> None:
    number = desk.enqueued("EVIL\x1b[2J\nJob 99: verified")
    desk.queue.note(number, "It says \x1b]0;gone\x07")
    desk.type("jobs")
    desk.type("jobs", "show", str(number))
    text = desk.printed()
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "\nJob 99" not in text


def test_cancel_and_retry_say_what_became_of_the_job(desk: Desk) -> None:
    number = desk.enqueued()
    assert desk.type("jobs", "cancel", str(number)) is Exit.OK
    assert f"Job {number}: cancelled" in desk.printed()
    assert desk.type("jobs", "cancel", str(number)) is Exit.USAGE
    assert "nothing to cancel" in desk.talk.getvalue()
    assert desk.launched == 0
    assert desk.type("jobs", "retry", str(number)) is Exit.OK
    assert f"Job {number}: waiting" in desk.printed()
    assert desk.launched == 1


def test_one_bad_number_does_not_spare_the_others(desk: Desk) -> None:
    number = desk.enqueued()
    assert desk.type("jobs", "cancel", "77", str(number)) is Exit.NOT_FOUND
    assert desk.queue.job(number).state is JobState.CANCELLED


@pytest.mark.parametrize("words", [("jobs", "list", "--limit", "0"), ("worker", "--idle", "-1")])
def test_numbers_that_mean_nothing_are_refused(desk: Desk, words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        desk.type(*words)


def test_a_worker_runs_what_waits_and_leaves(desk: Desk) -> None:
    numbers = [desk.enqueued(), desk.enqueued()]
    assert desk.type("worker", "--idle", "0") is Exit.OK
    assert all(desk.queue.job(number).state is JobState.VERIFIED for number in numbers)
    assert "verified 6/6" in desk.talk.getvalue()
    assert alive(desk.settings.state) is None


def test_a_second_worker_is_not_needed(desk: Desk) -> None:
    number = desk.enqueued()
    with hold(desk.settings.state):
        assert desk.type("worker", "--idle", "0") is Exit.OK
    assert str(os.getpid()) in desk.talk.getvalue()
    assert desk.queue.job(number).state is JobState.WAITING


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_makes_the_worker_give_its_job_back(desk: Desk, number: signal.Signals) -> None:
    reached = Event()

    def between(sent: int, cancel: Event | None) -> None:
        if sent == 2 and cancel is not None:
            reached.set()
            cancel.wait(DEADLINE)

    def send() -> None:
        if reached.wait(DEADLINE):
            os.kill(os.getpid(), number)

    desk.peers["SOURCE"].between = between
    job = desk.enqueued()
    before = signal.getsignal(number)
    sender = Thread(target=send)
    sender.start()
    assert desk.type("worker", "--forever") is Exit.OK
    sender.join(DEADLINE)
    assert desk.queue.job(job).state is JobState.WAITING
    assert signal.getsignal(number) is before


def test_a_job_enqueued_while_the_worker_leaves_is_not_left_behind(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    late: list[int] = []
    looked = desk.queue.has_work

    def has_work() -> bool:
        if alive(desk.settings.state) is None and not late:  # the lock is gone, the process is not
            late.append(desk.enqueued())
        return looked()

    monkeypatch.setattr(desk.queue, "has_work", has_work)
    desk.enqueued()
    assert desk.type("worker", "--idle", "0") is Exit.OK
    until(lambda: desk.queue.job(late[0]).state is JobState.VERIFIED)
