"""`pacs-tui find`: query a node with the one-line language."""

from __future__ import annotations

import argparse
from datetime import date
from typing import TYPE_CHECKING

from msgspec.structs import replace

from pacs_tui.errors import Exit, UsageError
from pacs_tui.model.level import Level
from pacs_tui.model.query import RETURN_KEYS, Query, by_uid, parse

if TYPE_CHECKING:
    from pacs_tui.cli.output import Output
    from pacs_tui.station import Station


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("find", help="query a node (C-FIND)")
    parser.add_argument("node", help="name of the node to ask")
    parser.add_argument(
        "query", nargs="*", help="name: id: acc: date: time: mod: desc: uid: ...; free words mean the name"
    )
    parser.add_argument("--study", metavar="UID", default="", help="list the series of this study")
    parser.add_argument("--series", metavar="UID", default="", help="with --study: list the instances of this series")
    parser.add_argument("--limit", type=int, metavar="N", help="stop after N rows")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, station: Station, output: Output) -> Exit:
    """Rows as they arrive; exit code 8 when nothing matches."""
    query = _query(args)
    found = 0
    with output.table(query.level) as table:
        for match in station.peer(args.node).find(query):
            table.add(match)
            found += 1
    if not found:
        output.say(f"{args.node}: nothing matches.")
        return Exit.NOT_FOUND
    if query.limit is not None and found == query.limit:
        output.say(f"Stopped at the limit of {found}; more may exist.")
    return Exit.OK


def _query(args: argparse.Namespace) -> Query:
    if args.limit is not None and args.limit < 1:
        raise UsageError("--limit takes a number from 1.")
    if args.series and not args.study:
        raise UsageError("--series needs the --study it belongs to.")
    if args.study:
        if args.query:
            raise UsageError("Give a query, or --study; not both.")
        level = Level.IMAGE if args.series else Level.SERIES
        return replace(by_uid(level, args.study, args.series, keys=RETURN_KEYS[level]), limit=args.limit)
    return parse(" ".join(args.query), date.today(), args.limit)
