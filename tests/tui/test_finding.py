"""Finding: queries that stream, groups, folds, filters, sorts, marks, cancels."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from textual.events import Key
from textual.widgets import Input

from pacs_tui.model.level import Level
from tests.fakes import HOSPITAL, FakeStation, FakeStudy, Script
from tests.tui.playing import play


async def test_the_station_is_asked_for_nothing_before_the_first_paint() -> None:
    from pacs_tui.tui.app import PacsApp

    class Untouched(FakeStation):
        touched = False

        def __getattribute__(self, name: str) -> Any:
            if name in ("book", "queue", "planner", "viewer", "peer", "launch_worker"):
                object.__setattr__(self, "touched", True)
            return super().__getattribute__(name)

    station = Untouched()
    station.touched = False  # building the fake does not count
    before: list[bool] = []
    app = PacsApp(station.station, on_first_paint=lambda: before.append(station.touched))
    async with app.run_test() as pilot:
        await pilot.pause()
    assert before == [False]


async def test_nodes_are_echoed_and_the_first_is_the_one_that_is_asked() -> None:
    async with play() as p:
        await p.until(p.shows("● IMAGECTN", "4 ms", "✗ ORTHO1", "refused"))
        assert p.app.roster.current == "IMAGECTN"


async def test_the_node_that_was_asked_last_time_is_asked_again() -> None:
    station = FakeStation()
    station.book.preferences["node"] = "MED1"
    async with play(station) as p:
        assert p.app.roster.current == "MED1"
        await p.press("1")
        await p.until(lambda: station.book.preferences["node"] == "IMAGECTN")


async def test_a_query_shows_its_patients_and_studies_and_what_was_sent() -> None:
    async with play() as p:
        await p.find("meier")
        await p.until(p.shows("IMAGECTN · meier · 3 studies", "MEIER^ANNA", "2 studies", "CHEST W CONTRAST"))
        assert "PatientName=MEIER*" in p.text()
        assert "ROSSI" not in p.text()
        assert p.station.book.lines == ["meier"]


async def test_rows_are_there_while_the_peer_still_answers() -> None:
    station = FakeStation()
    gate = threading.Event()
    station.scripts["IMAGECTN"] = Script(gate=gate, after=2)
    async with play(station) as p:
        await p.press("f", "enter")
        await p.until(p.shows("MEIER^BERT", "asking…", "2 studies"))
        gate.set()
        await p.until(p.shows("5 studies", "ROSSI^GIULIA"))
        assert "asking" not in p.text()


async def test_escape_cancels_the_query_and_keeps_what_has_come() -> None:
    station = FakeStation()
    station.scripts["IMAGECTN"] = Script(gate=threading.Event(), after=2)
    async with play(station) as p:
        await p.press("f", "enter")
        await p.until(p.shows("2 studies"))
        await p.press("escape")
        await p.until(p.shows("cancelled", "2 studies"))
        await p.until(lambda: not any(t.name.startswith("find#") for t in threading.enumerate()))


async def test_rows_of_a_query_that_was_replaced_never_arrive() -> None:
    station = FakeStation()
    gate = threading.Event()
    station.scripts["IMAGECTN"] = Script(gate=gate, after=1)
    async with play(station) as p:
        await p.press("f", "enter")
        await p.until(p.shows("1 study"))
        await p.press("2")
        await p.find("rossi")
        gate.set()
        await p.until(lambda: not any(t.name.startswith("find#") for t in threading.enumerate()))
        await p.pilot.pause()
        assert [row.match.uid for row in p.results.found.visible] == ["9001", "1.2.3.4"]
        assert p.shows("MED1 · rossi · 1 study")()


async def test_what_cannot_be_read_is_said_below_the_line() -> None:
    async with play() as p:
        await p.press("f")
        await p.type("date:someday")
        await p.press("enter")
        await p.until(p.shows("The date 'someday' cannot be read"))
        assert p.console.finder.asked.phase == "none"
        await p.press("escape")
        assert p.results.has_focus


async def test_keys_typed_ahead_of_the_screen_do_what_they_say() -> None:
    """Over a slow line keys come in bursts: each belongs to what the one before it opened or closed."""
    async with play() as p:
        for key in ("f", *"rossi", "enter", "f", *"meier", "enter", "j"):
            assert p.app._driver is not None
            p.app._driver.process_message(Key(key, "\r" if key == "enter" else key))
        await p.until(lambda: type(p.app.screen).__name__ == "JobsScreen")
        await p.press("escape")
        await p.until(p.shows("meier · 3 studies", "MEIER^ANNA", "MEIER^BERT"))
        assert "ROSSI" not in p.text()


async def test_up_brings_back_earlier_queries() -> None:
    station = FakeStation()
    station.book.lines = ["rossi", "mod:US"]
    async with play(station) as p:
        await p.until(lambda: p.console.queries)
        await p.press("f", "up", "up", "enter")
        await p.until(p.shows("mod:US · 1 study"))
        await p.until(lambda: station.book.lines == ["mod:US", "rossi"])


async def test_a_limit_is_said_loudly_and_plus_brings_the_rest() -> None:
    studies = [replace(HOSPITAL[0], uid=f"1.9.{n}", patient_id=str(n)) for n in range(12)]
    async with play(FakeStation(studies=studies, limit=5)) as p:
        await p.find()
        await p.until(p.shows("first 5, more exist: press + for the rest"))
        assert p.results.found.studies == 5
        cursor = p.results.cursor = 3
        await p.press("plus")
        await p.until(p.shows("12 studies"))
        assert "more exist" not in p.text()
        assert p.results.cursor == cursor
        assert [q.limit for q in p.station.peers["IMAGECTN"].queries] == [6, None]


async def test_exactly_the_limit_is_everything() -> None:
    async with play(FakeStation(limit=5)) as p:
        await p.find()
        assert "more exist" not in p.text()
        await p.press("plus")
        assert p.said()[-1].startswith("There is no rest")


async def test_opening_asks_the_node_once_for_each_level() -> None:
    async with play() as p:
        await p.find("meier")
        await p.go_to("1.2.3.1", "1.2.3.1.2", "1.2.3.1.2.12")
        assert [q.level for q in p.station.peers["IMAGECTN"].queries] == [Level.STUDY, Level.SERIES, Level.IMAGE]
        await p.go_to("1.2.3.1")
        await p.press("left", "right", "enter", "enter")
        assert len(p.station.peers["IMAGECTN"].queries) == 3
        assert p.row.expanded


async def test_left_folds_then_goes_to_the_parent() -> None:
    async with play() as p:
        await p.find("meier")
        await p.go_to("1.2.3.1", "1.2.3.1.2")
        await p.press("left")
        assert p.row.match.uid == "1.2.3.1"
        await p.press("left")
        assert not p.row.expanded


async def test_a_row_that_cannot_be_opened_says_why_in_the_details() -> None:
    station = FakeStation(studies=[replace(HOSPITAL[0], uid="not-a-uid")])
    async with play(station, size=(200, 50)) as p:
        await p.find()
        await p.go_to("not-a-uid")
        await p.press("right")
        await p.until(p.shows("✗ 2026-11-20", "is not a UID"))


async def test_a_failed_query_brings_its_explanation() -> None:
    async with play() as p:
        await p.press("3")
        await p.find()
        await p.until(p.shows("failed, 0 studies", "What happened", "Likely cause", "Next step"))


@pytest.mark.parametrize("words", ["knee", "KNEE left"])
async def test_the_filter_never_asks_the_peer_and_escape_clears_it(words: str) -> None:
    async with play() as p:
        await p.find()
        await p.press("slash")
        await p.type(words)
        await p.press("enter")
        await p.until(lambda: [r.match.uid for r in p.results.found.visible] == ["0815", "1.2.3.2"])
        assert f"/{words}" in p.text()
        await p.press("escape")
        assert len(p.results.found.visible) == 9
        assert len(p.station.peers["IMAGECTN"].queries) == 1


async def test_s_sorts_and_the_cursor_stays_with_its_row() -> None:
    async with play() as p:
        await p.find()
        await p.go_to("1.2.3.5")
        await p.press("s", "s")
        await p.until(p.shows("newest first"))
        assert p.row.match.uid == "1.2.3.5"
        assert p.results.cursor == 1


async def test_marks_with_space_ranges_and_all() -> None:
    async with play() as p:
        await p.find()
        await p.press("down", "space")
        assert [r.match.uid for r in p.results.found.marks.values()] == ["1.2.3.1"]
        await p.press("shift+down", "shift+down")
        assert len(p.results.found.marks) == 4
        await p.until(p.shows("4 marked", "◆"))
        await p.press("escape")
        assert not p.results.found.marks
        await p.press("a")
        assert len(p.results.found.marks) == 5


async def test_keys_that_cannot_act_say_why() -> None:
    async with play() as p:
        reasons = {
            "m": "Nothing is marked",
            "M": "Nothing is marked",
            "slash": "no rows to filter",
            "s": "no rows to sort",
            "y": "no row",
            "r": "Nothing was asked",
            "space": "no row to mark",
            "9": "no node 9",
        }
        for key, reason in reasons.items():
            await p.press(key)
            assert reason in p.said()[-1]
        assert "m move" not in p.text().splitlines()[-1]


async def test_names_from_peers_drive_neither_the_terminal_nor_our_markup() -> None:
    evil = "[red]X[/]\x1b]0;owned\x07\x1b[2J"
    study = FakeStudy("1.2.9", evil, "[b]1\x9b31m", description="[link=http://x]\u202egnp.exe")
    async with play(FakeStation(studies=[study]), size=(200, 50)) as p:
        await p.find()
        await p.go_to("1.2.9", "1.2.9.1")
        await p.until(p.shows("[red]X[/]␛]0;owned␇␛[2J", "[link=http://x]"))
        assert not set(p.text()) & {"\x1b", "\x07", "\x9b", "\u202e"}
        await p.press("m")
        await p.until(p.shows("[red]X[/]␛", "MED1"))


async def test_copying_the_uid_and_the_command_line() -> None:
    async with play() as p:
        await p.find("meier")
        await p.press("Y")
        assert p.app.clipboard == "pacs-tui find IMAGECTN meier"
        await p.go_to("1.2.3.1")
        await p.press("y")
        assert p.app.clipboard == "1.2.3.1"
        await p.press("Y")
        assert p.app.clipboard == "pacs-tui move IMAGECTN DESTINATION --study 1.2.3.1"


async def test_the_command_line_of_the_console() -> None:
    async with play() as p:
        await p.press("colon")
        await p.type("find rossi")
        await p.press("enter")
        await p.until(p.shows("rossi · 1 study"))
        await p.press("colon")
        await p.type("node MED1")
        await p.press("enter")
        assert p.app.roster.current == "MED1"
        await p.press("colon")
        await p.type("n")
        await p.press("enter")
        await p.until(p.shows("'n' could be node, nodes."))


async def test_a_hundred_thousand_rows_draw_only_the_lines_on_the_screen() -> None:
    rows = [replace(HOSPITAL[0], uid=f"1.7.{n}", patient_id=str(n)).row() for n in range(50_000)]
    station = FakeStation(limit=10**6)
    station.scripts["IMAGECTN"] = Script(rows=rows)
    async with play(station) as p:
        await p.press("f", "enter")
        await p.until(lambda: p.console.finder.asked.phase == "done")
        assert p.results.length == 100_000
        p.results.lines_drawn = 0
        await p.press("end")
        await p.until(p.shows("50000 studies"))
        height = p.results.scrollable_content_region.height
        assert 0 < p.results.lines_drawn <= 4 * height
        assert p.row.match.uid == "1.7.49999"
        await p.press("slash")
        await p.type("49998")
        await p.press("enter")
        await p.until(lambda: [r.match.uid for r in p.results.found.visible] == ["49998", "1.7.49998"])
        await p.press("escape", "s", "s")
        await p.until(lambda: p.results.length == 100_000 and not p.results.found.stale)
        await p.press("home", "left")
        await p.until(lambda: p.results.length == 99_999)


async def test_leaving_ends_every_thread() -> None:
    station = FakeStation()
    station.scripts["IMAGECTN"] = Script(gate=threading.Event(), after=1)
    async with play(station) as p:
        await p.press("f", "enter")
        await p.until(p.shows("1 study"))
        await p.press("q")
    names = [thread.name for thread in threading.enumerate() if "#" in thread.name]
    assert names == []


async def test_what_is_typed_right_behind_a_choice_of_node_lands_in_the_prompt() -> None:
    async with play() as p:
        for key in "1fmei":
            # pasted: nothing waits for the key before
            p.app.post_message(Key(key, key))
        await p.until(lambda: p.console.query(Input) and p.console.query_one(Input).value == "mei")
        assert isinstance(p.app.focused, Input)
        assert p.said() == []
