"""The book: what was saved is there, whoever else writes and whatever happened to the file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from msgspec.structs import replace

from pacs_tui.book import storage
from pacs_tui.book.book import Book
from pacs_tui.errors import NotFound, StorageError, UsageError
from pacs_tui.model.node import Node

CTN = Node("IMAGECTN", "CTN", "127.0.0.1", 104, calling="WARD7", readonly=True, comment="the archive")
MED1 = Node("MED1", "MED1", "med1.example", 11112, retrieve="get", charset="ISO_IR 100")
OT = Node("OT", "OT", "::1", 4000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "book.json"


@pytest.fixture
def book(path: Path) -> Book:
    return Book(path)


def test_a_new_book_is_empty_and_makes_no_file(book: Book, path: Path) -> None:
    assert (book.nodes(), book.queries(), book.preference("x", "y"), book.warnings) == ([], [], "y", [])
    assert not path.exists()


def test_nodes_come_back_in_the_order_they_were_added(book: Book, path: Path) -> None:
    for node in (MED1, CTN, OT):
        book.save_node(node)
    book.save_node(replace(MED1, port=104))
    assert Book(path).nodes() == [replace(MED1, port=104), CTN, OT]
    book.remove_node("IMAGECTN")
    book.save_node(CTN)
    assert [node.name for node in book.nodes()] == ["MED1", "OT", "IMAGECTN"]
    assert book.node("OT") == OT


def test_an_unknown_node_is_answered_with_the_nearest(book: Book) -> None:
    with pytest.raises(NotFound, match="no nodes yet"):
        book.node("MED1")
    book.save_nodes([CTN, MED1])
    with pytest.raises(NotFound, match=r"no node 'med1'\. Did you mean MED1\?"):
        book.node("med1")
    with pytest.raises(NotFound, match="Known are IMAGECTN, MED1"):
        book.node("xyz")
    with pytest.raises(NotFound):
        book.remove_node("xyz")


def test_a_new_node_takes_nobody_s_place(book: Book) -> None:
    book.save_node(CTN, new=True)
    with pytest.raises(UsageError, match="IMAGECTN already"):
        book.save_nodes([MED1, replace(CTN, port=1)], new=True)
    assert book.nodes() == [CTN]


def test_queries_are_newest_first_without_doubles(book: Book) -> None:
    for line in ("a", "b", " a ", "a", "", "c"):
        book.save_query(line)
    assert book.queries() == ["c", "a", "b"]
    for number in range(60):
        book.save_query(f"q{number}")
    assert book.queries() == [f"q{number}" for number in range(59, 9, -1)]


def test_preferences(book: Book, path: Path) -> None:
    book.set_preference("theme", "dark")
    book.set_preference("theme", "light")
    assert Book(path).preference("theme") == "light"


def test_a_bad_entry_names_itself_and_hides_nobody(book: Book, path: Path) -> None:
    book.save_nodes([CTN, MED1, OT, Node("X", "X", "x", 1)])
    tables = json.loads(path.read_text())
    tables["nodes"]["1"]["port"] = "104"
    tables["nodes"]["2"]["ae_title"] = "FAR_TOO_LONG_A_TITLE"
    del tables["nodes"]["3"]["host"]
    tables["nodes"]["5"] = dict(tables["nodes"]["4"], later_key=1)
    path.write_text(json.dumps(tables))
    assert [node.name for node in book.nodes()] == ["X"]
    assert [warning.partition(" is left out: ")[0] for warning in book.warnings] == [
        f"book.json: the node '{name}'" for name in ("IMAGECTN", "MED1", "OT", "X")
    ]
    assert "port is '104', which is no int" in book.warnings[0]
    assert "host is missing" in book.warnings[2]
    book.remove_node("MED1")
    assert len(book.warnings) == 4
    book.nodes()
    assert len(book.warnings) == 3


@pytest.mark.parametrize(
    "damage",
    [b"{", b"", b"[]", b'{"nodes": 5}', b'{"nodes": {"a": {}}}', b'{"nodes": {"1": 5}}', b"\xff", b"[" * 100_000],
)
def test_a_damaged_book_falls_back_to_the_last_good_copy(book: Book, path: Path, damage: bytes) -> None:
    book.save_node(CTN)
    book.save_node(MED1)
    path.write_bytes(damage)
    again = Book(path)
    assert again.nodes() == [CTN]
    assert "the last good copy is used" in again.warnings[0]
    assert "book.json.damaged-1" in again.warnings[0]
    assert (path.parent / "book.json.damaged-1").read_bytes() == damage
    assert (Book(path).nodes(), Book(path).warnings) == ([CTN], [])
    path.write_bytes(b"again")
    Book(path).save_node(OT)
    assert (path.parent / "book.json.damaged-2").read_bytes() == b"again"
    assert Book(path).nodes() == [CTN, OT]


def test_two_damaged_files_stay_untouched(book: Book, path: Path) -> None:
    book.save_node(CTN)
    book.save_node(MED1)
    backup = path.with_name("book.json.bak")
    path.write_text("{")
    backup.write_text("}")
    for act in (book.nodes, lambda: book.save_node(OT)):
        with pytest.raises(StorageError, match=r"is damaged .* and so is its copy"):
            act()
    assert (path.read_text(), backup.read_text()) == ("{", "}")
    backup.unlink()
    with pytest.raises(StorageError, match="there is no copy"):
        book.nodes()
    assert path.read_text() == "{"


def test_an_empty_file_made_by_hand_is_a_new_book(book: Book, path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    assert book.nodes() == []
    book.save_node(CTN)
    assert book.nodes() == [CTN]


def test_a_failed_write_leaves_the_old_book(book: Book, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book.save_node(CTN)
    before = path.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="cannot be written: No space left"):
        book.save_node(MED1)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert sorted(p.name for p in path.parent.iterdir()) == ["book.json", "book.json.bak", "book.json.lock"]
    book.save_node(MED1)
    assert book.nodes() == [CTN, MED1]


def test_a_refused_change_writes_nothing(book: Book, path: Path) -> None:
    book.save_node(CTN)
    before = path.stat()
    with pytest.raises(UsageError):
        book.save_nodes([MED1, CTN], new=True)
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert path.stat().st_ino == before.st_ino


def test_links_and_modes_are_kept(tmp_path: Path) -> None:
    real = tmp_path / "real.json"
    link = tmp_path / "book.json"
    Book(real).save_node(CTN)
    real.chmod(0o640)
    link.symlink_to(real)
    Book(link).save_node(MED1)
    assert link.is_symlink()
    assert Book(real).nodes() == [CTN, MED1]
    assert real.stat().st_mode & 0o777 == 0o640


def test_no_hard_links_no_problem(book: Book, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    book.save_node(CTN)
    book.save_node(MED1)
    path.write_text("{")
    assert Book(path).nodes() == [CTN]


def test_a_book_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "book.json").mkdir()
    with pytest.raises(StorageError, match=r"book\.json cannot be read"):
        Book(tmp_path / "book.json").nodes()
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be"):
        Book(tmp_path / "file" / "book.json").save_node(CTN)


def test_a_lock_that_is_held_is_waited_for_only_so_long(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_LOCK_SECONDS", 0.05)
    holder, other = storage.BookStorage(path), Book(path)
    with holder.lock(), pytest.raises(StorageError, match="another process"):
        other.save_node(CTN)
    other.save_node(CTN)


_WRITER = """
import sys
from pathlib import Path
from pacs_tui.book.book import Book
from pacs_tui.model.node import Node
book, who = Book(Path(sys.argv[1])), sys.argv[2]
for number in range(15):
    book.save_node(Node(f"{who}-{number}", "AE", "host", 104))
    book.set_preference(who, str(number))
    if number % 5 == 4:
        book.remove_node(f"{who}-{number}")
