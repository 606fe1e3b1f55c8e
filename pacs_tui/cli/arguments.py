"""The arguments of the command line: its verbs and their options."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from typing import NoReturn

from pacs_tui import __version__
from pacs_tui.cli import ui
from pacs_tui.errors import UsageError

VERBS = {
    "echo": "ask nodes whether they answer (C-ECHO)",
    "find": "query a node (C-FIND)",
    "get": "fetch instances into a folder (C-GET)",
    "move": "route studies between nodes and verify that they arrived",
    "send": "send files to a node (C-STORE) and verify that they arrived",
    "nodes": "list, add, edit, remove, import nodes",
    "jobs": "list, show, cancel, retry transfers",
    "worker": "run transfers until there are none",
    "archive": "be an archive: storage, query, retrieve",
    "demo": "an embedded hospital with real images, and the console on it",
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].upper()}{message[1:]}. See `{self.prog} --help`.")


def parser(verbs: Sequence[str]) -> argparse.ArgumentParser:
    """The parser with the verbs named; a verb's module is imported only when it is among them."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="one JSON object a line on stdout")
    top = _Parser(
        prog="pacs-tui", parents=[common],
        description="A PACS console for the terminal. Without a verb it opens the console.",
        epilog="Exit codes: 0 found or verified, 1 error, 2 usage, 3 unreachable, 4 refused, 5 partial, 6 unverified, "
        "7 cancelled, 8 not found.",
    )  # fmt: skip
    top.add_argument("--version", action="version", version=f"pacs-tui {__version__}")
    ui.add_arguments(top)
    top.set_defaults(run=ui.run)
    subparsers = top.add_subparsers(dest="verb", metavar="VERB", parser_class=_Parser)
    for verb in verbs:
        importlib.import_module(f"pacs_tui.cli.{verb}").add_parser(subparsers)
    return top


def parse(words: Sequence[str]) -> argparse.Namespace:
    """What was typed, read; `run` is the function that does it. Raises UsageError."""
    named = [word for word in words if word in VERBS][:1]
    explicit = any(word in ("-h", "--help") for word in words) or not named
    wanted = list(VERBS) if explicit and any(not word.startswith("-") for word in words) else named
    if any(word in ("-h", "--help") for word in words):
        wanted = list(VERBS)
    # `--json` may stand before or behind the verb.
    args = parser(wanted).parse_args([word for word in words if word != "--json"])
    args.json = "--json" in words
    return args
