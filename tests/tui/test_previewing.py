"""The preview: one picture, of the row the cursor rests on."""

from __future__ import annotations

import threading

from pacs_tui.errors import PictureError
from pacs_tui.model.level import Level
from pacs_tui.tui.targets import target
from pacs_tui.tui.widgets.picture import PictureView
from tests.fakes import FakeStation
from tests.tui.playing import play


async def test_series_and_instances_have_a_picture_patients_and_studies_a_hint() -> None:
    async with play() as p:
        await p.find("meier")
        await p.until(p.shows("→ opens it"))
        await p.go_to("1.2.3.1", "1.2.3.1.2")
        await p.until(p.shows("W 400 L 40", "not for diagnosis"))
        await p.go_to("1.2.3.1")
        await p.until(p.shows("→ opens it"))
        assert [target.level for target in p.station.viewer.asked] == [Level.SERIES]


async def test_moving_fast_fetches_only_the_last_row() -> None:
    station = FakeStation()
    async with play(station) as p:
        await p.find("meier")
        await p.go_to("1.2.3.1", "1.2.3.1.2", "1.2.3.1.2.1")
        await p.until(lambda: station.viewer.asked[-1:] == [target(p.row)])
        station.viewer.asked.clear()
        for _ in range(10):
            p.results.action_move(1)
        await p.until(lambda: station.viewer.asked)
        await p.until(lambda: p.app.background.threads == 1)  # the watch of the jobs stays
        assert [target.instance_uids for target in station.viewer.asked] == [("1.2.3.1.2.11",)]


async def test_a_fetch_that_hangs_is_cancelled_by_the_next_and_never_shown() -> None:
    station = FakeStation()
    station.viewer.gate = threading.Event()
    async with play(station) as p:
        await p.find("meier")
        await p.go_to("1.2.3.1", "1.2.3.1.2", "1.2.3.1.2.1")
        await p.until(lambda: any(t.instance_uids == ("1.2.3.1.2.1",) for t in station.viewer.asked))
        await p.press("down")
        await p.until(lambda: any(t.instance_uids == ("1.2.3.1.2.1",) for t in station.viewer.cancelled))
        await p.until(lambda: any(t.instance_uids == ("1.2.3.1.2.2",) for t in station.viewer.asked))
        assert p.console.query_one(PictureView).picture is None
        station.viewer.gate.set()
        await p.until(lambda: p.console.query_one(PictureView).picture)


async def test_a_picture_that_cannot_be_drawn_is_a_sentence() -> None:
    station = FakeStation()
    station.viewer.error = PictureError("A report has no pixels.")
    async with play(station) as p:
        await p.find("meier")
        await p.go_to("1.2.3.1", "1.2.3.1.1")
        await p.until(p.shows("A report has no pixels."))


async def test_a_narrow_terminal_fetches_only_once_the_preview_is_open() -> None:
    async with play(size=(80, 24)) as p:
        await p.find("meier")
        await p.go_to("1.2.3.1", "1.2.3.1.2")
        await p.pilot.pause(0.2)
        assert p.station.viewer.asked == []
        await p.press("v")
        await p.until(p.shows("W 400", "not for diagnosis"))
        canvas = p.console.query_one(PictureView).canvas
        assert (canvas.columns, canvas.rows) == (78, 13)
        await p.press("v")
        await p.until(lambda: "not for diagnosis" not in p.text())


async def test_another_size_draws_anew() -> None:
    async with play() as p:
        await p.find("meier")
        await p.go_to("1.2.3.1", "1.2.3.1.2")
        await p.until(p.shows("W 400"))
        await p.pilot.resize_terminal(200, 50)
        await p.until(lambda: len(p.station.viewer.asked) > 1)
        view = p.console.query_one(PictureView)
        await p.until(lambda: view.picture and view.picture.columns == view.canvas.columns)
