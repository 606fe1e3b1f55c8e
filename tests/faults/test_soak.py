"""Ten thousand associations, half of them bad: afterwards the archive is what it was before."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.serving import Server, configure, serving
from tests.faults.visitors import Visitor, crew
from tests.faults.waiting import until

pytestmark = pytest.mark.interop

_FIRST, _ALL = 2_000, 10_000
_VISITORS = 8
_MEGABYTES = 12.0
"""What eight thousand associations may add to the resident set: less than two kilobytes that each leaves behind."""
_DESCRIPTORS = 24
"""The pool keeps eight connections to the index, three files each."""


@dataclass(frozen=True)
class Size:
    """Of a process that does nothing."""

    megabytes: float
    threads: int
    descriptors: int


def _size(pid: int) -> Size:
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    descriptors = len(os.listdir(f"/proc/{pid}/fd"))
    return Size(int(fields["VmRSS"].split()[0]) / 1024, int(fields["Threads"]), descriptors)


def _idle(server: Server, visitors: list[Visitor], threads: int) -> Size:
    """Its size once every association has ended."""
    for visitor in visitors:
        while visitor.silent:
            visitor.silent.pop().close()

    def idle() -> Size | None:
        size = _size(server.process.pid)
        return size if size.threads <= threads else None

    return until(idle, "the end of all associations")


def _visit(visitors: list[Visitor], visits: int) -> None:
    def call(visitor: Visitor) -> None:
        for _ in range(visits // len(visitors)):
            visitor.visit()

    with ThreadPoolExecutor(len(visitors)) as pool:
        list(pool.map(call, visitors))


def test_associations_leave_nothing_behind(tmp_path: Path) -> None:
    home = configure(tmp_path / "home", 'durability = "os"')
    with serving(home) as server:
        before = _idle(server, [], 64)
        visitors = crew(server.port, _VISITORS)
        _visit(visitors, _FIRST)
        # one thread commits and one watches queries, from the first on
        first = _idle(server, visitors, before.threads + 2)
        _visit(visitors, _ALL - _FIRST)
        last = _idle(server, visitors, first.threads)
        print(before, first, last)
        assert sum(visitor.answered for visitor in visitors) > 0.45 * _ALL
        assert last.threads <= first.threads
        assert last.descriptors <= before.descriptors + _DESCRIPTORS
        assert last.megabytes <= first.megabytes + _MEGABYTES
        assert server.find().status == 0
        assert server.end() == 0
