"""The help and the palette are made from the keys that exist."""

from __future__ import annotations

from typing import Any

import pytest

from pacs_tui.model.query import FIELDS
from pacs_tui.tui.commands import COMMANDS
from pacs_tui.tui.presentation.help import bindings_of
from pacs_tui.tui.presentation.line import plain
from pacs_tui.tui.screens.console import Console
from pacs_tui.tui.screens.help import HelpScreen
from pacs_tui.tui.screens.view import View
from tests.tui.playing import play


@pytest.mark.parametrize("way", [(), ("j",), ("n",)])
async def test_help_lists_every_described_key_of_the_view(way: tuple[str, ...]) -> None:
    async with play() as p:
        await p.press(*way)
        view = p.app.screen
        assert isinstance(view, View)
        await p.press("question_mark")
        assert isinstance(p.app.screen, HelpScreen)
        said = "\n".join(plain(line) for line in p.app.screen.lines())
        shown: list[type[Any]] = [type(view), View, type(p.app), *(cls for _, cls in view.SECTIONS)]
        for cls in shown:
            for binding in bindings_of(cls):
                if not binding.action.startswith("choose_node"):
                    assert binding.description in said
                    assert p.app.get_key_display(binding) in said
        await p.press("escape")
        assert p.app.screen_stack[-1] is view


async def test_help_of_the_console_lists_query_fields_and_commands() -> None:
    async with play() as p:
        await p.press("question_mark")
        assert isinstance(p.app.screen, HelpScreen)
        said = "\n".join(plain(line) for line in p.app.screen.lines())
        assert all(f"{field.name}:" in said and field.help in said for field in FIELDS)
        assert all(f":{command.name}" in said for command in COMMANDS)


def test_every_key_of_the_console_has_an_action() -> None:
    shown: list[type[Any]] = [Console, *(cls for _, cls in Console.SECTIONS)]
    for cls in shown:
        for binding in bindings_of(cls):
            name = binding.action.partition("(")[0]
            assert hasattr(cls, f"action_{name}"), binding


def test_no_key_means_two_things_on_one_screen() -> None:
    keys = [key for binding in bindings_of(Console) for key in binding.key.split(",")]
    assert len(keys) == len(set(keys))


async def test_the_palette_offers_the_keys_of_the_view() -> None:
    async with play() as p:
        offered = {command.title for command in p.app.get_system_commands(p.app.screen)}
        assert {"Find", "Move", "Jobs", "Nodes", "Quit", "Help"} <= offered
        await p.press("ctrl+p")
        await p.type("jobs")
        await p.until(p.shows("key j"))
        await p.press("enter")
        await p.until(lambda: type(p.app.screen).__name__ == "JobsScreen")
