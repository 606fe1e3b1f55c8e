"""`pacs-tui nodes`: the nodes of the book."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict, replace

from pacs_tui.errors import Exit, UsageError
from pacs_tui.model.node import Node
from pacs_tui.model.text import pad, printable

if TYPE_CHECKING:
    from pacs_tui.book.book import Book
    from pacs_tui.cli.output import Output
    from pacs_tui.station import Station

_WIDTHS = {"NAME": 16, "AE TITLE": 16, "ADDRESS": 28, "CALLING": 16, "RETRIEVE": 8, "": 9}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("nodes", help="list, add, edit, remove, import nodes")
    verbs = parser.add_subparsers(dest="nodes_verb", metavar="ACTION")
    verbs.add_parser("list", help="every node, in the order they were added").set_defaults(action=_list)
    add = verbs.add_parser("add", help="a new node")
    add.add_argument("name", help="what you call it")
    add.add_argument("ae_title", help="its AE title")
    add.add_argument("host", help="host name or address")
    add.add_argument("port", type=int, help="TCP port")
    _options(add)
    add.set_defaults(action=_add)
    edit = verbs.add_parser("edit", help="change what is named, keep the rest")
    edit.add_argument("name")
    edit.add_argument("--ae-title", help="its AE title")
    edit.add_argument("--host", help="host name or address")
    edit.add_argument("--port", type=int, help="TCP port")
    _options(edit)
    edit.set_defaults(action=_edit)
    remove = verbs.add_parser("remove", help="forget a node")
    remove.add_argument("name")
    remove.set_defaults(action=_remove)
    take = verbs.add_parser("import", help="read dcmqrscp.cfg (HostTable) or Orthanc's JSON (DicomModalities)")
    take.add_argument("file", type=Path)
    take.add_argument("--replace", action="store_true", help="let the file win over nodes of the same name")
    take.set_defaults(action=_import)
    parser.set_defaults(run=run, action=_list)


def run(args: argparse.Namespace, station: Station, output: Output) -> Exit:
    """Do it, and say on stderr what the book had to complain about."""
    result: Exit = args.action(args, station.book, output)
    for warning in station.book.warnings:
        output.say(f"Warning: {warning}")
    return result


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--calling", metavar="AE_TITLE", help="the AE title we use towards it; '' for the one in config.toml"
    )
    parser.add_argument(
        "--retrieve", choices=["auto", "get", "move"], help="how previews are fetched (auto: get, else move)"
    )
    parser.add_argument("--charset", help="SpecificCharacterSet to assume where its text names none")
    parser.add_argument(
        "--readonly", action=argparse.BooleanOptionalAction, default=None, help="nothing is ever sent to it"
    )
    parser.add_argument("--comment", help="free text")


def _given(args: argparse.Namespace, *names: str) -> dict[str, Any]:
    """The options that were typed."""
    typed = {name: getattr(args, name) for name in (*names, "calling", "retrieve", "charset", "readonly", "comment")}
    return {name: value for name, value in typed.items() if value is not None}


def _list(_args: argparse.Namespace, book: Book, output: Output) -> Exit:
    nodes = book.nodes()
    if nodes:
        output.heading("  ".join(pad(heading, width) for heading, width in _WIDTHS.items()).rstrip())
    else:
        output.say("The book has no nodes yet. Add one: pacs-tui nodes add NAME AE_TITLE HOST PORT")
    return _show(nodes, output)


def _add(args: argparse.Namespace, book: Book, output: Output) -> Exit:
    node = Node(args.name, args.ae_title, args.host, args.port, **_given(args))
    book.save_node(node, new=True)
    return _show([node], output)


def _edit(args: argparse.Namespace, book: Book, output: Output) -> Exit:
    changes = _given(args, "ae_title", "host", "port")
    if not changes:
        raise UsageError("Name at least one thing to change, for example --port 104.")
    node = replace(book.node(args.name), **changes)
    book.save_node(node)
    return _show([node], output)


def _remove(args: argparse.Namespace, book: Book, output: Output) -> Exit:
    book.remove_node(args.name)
    output.say(f"Removed {args.name}.")
    return Exit.OK


def _import(args: argparse.Namespace, book: Book, output: Output) -> Exit:
    from pacs_tui.book.node_import import read_nodes

    known = {node.name: node for node in book.nodes()}
    read = read_nodes(args.file)
    taken = [node for node in read if args.replace or node.name not in known]
    # What the other system cannot know (calling title, comment, ...) stays as it is here.
    merged = [replace(known.get(n.name, n), ae_title=n.ae_title, host=n.host, port=n.port) for n in taken]
    book.save_nodes(merged)
    if skipped := [node.name for node in read if node not in taken]:
        output.say(f"Left as they are, since the book has them: {', '.join(skipped)}. To overwrite, add --replace.")
    return _show(merged, output)


def _show(nodes: Iterable[Node], output: Output) -> Exit:
    for node in nodes:
        output.record(asdict(node), _line(node))
    return Exit.OK


def _line(node: Node) -> str:
    values = (node.name, node.ae_title, node.address, node.calling, node.retrieve, "read-only" if node.readonly else "")
    line = "  ".join(pad(value, width) for value, width in zip(values, _WIDTHS.values(), strict=True))
    return f"{line}  {printable(node.comment)}".rstrip()
