"""What can be typed after `:`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from pacs_tui.errors import UsageError

if TYPE_CHECKING:
    from pacs_tui.tui.screens.console import Console


class Command(Struct, frozen=True):
    """A word and what it does with the words behind it."""

    name: str
    takes: str
    help: str
    run: Callable[[Console, str], None]


def _find(console: Console, line: str) -> None:
    if not console.refused("find"):
        console.find(line)
        console.remember(line)


COMMANDS: tuple[Command, ...] = (
    Command("find", "QUERY", "ask the chosen node", _find),
    Command("node", "NAME", "choose the node that is asked", lambda console, name: console.choose_node(name)),
    Command("filter", "WORDS", "show only rows that hold these words", lambda c, words: c.results.set_filter(words)),
    Command("sort", "", "sort in the next order", lambda console, _: console.action_sort()),
    Command("move", "", "move what is marked", lambda console, _: console.action_move()),
    Command("echo", "", "echo the chosen node", lambda console, _: console.action_echo()),
    Command("view", "", "large preview, and back", lambda console, _: console.action_view()),
    Command("details", "", "details, and back", lambda console, _: console.action_details()),
    Command("jobs", "", "all transfers", lambda console, _: console.action_jobs()),
    Command("nodes", "", "add, edit and remove nodes", lambda console, _: console.action_nodes()),
    Command("help", "", "keys and query fields", lambda console, _: console.action_help()),
    Command("quit", "", "leave; transfers go on", lambda console, _: console.app.exit()),
)


def matching(typed: str) -> list[Command]:
    """The commands a beginning could mean; the exact name alone where it is one."""
    word = typed.strip().partition(" ")[0].lower()
    exact = [command for command in COMMANDS if command.name == word]
    return exact or [command for command in COMMANDS if command.name.startswith(word)]


def hint(typed: str) -> str:
    """What stands below the line while a command is typed."""
    found = matching(typed)
    if len(found) == 1:
        return f"{found[0].name} {found[0].takes}".strip() + f": {found[0].help}"
    return "  ".join(command.name for command in found) or "no such command"


def run(console: Console, typed: str) -> None:
    """Does what was typed; any unambiguous beginning will do. Raises UsageError."""
    found = matching(typed)
    if len(found) != 1:
        names = ", ".join(command.name for command in found)
        word = typed.strip().partition(" ")[0]
        raise UsageError(f"{word!r} could be {names}." if names else f"There is no command {word!r}.")
    found[0].run(console, typed.strip().partition(" ")[2].strip())
