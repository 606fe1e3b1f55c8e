"""`pacs-tui nodes`: the verbs on a real book."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pacs_tui.book.book import Book
from pacs_tui.cli import nodes
from pacs_tui.cli.output import Output
from pacs_tui.errors import Exit, NotFound, UsageError
from pacs_tui.model.node import Node


class Desk:
    """A parser, a book and a place to print."""

    def __init__(self, folder: Path) -> None:
        self.book = Book(folder / "book.json")
        self.parser = argparse.ArgumentParser(exit_on_error=False)
        nodes.add_parser(self.parser.add_subparsers())

    def run(self, *words: str, as_json: bool = False) -> tuple[str, str]:
        stdout, stderr = io.StringIO(), io.StringIO()
        args = self.parser.parse_args(["nodes", *words])
        station = cast(Any, SimpleNamespace(book=self.book, settings=None))
        assert args.run(args, station, Output(as_json, stdout, stderr)) is Exit.OK
        return stdout.getvalue(), stderr.getvalue()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_an_empty_book_says_how_to_begin(desk: Desk) -> None:
    stdout, stderr = desk.run("list")
    assert stdout == ""
    assert "pacs-tui nodes add NAME" in stderr
    assert desk.run() == (stdout, stderr)


def test_add_list_edit_remove(desk: Desk) -> None:
    desk.run("add", "MED1", "MED", "med.example", "104", "--calling", "WARD7", "--readonly", "--comment", "first floor")
    assert desk.book.node("MED1") == Node(
        "MED1", "MED", "med.example", 104, calling="WARD7", readonly=True, comment="first floor"
    )
    desk.run(
        "edit", "MED1", "--port", "105", "--calling", "", "--no-readonly", "--retrieve", "move", "--ae-title", "MED2"
    )
    assert desk.book.node("MED1") == Node("MED1", "MED2", "med.example", 105, retrieve="move", comment="first floor")
    stdout, _ = desk.run("list")
    heading, line = stdout.splitlines()
    assert heading.split() == ["NAME", "AE", "TITLE", "ADDRESS", "CALLING", "RETRIEVE"]
    assert line.split() == ["MED1", "MED2", "med.example:105", "move", "first", "floor"]
    assert json.loads(desk.run("list", as_json=True)[0])["port"] == 105
    assert desk.run("remove", "MED1") == ("", "Removed MED1.\n")
    assert desk.book.nodes() == []


def test_refusals(desk: Desk) -> None:
    desk.run("add", "MED1", "MED", "med.example", "104")
    with pytest.raises(UsageError, match="There is a node MED1 already"):
        desk.run("add", "MED1", "OTHER", "med.example", "104")
    with pytest.raises(UsageError, match="port 0"):
        desk.run("add", "MED2", "MED", "med.example", "0")
    with pytest.raises(UsageError, match="at least one thing"):
        desk.run("edit", "MED1")
    with pytest.raises(NotFound, match="Did you mean MED1"):
        desk.run("edit", "MED", "--port", "1")
    with pytest.raises(NotFound):
        desk.run("remove", "MED")
    assert desk.book.nodes() == [Node("MED1", "MED", "med.example", 104)]


def test_import_keeps_what_is_there_unless_told(desk: Desk, tmp_path: Path) -> None:
    desk.run("add", "med", "MED", "old.example", "104", "--comment", "kept")
    file = tmp_path / "dcmqrscp.cfg"
    file.write_text("HostTable BEGIN\nmed = (MED1, new.example, 105)\not = (OT, ot.example, 106)\nHostTable END\n")
    stdout, stderr = desk.run("import", str(file))
    assert "Left as they are, since the book has them: med." in stderr
    assert stdout.split()[0] == "ot"
    assert [node.host for node in desk.book.nodes()] == ["old.example", "ot.example"]
    desk.run("import", str(file), "--replace")
    assert desk.book.nodes() == [
        Node("med", "MED1", "new.example", 105, comment="kept"),
        Node("ot", "OT", "ot.example", 106),
    ]


def test_warnings_of_the_book_are_talk(desk: Desk, tmp_path: Path) -> None:
    desk.run("add", "MED1", "MED", "med.example", "104")
    path = tmp_path / "book.json"
    path.write_text(path.read_text().replace("104", "0"))
    stdout, stderr = desk.run("list")
    assert stdout == ""
    assert "Warning: book.json: the node 'MED1' is left out" in stderr
