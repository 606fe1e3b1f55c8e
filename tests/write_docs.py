"""The pages that are made from the code: `make docs` writes them, and a test refuses stale ones."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from pacs_tui.cli.arguments import VERBS, parser
from pacs_tui.errors import Exit
from tests.write_conformance import conformance_page

DOCS = Path(__file__).resolve().parent.parent / "docs"
_MADE = "<!-- Made from the code by `make docs`: change it there. -->"
_CODES = {
    Exit.OK: "found, sent, or verified: the destination was asked and holds every instance",
    Exit.ERROR: "a file, a database or a picture of ours cannot be used",
    Exit.USAGE: "what was typed, or what config.toml says, cannot be used",
    Exit.UNREACHABLE: "no connection, silence, or a line that broke",
    Exit.REFUSED: "the peer answered, and said no",
    Exit.PARTIAL: "some instances arrived",
    Exit.UNVERIFIED: "everything was sent, and the destination cannot be asked",
    Exit.CANCELLED: "somebody stopped it",
    Exit.NOT_FOUND: "nothing matches, or there is no such node or job",
}


def cli_page() -> str:
    """docs/cli.md: every verb with its own help."""
    top = parser(list(VERBS))
    pages = [("pacs-tui", top), *sorted(_verbs(top), key=lambda pair: list(VERBS).index(pair[0].split()[1]))]
    parts = [
        "# The command line",
        _MADE,
        "stdout is data: a table for people, one JSON object a line with `--json`. stderr is talk.",
    ]
    parts += ["## Exit codes", "\n".join(f"* `{int(code)}` {meaning}" for code, meaning in _CODES.items())]
    with mock.patch.dict(os.environ, COLUMNS="100"):
        parts += [f"## `{name}`\n\n```\n{one.format_help().rstrip()}\n```" for name, one in pages]
    return "\n\n".join(parts) + "\n"


def _verbs(top: argparse.ArgumentParser) -> list[tuple[str, argparse.ArgumentParser]]:
    found = []
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                found += [(one.prog, one), *_verbs(one)]
    return found


def keys_page() -> str:
    """docs/keys.md: the keys of every view, the fields of a query, the commands."""
    from textual.app import App

    from pacs_tui.tui.app import PacsApp
    from pacs_tui.tui.dialogs.move import MoveDialog
    from pacs_tui.tui.presentation.help import bindings_of, command_lines, field_lines, key_lines
    from pacs_tui.tui.screens.console import Console
    from pacs_tui.tui.screens.jobs import JobsScreen
    from pacs_tui.tui.screens.nodes import NodesScreen
    from pacs_tui.tui.widgets.results import Results

    display = App[None]().get_key_display
    views: dict[str, list[type[Any]]] = {
        "Everywhere": [PacsApp], "The console": [Console, Results], "Jobs (`j`)": [JobsScreen],
        "Nodes (`n`)": [NodesScreen], "Moving (`m`)": [MoveDialog],
    }  # fmt: skip
    parts = [
        "# Keys",
        _MADE,
        "`?` shows the keys of the view you are in; the line at the foot shows those that act now.",
    ]
    for title, classes in views.items():
        lines = [line for cls in classes for line in key_lines(bindings_of(cls), display)]
        parts += [f"## {title}", _block(lines)]
    parts += ["## What a query may say (`f`)", _block(field_lines()), "## Commands (`:`)", _block(command_lines())]
    return "\n\n".join(parts) + "\n"


def _block(lines: Sequence[Sequence[tuple[str, str]]]) -> str:
    text = "\n".join("".join(part for part, _ in line).rstrip() for line in lines)
    return f"```\n{re.sub('^  ', '', text, flags=re.MULTILINE)}\n```"


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": cli_page, "keys.md": keys_page, "conformance.md": lambda: conformance_page(_MADE),
}  # fmt: skip


def main() -> None:
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
        print(f"docs/{name}")


if __name__ == "__main__":
    main()
