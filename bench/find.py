"""C-FIND as a client: rows to values of the model, against DCMTK's findscu and pynetdicom.

The server of the rows that have a target is one that is never the limit (canned.py); our archive answers one more.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path

from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind

from bench import peers
from bench.bench import Bench
from bench.corpus import Population
from bench.filling import fill
from bench.pairs import Pair, in_turn, paired, report
from bench.store import OURS
from pacs_tui.book.book import Book
from pacs_tui.dimse.peer import Peer
from pacs_tui.model.level import Level
from pacs_tui.model.node import Node
from pacs_tui.model.query import RETURN_KEYS, parse
from pacs_tui.settings import Timeouts

_THEIRS = "findscu -q, TCP_NODELAY=1"
_FEW = 10_000
_FINDSCU, _PYNETDICOM = 1.5, 50.0


def run(bench: Bench) -> None:
    """Print the pairs, and hold them against their targets."""
    for rows in (_FEW,) if bench.quick else (_FEW, 10 * _FEW):
        if bench.wants(f"{rows:,} rows"):
            _measure(bench, rows)
    if bench.wants("our archive"):
        _from_our_archive(bench, _FEW)


@contextmanager
def _canned(rows: int) -> Iterator[Node]:
    """The server in a process of its own, so that it does not share our interpreter."""
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.canned", str(rows)], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        yield Node("BENCH", "BENCH", "127.0.0.1", int(server.stdout.readline()))
    finally:
        server.communicate("")


def _measure(bench: Bench, rows: int) -> None:
    with _canned(rows) as node, bench.fresh() as home:
        peer = Peer(node, "BENCH", Timeouts())
        ours, theirs = partial(_ours, peer, rows, False), partial(_findscu, node)
        title = f"find: {rows:,} rows of {len(RETURN_KEYS[Level.STUDY])} attributes"
        pair = paired(ours, theirs, bench.turns(3, 7))
        report(title, "Peer.find, values of the model", _THEIRS, pair, "rows", rows)
        bench.targets.at_least("find", f"{rows:,} rows / findscu", _FINDSCU, pair.ratio)
        if rows == _FEW:
            read = paired(partial(_ours, peer, rows, True), theirs, bench.turns(3, 5))
            report(title, "Peer.find, a name read from every row", _THEIRS, read, "rows", rows)
            _whole_process(bench, title, node, home, rows)
        # a hundred thousand rows take pynetdicom more than a minute
        taken = in_turn(
            {OURS: ours, "pynetdicom": partial(_pynetdicom, node, rows)},
            1 if rows > _FEW else bench.turns(1, 3),
            False,
        )
        pair = Pair(taken[OURS], taken["pynetdicom"])
        report(title, "Peer.find, values of the model", "pynetdicom send_c_find", pair, "rows", rows)
        bench.targets.at_least("find", f"{rows:,} rows / pynetdicom", _PYNETDICOM, pair.ratio)
        peer.close()


def _whole_process(bench: Bench, title: str, node: Node, home: Path, rows: int) -> None:
    """The verb, from exec to exit."""
    Book(home / "state" / "book.json").save_node(node)
    verb = partial(
        _timed, [sys.executable, "-m", "pacs_tui", "find", node.name, "--json"], {"PACS_TUI_HOME": str(home)}
    )
    pair = paired(verb, partial(_findscu, node), bench.turns(3, 5))
    report(f"{title}, whole process", "pacs-tui find --json", _THEIRS, pair, "rows", rows)


def _from_our_archive(bench: Bench, rows: int) -> None:
    with bench.fresh() as home:
        fill(home, Population(rows))
        with peers.ours()(home) as server, server.peer() as peer:
            pair = paired(partial(_ours, peer, rows, False), partial(_findscu, server.node), bench.turns(3, 5))
            title = f"find: {rows:,} rows from our archive, which computes them"
            report(title, "Peer.find, values of the model", _THEIRS, pair, "rows", rows)


def _ours(peer: Peer, expected: int, read: bool) -> float:
    query = parse("", date(2026, 11, 22))
    began = time.perf_counter()
    rows = list(peer.find(query))
    if read:
        sum(len(row.get("PatientName")) for row in rows)
    spent = time.perf_counter() - began
    assert len(rows) == expected
    return spent


def _findscu(node: Node) -> float:
    keys = [word for keyword in RETURN_KEYS[Level.STUDY] for word in ("-k", keyword)]
    return _timed([peers.program("findscu"), "-q", "-S", "-aec", node.ae_title, "-k", "QueryRetrieveLevel=STUDY", *keys,
                   node.host, str(node.port)], {})  # fmt: skip


def _timed(command: list[str], more: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(
        command, env=peers.environ(True) | more, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True
    )
    return time.perf_counter() - began


def _pynetdicom(node: Node, expected: int) -> float:
    """As its documentation shows it; the association is open before the clock starts."""
    entity = AE("BENCH")
    entity.add_requested_context(StudyRootQueryRetrieveInformationModelFind)
    association = entity.associate(node.host, node.port, ae_title=node.ae_title)
    assert association.is_established
    keys = Dataset()
    keys.QueryRetrieveLevel = "STUDY"
    for keyword in RETURN_KEYS[Level.STUDY]:
        setattr(keys, keyword, "")
    began = time.perf_counter()
    answers = association.send_c_find(keys, StudyRootQueryRetrieveInformationModelFind)
    rows = [identifier for _, identifier in answers if identifier is not None]
    spent = time.perf_counter() - began
    association.release()
    assert len(rows) == expected
    return spent
