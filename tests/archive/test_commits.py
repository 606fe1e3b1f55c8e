"""Group commit: everyone gets the answer to its own arrival; what is posted is never dropped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.exc import OperationalError

from pacs_tui.archive.archive import Archive
from pacs_tui.archive.arrival import Arrival, Fate, Result
from pacs_tui.archive.commits import Commits
from pacs_tui.errors import Refused
from pacs_tui.model.level import Level
from pacs_tui.settings import ArchiveSettings
from tests.archive.conftest import ask, put


def arrival(number: int) -> Arrival:
    return Arrival(1, "1.2", "1.2.3", f"1.2.3.{number}", "1.2.9", "1.2.8", {}, bytes([number % 256]), 10, 0)


def test_arrivals_of_one_moment_share_a_transaction() -> None:
    batches: list[int] = []
    first_is_in, go_on = threading.Event(), threading.Event()

    def write(arrivals: Sequence[Arrival]) -> Sequence[Result]:
        batches.append(len(arrivals))
        if len(batches) == 1:
            first_is_in.set()
            assert go_on.wait(10)
        return [Result(Fate.NEW, each.content) for each in arrivals]

    commits = Commits(write)
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(commits.add, arrival(0), lambda _: None)]
        assert first_is_in.wait(10)
        futures += [pool.submit(commits.add, arrival(n), lambda _: None) for n in range(1, 8)]
        while commits.waiting < 7:
            assert not futures[1].done()
        go_on.set()
        assert [f.result().before[0] for f in futures] == list(range(8))
    assert batches == [1, 7]


def test_one_bad_arrival_fails_alone() -> None:
    def write(arrivals: Sequence[Arrival]) -> Sequence[Result]:
        if any(each.sop_instance == "1.2.3.3" for each in arrivals):
            raise ValueError("this one")
        return [Result(Fate.NEW) for _ in arrivals]

    commits = Commits(write)
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(commits.add, arrival(n), lambda _: None) for n in range(8)]
        failed = [n for n, f in enumerate(futures) if f.exception()]
    assert failed == [3]


def test_what_was_posted_waits_for_the_index_and_nothing_more_is_taken() -> None:
    works = threading.Event()
    done: list[Result | None] = []

    def write(arrivals: Sequence[Arrival]) -> Sequence[Result]:
        if not works.is_set():
            raise OSError("the index is locked")
        return [Result(Fate.NEW) for _ in arrivals]

    commits = Commits(write)
    commits.post(arrival(1), done.append)
    commits.flush()
    with pytest.raises(OSError, match="locked"):
        commits.post(arrival(2), done.append)
    assert (commits.waiting, done) == (1, [])
    works.set()
    commits.flush()
    assert (commits.waiting, done) == (0, [Result(Fate.NEW)])
    commits.post(arrival(2), done.append)
    commits.close()
    assert done == [Result(Fate.NEW)] * 2


def test_an_index_that_is_out_is_tried_once_for_all() -> None:
    tries: list[int] = []
    first_is_in, go_on = threading.Event(), threading.Event()

    def write(arrivals: Sequence[Arrival]) -> Sequence[Result]:
        tries.append(len(arrivals))
        if len(tries) == 1:
            first_is_in.set()
            assert go_on.wait(10)
        raise OperationalError("BEGIN IMMEDIATE", {}, Exception("database is locked"))

    commits = Commits(write)
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(commits.add, arrival(0), lambda _: None)]
        assert first_is_in.wait(10)
        futures += [pool.submit(commits.add, arrival(n), lambda _: None) for n in range(1, 8)]
        while commits.waiting < 7:
            assert not futures[1].done()
        go_on.set()
        assert all(isinstance(f.exception(), OperationalError) for f in futures)
    assert tries == [1, 7]


def test_a_query_waits_for_what_is_being_written_and_not_for_an_index_that_is_out() -> None:
    writing, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def write(arrivals: Sequence[Arrival]) -> Sequence[Result]:
        writing.set()
        assert go_on.wait(10)
        done.set()
        return [Result(Fate.NEW) for _ in arrivals]

    commits = Commits(write)
    commits.post(arrival(1), lambda _: None)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(commits.flush)
        assert writing.wait(10)
        second = pool.submit(commits.flush, False)
        go_on.set()
        second.result(10)
        assert done.is_set(), "it did not come before what was being written"
        first.result(10)
    commits.close()

    def fail(_: Sequence[Arrival]) -> Sequence[Result]:
        tries.append(threading.get_ident())
        raise OSError("locked")

    tries: list[int] = []
    out = Commits(fail)
    out.post(arrival(1), lambda _: None)
    out.flush()
    here = threading.get_ident()
    before = tries.count(here)
    out.flush(retry=False)
    assert tries.count(here) == before
    out.close()


def test_what_cannot_be_committed_at_the_end_is_said_so() -> None:
    def write(_: Sequence[Arrival]) -> Sequence[Result]:
        raise OSError("the disk is gone")

    done: list[Result | None] = []
    commits = Commits(write)
    commits.post(arrival(1), done.append)
    commits.close()
    assert done == [None]


def test_an_archive_that_relies_on_the_system_finds_what_it_just_took(make: Callable[..., Archive]) -> None:
    archive = make(options=ArchiveSettings(durability="os"))
    for number in range(150):
        assert put(archive, content=b"%d" % number, instance=f"1.2.1.1.{number}") == 0
        if number % 50 == 0:
            assert len(ask(archive, Level.IMAGE, StudyInstanceUID="1.2.1", SeriesInstanceUID="1.2.1.1")) == number + 1
    assert put(archive, content=b"149", instance="1.2.1.1.149") == 0, "the same again, perhaps not committed yet"
    with pytest.raises(Refused, match="other content"):
        put(archive, content=b"intruder", instance="1.2.1.1.149")
    assert [c.instances for c in archive.counts()] == [150]
