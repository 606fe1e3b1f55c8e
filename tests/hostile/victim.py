"""The archive under fire: a real server process, what it costs, and what it says."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pacs_tui.book.book import Book
from pacs_tui.model.node import Node
from tests.faults.serving import Server, serving
from tests.faults.waiting import until

TITLE, SECOND = "VICTIM", "SECOND"
CONFIG = f"""
[timeouts]
association = 5.0
message = 5.0
[archive]
host = "127.0.0.1"
durability = "os"
[archive.limits]
request_seconds = 5.0
idle_seconds = 20.0
[[archive.area]]
ae_title = "{TITLE}"
port = 0
sta = "first"
[[archive.area]]
ae_title = "{SECOND}"
port = 0
sta = "second"
"""
_PORT = re.compile(r"127\.0\.0\.1:(\d+)")
_OURS = ("Traceback", "error of ours", "cannot be served", "a query failed", "warn")
_MORE_DESCRIPTORS = 24
"""Eight connections to the index, which are kept, of three files each."""
_MORE_MEMORY = 64
"""Megabytes: what the allocator may keep of the worst moment."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What a process holds of the system."""

    megabytes: int
    threads: int
    descriptors: int


@dataclass(frozen=True, slots=True)
class Victim:
    server: Server

    @property
    def port(self) -> int:
        return self.server.ports[TITLE]

    @property
    def log(self) -> Path:
        return self.server.home / "log"

    def costs(self) -> Costs:
        """Now."""
        process = Path("/proc") / str(self.server.process.pid)
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        megabytes = int(status["VmRSS"].split()[0]) // 1024
        return Costs(megabytes, int(status["Threads"]), len(os.listdir(process / "fd")))

    def await_rest(self, before: Costs) -> Costs:
        """The costs once threads and descriptors are those of before; AssertionError where they stay."""

        def rested() -> bool:
            now = self.costs()
            return now.threads <= before.threads and now.descriptors <= before.descriptors + _MORE_DESCRIPTORS

        with suppress(AssertionError):
            until(rested, "rest", 30.0)
        now = self.costs()
        assert rested(), (before, now)
        assert now.megabytes <= before.megabytes + _MORE_MEMORY, (before, now)
        return now

    def said(self, begin: int = 0) -> str:
        """The log from a position on."""
        return self.log.read_bytes()[begin:].decode("utf-8", "strict")

    def check(self, begin: int, noted: Sequence[int]) -> None:
        """Alive, nothing in the log is a fault of ours, and each of these callers is named there with a reason."""
        assert self.server.process.poll() is None, self.said(begin)[-2000:]
        until(lambda: set(noted) <= reasons(self.said(begin)), "a reason for everyone who was turned away", 10.0)
        said = self.said(begin)
        assert not [line for line in said.splitlines() if any(word in line for word in _OURS)]
        assert all(line.isprintable() for line in said.split("\n"))
        assert max(map(len, said.split("\n"))) < 1000


def reasons(log: str) -> set[int]:
    """The ports of the callers of whom the log says more than that they came."""
    return {int(p) for line in log.splitlines() if not line.endswith(": open") for p in _PORT.findall(line)}


@contextmanager
def victim(home: Path) -> Iterator[Victim]:
    """An archive of two areas that knows the second as a move destination."""
    home.mkdir(parents=True)
    (home / "config.toml").write_text(CONFIG)
    with serving(home, 2) as server:
        book = Book(home / "state" / "book.json")
        book.save_node(Node(SECOND, SECOND, "127.0.0.1", server.ports[SECOND]))
        yield Victim(server)
        assert server.end() == 0, "SIGTERM is a clean end, whatever came before"
