"""`pacs-tui echo`: do the nodes answer?"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pacs_tui.errors import Exit, NetworkError, UsageError

if TYPE_CHECKING:
    from pacs_tui.cli.output import Output
    from pacs_tui.station import Station


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("echo", help="ask nodes whether they answer (C-ECHO)")
    parser.add_argument("node", nargs="*", help="names of nodes; --all asks every one")
    parser.add_argument("--all", action="store_true", help="ask every node of the book")
    parser.add_argument("--count", type=int, default=1, metavar="N", help="echoes over one association")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, station: Station, output: Output) -> Exit:
    """One line per echo; the exit code is that of the last node that failed."""
    names = [node.name for node in station.book.nodes()] if args.all else args.node
    if not names:
        raise UsageError("Name a node, or use --all. `pacs-tui nodes list` shows them.")
    if not 1 <= args.count <= 10_000:
        raise UsageError("--count takes a number from 1 to 10000.")
    result = Exit.OK
    for name in names:
        try:
            for echo in station.peer(name).echo(args.count):
                output.record(
                    {
                        "node": echo.node,
                        "ms": round(echo.milliseconds, 2),
                        "connect_ms": round(echo.connect_milliseconds, 2),
                    },
                    f"{echo.node:<16} answers in {echo.milliseconds:.1f} ms",
                )
        except NetworkError as error:
            result = output.fail(error)
    return result
