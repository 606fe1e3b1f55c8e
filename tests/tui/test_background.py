"""The bridge: order, batches, dropped messages, one thread where one is enough."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from textual.app import App
from textual.pilot import Pilot

from pacs_tui.errors import Cancelled, NotFound, PacsError
from pacs_tui.tui.background import Background


async def until(pilot: Pilot[None], fact: Callable[[], object]) -> None:
    for _ in range(1000):
        if fact():
            return
        await pilot.pause(0.005)
    raise AssertionError("it never came true")


async def test_rows_arrive_in_order_on_the_ui_thread_and_before_the_end() -> None:
    app: App[None] = App()
    async with app.run_test() as pilot:
        background = Background(app)
        seen: list[object] = []
        threads: set[int] = set()

        def rows(batch: list[int]) -> None:
            seen.extend(batch)
            threads.add(threading.get_ident())

        background.stream("rows", lambda _: range(5000), rows, lambda: seen.append("done"), lambda e: seen.append(e))
        await until(pilot, lambda: "done" in seen)
        assert seen == [*range(5000), "done"]
        assert threads == {threading.get_ident()}


async def test_rows_come_in_batches_not_one_by_one() -> None:
    app: App[None] = App()
    async with app.run_test() as pilot:
        background, batches, ended = Background(app), list[list[int]](), list[bool]()
        background.stream("rows", lambda _: range(20000), batches.append, lambda: ended.append(True), lambda e: None)
        await until(pilot, lambda: ended)
        assert sum(map(len, batches)) == 20000
        assert len(batches) < 2000


async def test_a_slow_row_is_shown_before_the_next_comes() -> None:
    app: App[None] = App()
    async with app.run_test() as pilot:
        background, seen, gate = Background(app), list[int](), threading.Event()

        def work(cancel: threading.Event) -> Iterator[int]:
            yield 1
            gate.wait(10)
            yield 2

        background.stream("rows", work, seen.extend, lambda: None, lambda e: None)
        await until(pilot, lambda: seen == [1])
        gate.set()
        await until(pilot, lambda: seen == [1, 2])


async def test_a_newer_request_cancels_the_older_and_drops_what_it_still_sends() -> None:
    app: App[None] = App()
    async with app.run_test() as pilot:
        background, seen, gate = Background(app), list[str](), threading.Event()
        first_cancel: list[threading.Event] = []

        def stubborn(cancel: threading.Event) -> str:
            first_cancel.append(cancel)
            gate.wait(10)
            return "old"

        background.run("find", stubborn, seen.append, lambda e: seen.append(str(e)))
        await until(pilot, lambda: first_cancel)
        background.run("find", lambda _: "new", seen.append, lambda e: seen.append(str(e)))
        await until(pilot, lambda: seen)
        assert first_cancel[0].is_set()
        gate.set()
        await until(pilot, lambda: background.threads == 0)
        assert seen == ["new"]


async def test_a_waiting_lane_runs_one_thread_and_only_the_last_request() -> None:
    app: App[None] = App()
    async with app.run_test() as pilot:
        background, started, seen = Background(app), list[int](), list[int]()

        def work(number: int) -> Callable[[threading.Event], int]:
            def run(cancel: threading.Event) -> int:
                started.append(number)
                if number == 0:
                    cancel.wait(10)
                    raise Cancelled("Cancelled.")
                return number

            return run

        for number in range(50):
            background.run("preview", work(number), seen.append, lambda e: None, wait=True)
        await until(pilot, lambda: seen)
        assert started == [0, 49]
        assert seen == [49]


async def test_failures_arrive_as_sentences_even_those_that_are_faults_of_ours() -> None:
    app: App[None] = App()
    async with app.run_test() as pilot:
        background, seen = Background(app), list[PacsError]()

        def missing(cancel: threading.Event) -> None:
            raise NotFound("There is no job 7.")

        def fault(cancel: threading.Event) -> None:
            raise ZeroDivisionError("by zero")

        background.run("a", missing, lambda _: None, seen.append)
        background.run("b", fault, lambda _: None, seen.append)
        await until(pilot, lambda: len(seen) == 2)
        told = sorted(str(error) for error in seen)
        assert told[0].startswith("A fault of pacs-tui itself: ZeroDivisionError")
        assert told[1] == "There is no job 7."


async def test_close_cancels_and_joins_what_runs() -> None:
    app: App[None] = App()
    async with app.run_test() as pilot:
        background, left = Background(app), list[bool]()

        def work(cancel: threading.Event) -> None:
            cancel.wait(30)
            left.append(True)

        for _ in range(5):
            background.run("", work, lambda _: None, lambda e: None)
        await until(pilot, lambda: background.threads == 5)
        background.close(10)
        assert left == [True] * 5


async def test_threads_say_what_they_are_for() -> None:
    app: App[None] = App()
    async with app.run_test() as pilot:
        background, names = Background(app), list[str]()
        background.run("echo-MED1", lambda _: threading.current_thread().name, names.append, lambda e: None)
        await until(pilot, lambda: names)
        assert names[0].startswith("echo-MED1#")
