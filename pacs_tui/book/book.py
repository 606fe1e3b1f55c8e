"""What administrators keep: nodes, saved queries, preferences."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from msgspec.structs import asdict
from tinydb import TinyDB, where
from tinydb.middlewares import CachingMiddleware

from pacs_tui.book.storage import BookStorage
from pacs_tui.errors import NotFound, UsageError
from pacs_tui.model.node import Node

_MOST_QUERIES = 50
_TYPES = {"port": int, "readonly": bool}


class Book:
    """The book of one user, shared by all of their processes; every change is durable when the call returns.

    Thread-safe. Every method raises StorageError when the file cannot be read or written, with both it and its backup
    untouched.
    """

    def __init__(self, path: Path) -> None:
        self._storage = BookStorage(path)
        self._bad_nodes: list[str] = []

    @property
    def warnings(self) -> list[str]:
        """What the reader of the book should know: repairs so far, and entries that the last `nodes()` left out."""
        return [*self._storage.warnings, *self._bad_nodes]

    def nodes(self) -> list[Node]:
        """All nodes in the order they were added; an entry that cannot be used is left out and named in `warnings`."""
        nodes: dict[str, Node] = {}
        bad: list[str] = []
        for entry in sorted(self._reading().table("nodes").all(), key=lambda entry: entry.doc_id):
            try:
                node = _node(entry)
                if node.name in nodes:
                    raise UsageError(f"there is another node {node.name}")
                nodes[node.name] = node
            except UsageError as error:
                named = entry.get("name") or f"number {entry.doc_id}"
                bad.append(f"{self._storage.path.name}: the node {named!r} is left out: {error}")
        self._bad_nodes = bad
        return list(nodes.values())

    def node(self, name: str) -> Node:
        """The node of this name; NotFound names the nearest one that is known."""
        known = {node.name: node for node in self.nodes()}
        if name in known:
            return known[name]
        folded = {known_name.casefold(): known_name for known_name in known}
        near = get_close_matches(name.casefold(), folded, 1, 0.5)
        if near:
            advice = f"Did you mean {folded[near[0]]}?"
        else:
            advice = f"Known are {', '.join(known)}." if known else "The book has no nodes yet; add one."
        raise NotFound(f"There is no node {name!r}. {advice}")

    def save_node(self, node: Node, *, new: bool = False) -> None:
        """Add the node, or put it in the place of its namesake; UsageError where a `new` one has a namesake."""
        self.save_nodes([node], new=new)

    def save_nodes(self, nodes: Iterable[Node], *, new: bool = False) -> None:
        """As `save_node`, all of them in one change or none."""
        with self._changing() as tables:
            table = tables.table("nodes")
            for node in nodes:
                if new and table.contains(where("name") == node.name):
                    raise UsageError(f"There is a node {node.name} already.")
                table.upsert(asdict(node), where("name") == node.name)

    def remove_node(self, name: str) -> None:
        """Forget a node, also one whose entry cannot be used; NotFound where there is none of this name."""
        with self._changing() as tables:
            if not tables.table("nodes").remove(where("name") == name):
                self.node(name)  # raises, with advice

    def queries(self) -> list[str]:
        """The saved query lines, the newest first."""
        lines = sorted(((e.doc_id, e.get("line")) for e in self._reading().table("queries").all()), reverse=True)
        return [line for _, line in lines if isinstance(line, str)]

    def save_query(self, line: str) -> None:
        """Put a query line on top; a line that was there moves up, and the oldest beyond fifty are forgotten."""
        line = line.strip()
        if not line:
            return
        with self._changing() as tables:
            table = tables.table("queries")
            newest = sorted(table.all(), key=lambda entry: entry.doc_id)[-1:]
            if newest and newest[0].get("line") == line:
                return
            table.insert({"line": line})
            kept = sorted(entry.doc_id for entry in table.all() if entry.get("line") == line)[:-1]
            table.remove(doc_ids=kept)
            table.remove(doc_ids=sorted(entry.doc_id for entry in table.all())[:-_MOST_QUERIES])

    def preference(self, key: str, default: str = "") -> str:
        """What was last set for the key."""
        entry = self._reading().table("preferences").get(where("key") == key)
        value = entry.get("value") if isinstance(entry, Mapping) else None
        return value if isinstance(value, str) else default

    def set_preference(self, key: str, value: str) -> None:
        """Remember a value until it is set anew."""
        with self._changing() as tables:
            tables.table("preferences").upsert({"key": key, "value": value}, where("key") == key)

    def _reading(self) -> TinyDB:
        return TinyDB(storage=lambda: self._storage)

    @contextmanager
    def _changing(self) -> Iterator[TinyDB]:
        """Read, modify and write under the lock, in one write.

        The TinyDB is made anew each time: its tables remember answers and the next number, which another process may
        have changed since. When the body raises, nothing is written.
        """
        with self._storage.lock():
            cache = CachingMiddleware(lambda: self._storage)  # type: ignore[no-untyped-call]
            # never by itself: what is half done must not be written
            cache.WRITE_CACHE_SIZE = sys.maxsize
            yield TinyDB(storage=cache)
            cache.flush()  # type: ignore[no-untyped-call]


def _node(entry: Mapping[str, Any]) -> Node:
    """The node of an entry; UsageError where people wrote what no node can be. Keys of newer versions are ignored."""
    values: dict[str, Any] = {}
    for name in Node.__struct_fields__:
        if name in entry:
            value, expected = entry[name], _TYPES.get(name, str)
            if type(value) is not expected:
                raise UsageError(f"{name} is {value!r}, which is no {expected.__name__}.")
            values[name] = value
        elif name in ("name", "ae_title", "host", "port"):
            raise UsageError(f"{name} is missing.")
    return Node(**values)
