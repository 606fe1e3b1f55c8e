"""The picture widget on a screen, and the pixels that go out with its frames."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import pytest
from msgspec.structs import replace
from textual import events
from textual.app import App, ComposeResult
from textual.drivers.headless_driver import HeadlessDriver
from textual.geometry import Size
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widgets import Label, Static

from pacs_tui.model.picture import Picture, Terminal
from pacs_tui.tui.graphics import GraphicsApp
from pacs_tui.tui.widgets.picture import PictureView, canvas_for

KITTY = Terminal("kitty", 8, 16, "sextant", "truecolor", "kitty")
PAYLOAD = "\x1b_Ga=T,f=24,t=d,s=1,v=1,z=0,o=z,C=1,c=9,r=9,m=1;AAAA\x1b\\\x1b_Gm=0;BBBB\x1b\\"


def a_picture(columns: int, rows: int, payload: str = "") -> Picture:
    """Cells of which no two neighbours look alike: row y is red y, column x is green x."""
    foreground = bytes(v for y in range(rows) for x in range(columns) for v in (y * 8, x * 3, 200))
    background = bytes(v for y in range(rows) for x in range(columns) for v in (y * 8, x * 3, 50))
    lines = tuple("".join("▀▄"[x % 2] for x in range(columns)) for _ in range(rows))
    return Picture(columns, rows, lines, foreground, background, payload)


class Shelf(GraphicsApp[None]):
    """A view above a footer line."""

    CSS = "Static { height: 1; dock: bottom; }"
    resizes: ClassVar[list[tuple[int, int]]] = []

    def compose(self) -> ComposeResult:
        yield PictureView(id="view")
        yield Static("footer")

    def on_picture_view_resized(self, message: PictureView.Resized) -> None:
        self.resizes.append((message.canvas.columns, message.canvas.rows))

    @property
    def view(self) -> PictureView:
        return self.screen_stack[0].query_one(PictureView)


def cell(app: App[Any], x: int, y: int) -> tuple[str, str, str]:
    """Glyph, foreground and background of one cell of the screen as composed."""
    strip = Strip.join(app.screen._compositor.render_strips()[y : y + 1]).crop(x, x + 1)
    (segment,) = [s for s in strip if s.text]
    assert segment.style is not None
    front, behind = (c.get_truecolor().hex if c else "" for c in (segment.style.color, segment.style.bgcolor))
    return segment.text, front, behind


async def test_every_cell_is_where_it_belongs() -> None:
    async with Shelf().run_test(size=(40, 13)) as pilot:
        view = pilot.app.query_one(PictureView)
        view.show(a_picture(40, 12))
        await pilot.pause()
        for x, y in ((0, 0), (39, 11), (17, 5), (18, 5)):
            assert cell(pilot.app, x, y) == ("▀▄"[x % 2], f"#{y * 8:02x}{x * 3:02x}c8", f"#{y * 8:02x}{x * 3:02x}32")


async def test_a_smaller_picture_stands_in_the_middle() -> None:
    async with Shelf().run_test(size=(40, 13)) as pilot:
        pilot.app.query_one(PictureView).show(a_picture(20, 6))
        await pilot.pause()
        assert cell(pilot.app, 9, 3)[0] == " "
        assert cell(pilot.app, 10, 3) == ("▀", "#0000c8", "#000032")
        assert cell(pilot.app, 29, 8) == ("▄", "#2839c8", "#283932")
        assert cell(pilot.app, 30, 8)[0] == cell(pilot.app, 29, 9)[0] == " "


async def test_a_larger_picture_is_cut_at_its_edges() -> None:
    async with Shelf().run_test(size=(40, 13)) as pilot:
        pilot.app.query_one(PictureView).show(a_picture(60, 20))
        await pilot.pause()
        assert cell(pilot.app, 0, 0) == ("▀", "#201ec8", "#201e32")


async def test_sentences_replace_pictures() -> None:
    async with Shelf().run_test(size=(40, 13)) as pilot:
        view = pilot.app.query_one(PictureView)
        view.show(a_picture(40, 12))
        view.say("RT Plan Storage has no image: there is [no] pixel data to draw.")
        await pilot.pause()
        lines = [strip.text for strip in pilot.app.screen._compositor.render_strips()]
        assert view.picture is None
        assert "RT Plan Storage" in " ".join(lines)
        assert "[no]" in " ".join(lines)
        view.clear()
        await pilot.pause()
        assert not any(strip.text.strip() for strip in pilot.app.screen._compositor.render_strips()[:12])


async def test_equal_neighbours_are_one_segment() -> None:
    flat = Picture(40, 12, (" " * 40,) * 12, bytes(3 * 480), bytes(3 * 480))
    async with Shelf().run_test(size=(40, 13)) as pilot:
        view = pilot.app.query_one(PictureView)
        view.show(flat)
        await pilot.pause()
        assert len(view.render_line(3)._segments) == 1


async def test_the_parent_hears_of_the_room_there_is() -> None:
    async with Shelf().run_test(size=(40, 13)) as pilot:
        await pilot.resize_terminal(50, 20)
        await pilot.pause()
        assert Shelf.resizes[-1] == (50, 19)
        view = pilot.app.query_one(PictureView)
        assert view.canvas == canvas_for(Size(50, 19), Terminal())


def test_the_widget_needs_nothing_heavy() -> None:
    code = (
        "import sys, pacs_tui.tui.graphics; print(sorted({'numpy', 'PIL', 'pydicom', 'term_image'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ---------------------------------------------------------------- pixels


class CollectingDriver(HeadlessDriver):
    """A driver that counts as a terminal and keeps what is written to it."""

    written: ClassVar[list[str]] = []

    @property
    def is_headless(self) -> bool:
        return False

    def write(self, data: str) -> None:
        self.written.append(data)

    def stop_application_mode(self) -> None:
        self.written.append("STOP")


class KittyShelf(Shelf):
    terminal = KITTY

    def _build_driver(self, *args: Any, **options: Any) -> CollectingDriver:
        self._driver = CollectingDriver(self, size=options["size"])
        return self._driver


class Question(ModalScreen[None]):
    DEFAULT_CSS = "Question { align: center middle; } Question Label { width: 10; height: 3; }"

    def compose(self) -> ComposeResult:
        yield Label("sure?")


def commands(text: str) -> list[dict[str, str]]:
    """Keys of the kitty commands in some output."""
    return [
        dict(pair.split("=") for pair in keys.split(","))
        for keys in re.findall(r"\x1b_G([^;\x1b]*)(?:;[^\x1b]*)?\x1b", text)
    ]


def actions(text: str) -> str:
    """The actions of the kitty commands in some output, a letter each (deletions with their kind)."""
    return " ".join(keys["a"] + keys.get("d", "") for keys in commands(text) if "a" in keys)


class Terminalish:
    """What the terminal was sent since last asked, and by how many writes the pixels came."""

    def __init__(self) -> None:
        CollectingDriver.written.clear()

    def sent(self) -> str:
        text = "".join(CollectingDriver.written)
        CollectingDriver.written.clear()
        return text


@asynccontextmanager
async def kitty_shelf() -> AsyncIterator[tuple[Pilot[None], KittyShelf, Terminalish]]:
    terminal = Terminalish()
    app = KittyShelf()
    async with app.run_test(size=(40, 13), notifications=True) as pilot:
        await pilot.pause()
        terminal.sent()
        yield pilot, app, terminal


async def test_pixels_go_out_with_the_frame() -> None:
    async with kitty_shelf() as (pilot, app, _):
        app.view.show(a_picture(40, 12, PAYLOAD))
        await pilot.pause()
        (frame,) = [data for data in CollectingDriver.written if "\x1b_G" in data]
        assert "▀" in frame  # the cells are in the very same write
        assert frame.index("▀") < frame.index("\x1b_G")
        transmit, rest, place = commands(frame)
        image = transmit["i"]
        assert transmit == {"a": "t", "i": image, "q": "2", "f": "24", "t": "d", "s": "1", "v": "1", "o": "z", "m": "1"}
        assert rest == {"q": "2", "m": "0"}
        assert place == {"a": "p", "i": image, "p": "1", "q": "2", "C": "1", "c": "40", "r": "12"}
        assert ";AAAA\x1b\\" in frame
        assert ";BBBB\x1b\\" in frame
        assert "\x1b[1;1H\x1b_Ga=p" in frame


async def test_pixels_are_sent_once() -> None:
    async with kitty_shelf() as (pilot, app, terminal):
        app.view.show(a_picture(40, 12, PAYLOAD))
        await pilot.pause()
        terminal.sent()
        app.query_one(Static).update("another footer")
        app.view.refresh()
        await pilot.pause()
        sent = terminal.sent()
        assert "another" in sent
        assert actions(sent) == ""


async def test_a_new_picture_frees_the_old_one() -> None:
    async with kitty_shelf() as (pilot, app, terminal):
        app.view.show(a_picture(40, 12, PAYLOAD))
        await pilot.pause()
        terminal.sent()
        app.view.show(a_picture(40, 12, PAYLOAD))
        await pilot.pause()
        assert actions(terminal.sent()) == "dI t p"
        app.view.say("nothing here")
        await pilot.pause()
        assert actions(terminal.sent()) == "dI"


async def test_a_dialog_lifts_the_pixels_and_gives_them_back() -> None:
    async with kitty_shelf() as (pilot, app, terminal):
        app.view.show(a_picture(40, 12, PAYLOAD))
        await pilot.pause()
        terminal.sent()
        await app.push_screen(Question())
        await pilot.pause()
        assert actions(terminal.sent()) == "di"
        assert cell(app, 0, 0)[0] == "▀"  # the cells show around the dialog
        app.pop_screen()
        await pilot.pause()
        assert actions(terminal.sent()) == "p"


async def test_a_toast_lifts_the_pixels() -> None:
    async with kitty_shelf() as (pilot, app, terminal):
        app.view.show(a_picture(40, 12, PAYLOAD))
        await pilot.pause()
        terminal.sent()
        app.notify("sent")
        await pilot.pause()
        assert actions(terminal.sent()) == "di"
        app.clear_notifications()
        await pilot.pause()
        assert actions(terminal.sent()) == "p"


async def test_a_hidden_view_has_no_pixels() -> None:
    async with kitty_shelf() as (pilot, app, terminal):
        app.view.show(a_picture(40, 12, PAYLOAD))
        await pilot.pause()
        terminal.sent()
        app.view.display = False
        await pilot.pause()
        assert actions(terminal.sent()) == "di"


async def test_pixels_follow_the_view() -> None:
    async with kitty_shelf() as (pilot, app, terminal):
        app.view.styles.width, app.view.styles.height = 20, 6
        await pilot.pause()
        app.view.show(a_picture(20, 6, PAYLOAD))
        await pilot.pause()
        terminal.sent()
        app.view.styles.offset = (10, 2)
        await pilot.pause()
        sent = terminal.sent()
        assert actions(sent) == "p"
        assert "\x1b[3;11H\x1b_Ga=p" in sent


async def test_the_last_row_is_never_touched() -> None:
    async with kitty_shelf() as (pilot, app, terminal):
        app.query_one(Static).display = False
        await pilot.pause()
        app.view.show(a_picture(40, 13, PAYLOAD))
        await pilot.pause()
        assert actions(terminal.sent()) == ""


async def test_a_picture_for_another_size_is_cells_only() -> None:
    async with kitty_shelf() as (pilot, app, terminal):
        app.view.show(a_picture(39, 12, PAYLOAD))
        await pilot.pause()
        sent = terminal.sent()
        assert "▀" in sent
        assert actions(sent) == ""


async def test_removal_frees_the_image() -> None:
    async with kitty_shelf() as (pilot, app, terminal):
        app.view.show(a_picture(40, 12, PAYLOAD))
        await pilot.pause()
        terminal.sent()
        await app.view.remove()
        assert actions(terminal.sent()) == "dI"


async def test_exit_frees_the_image_before_the_screen_is_left() -> None:
    async with kitty_shelf() as (pilot, app, terminal):
        app.view.show(a_picture(40, 12, PAYLOAD))
        await pilot.pause()
        terminal.sent()
        app.exit()
    sent = terminal.sent()
    assert actions(sent) == "dI"
    assert sent.index("a=d,d=I") < sent.index("STOP")


async def test_suspending_frees_the_image_and_resuming_sends_it_again() -> None:
    async with kitty_shelf() as (pilot, app, terminal):
        app.view.show(a_picture(40, 12, PAYLOAD))
        await pilot.pause()
        terminal.sent()
        app._suspend_signal()
        assert actions(terminal.sent()) == "dI"
        app.refresh(layout=True)
        await pilot.pause()
        assert actions(terminal.sent()) == "t p"


async def test_a_resize_places_anew_and_measures_the_cells() -> None:
    async with kitty_shelf() as (pilot, app, terminal):
        app.view.show(a_picture(40, 12, PAYLOAD))
        await pilot.pause()
        terminal.sent()
        size = Size(40, 13)
        app.post_message(events.Resize(size, size, size, Size(40 * 11, 13 * 22)))
        await pilot.pause()
        app.view.refresh()
        await pilot.pause()
        assert actions(terminal.sent()) == "p"
        assert app.terminal == replace(KITTY, cell_width=11, cell_height=22)
        assert app.view.canvas.cell_height == 22


async def test_frames_that_are_not_written_change_nothing() -> None:
    async with kitty_shelf() as (pilot, app, terminal):
        with app.batch_update():
            app.view.show(a_picture(40, 12, PAYLOAD))
            await pilot.pause()
            assert actions(terminal.sent()) == ""
        await pilot.pause()
        assert actions(terminal.sent()) == "t p"


def test_textual_still_displays_as_we_override_it() -> None:
    """Should this fail after an update of Textual, read App._display again before anything else is trusted."""
    signature = inspect.signature(App._display)
    assert list(signature.parameters) == ["self", "screen", "renderable"]
    assert "renderable.render_segments(console)" in inspect.getsource(App._display)
    assert not {"_overlay", "_write", "picture_mounted", "picture_removed", "terminal"} & set(dir(App))


@pytest.fixture(autouse=True)
def _own_resizes() -> None:
    Shelf.resizes.clear()
