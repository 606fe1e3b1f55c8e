"""Plays the console: starts it over a fake station, waits for facts, reads what is on the screen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic

from textual.pilot import Pilot

from pacs_tui.model.picture import Terminal
from pacs_tui.tui.app import PacsApp
from pacs_tui.tui.screens.console import Console
from pacs_tui.tui.tree import Row
from pacs_tui.tui.widgets.results import Results
from tests.fakes import FakeStation

PATIENCE = 10.0


@dataclass
class Play:
    """A running console."""

    app: PacsApp
    pilot: Pilot[None]
    station: FakeStation

    async def until(self, fact: Callable[[], object]) -> None:
        """Waits until something is so."""
        deadline = monotonic() + PATIENCE
        while not fact():
            assert monotonic() < deadline, f"it never came true; the screen:\n{self.text()}"
            await self.pilot.pause(0.01)
        await self.pilot.pause()

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def type(self, words: str) -> None:
        names = {" ": "space", ":": "colon", "*": "asterisk", ".": "full_stop", "-": "minus", "/": "slash"}
        await self.press(*(names.get(character, character) for character in words))

    async def find(self, line: str = "") -> None:
        """Asks, and waits for the answer."""
        await self.press("f")
        await self.press("ctrl+u")
        await self.type(line)
        await self.press("enter")
        await self.until(lambda: self.console.finder.asked.phase not in ("none", "asking"))

    @property
    def console(self) -> Console:
        console = self.app.screen_stack[0]
        assert isinstance(console, Console)
        return console

    @property
    def results(self) -> Results:
        return self.console.query_one(Results)

    @property
    def row(self) -> Row:
        row = self.results.row
        assert row is not None
        return row

    async def go_to(self, *uids: str) -> Row:
        """Opens the rows of these UIDs one below the other and rests on the last; starts at the patients."""
        for number, uid in enumerate(uids):
            await self.until(lambda uid=uid: any(r.match.uid == uid for r in self.results.found.visible))  # type: ignore[misc]
            at = next(i for i, r in enumerate(self.results.found.visible) if r.match.uid == uid)
            self.results.cursor = at
            await self.pilot.pause()
            if number < len(uids) - 1 and not self.row.expanded:
                await self.press("right")
        return self.row

    def text(self) -> str:
        """What the terminal shows, line by line."""
        screen = self.app.screen
        return "\n".join("".join(s.text for s in strip) for strip in screen._compositor.render_strips(screen.size))

    def shows(self, *words: str) -> Callable[[], bool]:
        """A fact: all of these words are on the screen."""
        return lambda: all(word in self.text() for word in words)

    def said(self) -> list[str]:
        """The passing messages."""
        return [note.message for note in self.app._notifications]


@asynccontextmanager
async def play(
    station: FakeStation | None = None, size: tuple[int, int] = (120, 40), terminal: Terminal | None = None
) -> AsyncIterator[Play]:
    """A console over a fake station; its nodes are there, and the first echoes are through."""
    station = station or FakeStation()
    app = PacsApp(station.station, terminal)
    async with app.run_test(size=size, notifications=True) as pilot:
        playing = Play(app, pilot, station)
        await playing.until(lambda: app.roster.loaded)
        yield playing
