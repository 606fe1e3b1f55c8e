"""Nodes: added, edited, removed, echoed; what is wrong is said in place."""

from __future__ import annotations

from textual.widgets import Input

from tests.fakes import FakeStation
from tests.tui.playing import play


async def test_adding_a_node() -> None:
    async with play() as p:
        await p.press("n", "a")
        for name, value in (("name", "OT"), ("ae_title", "OT"), ("host", "10.0.0.8"), ("port", "eleven")):
            p.app.screen.query_one(f"#{name}", Input).value = value
        await p.press("enter")
        await p.until(p.shows("Port 'eleven' is not a number"))
        p.app.screen.query_one("#port", Input).value = "11115"
        await p.press("enter")
        await p.until(p.shows("10.0.0.8:11115"))
        assert p.station.book.node("OT").port == 11115
        await p.until(lambda: p.station.peers.get("OT") and p.station.peers["OT"].echoes)


async def test_a_name_that_is_taken_is_refused() -> None:
    async with play() as p:
        await p.press("n", "a")
        for name, value in (("name", "MED1"), ("ae_title", "X"), ("host", "h"), ("port", "104")):
            p.app.screen.query_one(f"#{name}", Input).value = value
        await p.press("enter")
        await p.until(p.shows("There is a node MED1 already"))


async def test_editing_keeps_the_name() -> None:
    async with play() as p:
        await p.press("n", "down", "enter")
        assert p.app.screen.query_one("#name", Input).disabled
        p.app.screen.query_one("#readonly", Input).value = "yes"
        await p.press("enter")
        await p.until(p.shows("read-only"))
        assert p.station.book.node("MED1").readonly


async def test_removing_asks_first() -> None:
    async with play() as p:
        await p.press("n", "down", "x")
        await p.until(p.shows("Remove node MED1"))
        await p.press("escape", "x", "y")
        await p.until(lambda: [node.name for node in p.station.book.nodes()] == ["IMAGECTN", "ORTHO1"])
        await p.until(lambda: len(p.app.roster.states) == 2)


async def test_removing_the_node_that_is_asked_chooses_another() -> None:
    async with play() as p:
        await p.press("n", "x", "y")
        await p.until(lambda: p.app.roster.current == "MED1")


async def test_echo_now() -> None:
    async with play() as p:
        await p.until(lambda: all(s.echo or s.error for s in p.app.roster.states))
        before = p.station.peers["MED1"].echoes
        await p.press("n", "down", "e")
        await p.until(lambda: p.station.peers["MED1"].echoes == before + 1)


async def test_a_node_that_answers_again_turns_round() -> None:
    station = FakeStation()
    async with play(station) as p:
        await p.until(p.shows("refused"))
        station.scripts["ORTHO1"].error = None
        p.app.roster.echo("ORTHO1")
        await p.until(lambda: "refused" not in p.text())


async def test_a_console_without_nodes_says_how_to_begin() -> None:
    station = FakeStation()
    station.book.known.clear()
    async with play(station) as p:
        await p.until(p.shows("none yet"))
        await p.press("f")
        assert "press n, then a" in p.said()[-1]
        await p.press("n")
        await p.until(p.shows("press a to add one"))
        await p.press("e")
        assert "no node yet" in p.said()[-1]


async def test_a_read_only_console_changes_no_node() -> None:
    async with play(FakeStation(readonly=True)) as p:
        await p.press("n")
        for key in ("a", "E", "x"):
            await p.press(key)
            assert "--readonly" in p.said()[-1]


async def test_nobody_is_echoed_while_nobody_looks() -> None:
    station = FakeStation()
    async with play(station) as p:
        await p.until(lambda: all(s.echo or s.error for s in p.app.roster.states))
        p.app.app_focus = False
        p.app.roster._due.clear()
        echoes = sum(peer.echoes for peer in station.peers.values())
        await p.pilot.pause(0.5)
        assert sum(peer.echoes for peer in station.peers.values()) == echoes