"""


def test_processes_never_lose_each_others_changes(path: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", _WRITER, str(path), name]) for name in ("a", "b", "c")]
    readings: list[int] = []
    while any(writer.poll() is None for writer in writers):
        reader = Book(path)
        readings.append(len(reader.nodes()))
        assert reader.warnings == []
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    names = [node.name for node in Book(path).nodes()]
    expected = [number for number in range(15) if number % 5 != 4]
    for who in ("a", "b", "c"):
        assert [name for name in names if name.startswith(who)] == [f"{who}-{number}" for number in expected]
        assert Book(path).preference(who) == "14"


def test_threads_never_lose_each_others_changes(book: Book) -> None:
    def write(who: str) -> None:
        for number in range(10):
            book.save_node(Node(f"{who}-{number}", "AE", "host", 104))

    threads = [threading.Thread(target=write, args=(who,)) for who in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(book.nodes()) == 30


def test_a_killed_writer_leaves_a_whole_book(path: Path) -> None:
    Book(path).save_node(CTN)
    for _ in range(5):
        writer = subprocess.Popen([sys.executable, "-c", _WRITER.replace("range(15)", "range(100000)"), str(path), "a"])
        before = path.stat().st_mtime_ns
        while path.stat().st_mtime_ns == before and writer.poll() is None:
            os.sched_yield()
        writer.kill()
        writer.wait()
        reader = Book(path)
        assert reader.node("IMAGECTN") == CTN
        assert reader.warnings == []
        reader.save_node(MED1)
