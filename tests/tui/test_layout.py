"""Every size shows what it promises: nothing outside the screen, the keys in the last line."""

from __future__ import annotations

import pytest
from textual.filter import Monochrome, NoColor

from pacs_tui.model.picture import Terminal
from pacs_tui.tui.widgets.details import Details
from pacs_tui.tui.widgets.job_list import JobList
from pacs_tui.tui.widgets.key_bar import KeyBar
from pacs_tui.tui.widgets.node_list import NodeList
from pacs_tui.tui.widgets.preview import Preview
from pacs_tui.tui.widgets.results import Results
from tests.tui.playing import Play, play

SIZES = [(80, 24), (100, 30), (120, 40), (160, 45), (200, 50)]


def within(p: Play) -> None:
    """Nothing that is shown leaves the screen, and every pane is large enough to be read."""
    for widget in p.app.screen.query("*"):
        if (
            widget.display
            and widget.region
            and all(a.display for a in widget.ancestors_with_self if hasattr(a, "display"))
        ):
            assert p.app.screen.region.contains_region(widget.region), widget
    assert p.text().splitlines()[-1].strip()


@pytest.mark.parametrize("size", SIZES)
async def test_the_panes_of_each_size(size: tuple[int, int]) -> None:
    async with play(size=size) as p:
        await p.find()
        await p.go_to("1.2.3.1", "1.2.3.1.2")
        within(p)
        shown = {type(w) for w in p.console.query("#body > *") if w.display}
        panes = {NodeList, Results, JobList} | ({Preview} if size[0] >= 100 else set())
        assert shown == panes | ({Details} if size[0] >= 160 else set())
        assert p.console.query_one(KeyBar).region.bottom == size[1]
        for key in ("? help", "f find", "m move"):
            assert key in p.text().splitlines()[-1]
        assert p.results.region.height >= size[1] // 2 - 2


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
@pytest.mark.parametrize("keys", [("v",), ("d",), ("f",), ("m",), ("j",), ("n",), ("n", "a"), ("question_mark",)])
async def test_nothing_leaves_the_screen_whatever_is_open(size: tuple[int, int], keys: tuple[str, ...]) -> None:
    async with play(size=size) as p:
        await p.find()
        await p.go_to("1.2.3.1")
        await p.press(*keys)
        within(p)


async def test_details_take_the_place_of_the_jobs_where_there_is_no_other() -> None:
    async with play(size=(80, 24)) as p:
        await p.find()
        await p.go_to("1.2.3.1")
        await p.press("d")
        await p.until(p.shows("Patient ID", "Description", "Accession number"))
        assert not p.console.query_one(JobList).display
        await p.press("d")
        assert p.console.query_one(JobList).display


async def test_a_node_that_does_not_answer_is_explained_when_the_cursor_is_on_it() -> None:
    async with play() as p:
        await p.until(p.shows("refused"))
        p.console.query_one(NodeList).focus()
        await p.press("end")
        await p.until(p.shows("ORTHO1 (10.0.0.7:11114) refused the connection.", "Next step"))
        p.results.focus()
        await p.until(lambda: "Next step" not in p.text())


async def test_resizing_keeps_the_cursor_on_the_screen() -> None:
    async with play(size=(200, 50)) as p:
        await p.find()
        await p.go_to("1.2.3.4", "1.2.3.4.4", "1.2.3.4.4.24")
        await p.pilot.resize_terminal(80, 24)
        await p.until(lambda: p.console.has_class("-narrow"))
        top = p.results.scroll_offset.y
        await p.until(lambda: p.results.scroll_offset.y <= p.results.cursor)
        assert p.results.cursor < p.results.scroll_offset.y + p.results.scrollable_content_region.height, top


@pytest.mark.parametrize("colours", ["16", "256", "truecolor"])
@pytest.mark.parametrize("no_color", [False, True])
async def test_every_palette_shows_words_and_the_cursor(
    colours: str, no_color: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    async with play(terminal=Terminal(colours=colours)) as p:
        await p.find()
        # On the terminal's own colours greys would be computed from nothing: there, colour is left out instead.
        filters = {type(f) for f in p.app._filters}
        assert (NoColor in filters) == (no_color and colours == "16")
        assert (Monochrome in filters) == (no_color and colours != "16")
        cursor, plain = (p.results.render_line(y)._segments[-1].style for y in (0, 1))
        assert cursor is not None
        assert plain is not None
        assert cursor.reverse or cursor.bgcolor != plain.bgcolor
