"""Association, C-ECHO and release, warm: our client and server against those of pynetdicom, and each with the other."""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable
from functools import partial

from pynetdicom import AE
from pynetdicom.sop_class import Verification

from bench import peers
from bench.bench import Bench
from bench.pairs import Pair, in_turn
from bench.store import OURS
from pacs_tui.dimse.peer import Peer
from pacs_tui.model.node import Node
from pacs_tui.settings import Timeouts

_LEAST = 10.0
_BOTH, _NEITHER = f"{OURS} to {OURS}", "pynetdicom to pynetdicom"


def run(bench: Bench) -> None:
    """Print what each of the four combinations takes, and hold ours against theirs."""
    if not bench.wants("echo"):
        return
    times = bench.take(20, 50)
    with (
        bench.fresh() as home, bench.fresh() as folder,
        peers.ours()(home) as ours, peers.pynetdicom("echoscp")(folder) as theirs,
    ):  # fmt: skip
        sides = {
            f"{name} to {other}": partial(_repeated, way, server.node, times)
            for name, way in ((OURS, _by_us), ("pynetdicom", _by_them))
            for other, server in ((OURS, ours), ("pynetdicom", theirs))
        }
        taken = in_turn(sides, bench.turns())
    print(f"\necho: association, C-ECHO and release, {times} times in a row")
    for name, seconds in taken.items():
        milliseconds = [each * 1000 for each in seconds]
        print(f"  {name:<26} {statistics.median(milliseconds):>8.2f} ms"
              f"   ({min(milliseconds):.2f} to {max(milliseconds):.2f})")  # fmt: skip
    ratio = Pair(taken[_BOTH], taken[_NEITHER]).ratio
    print(f"  ratio of ours to theirs: {ratio:.1f} x", flush=True)
    bench.targets.at_least("echo", "ours / pynetdicom", _LEAST, ratio)


def _repeated(way: Callable[[Node], None], node: Node, times: int) -> float:
    """Seconds of one: the mean of those of a row."""
    began = time.perf_counter()
    for _ in range(times):
        way(node)
    return (time.perf_counter() - began) / times


def _by_us(node: Node) -> None:
    assert len(list(Peer(node, "BENCH", Timeouts()).echo())) == 1


def _by_them(node: Node) -> None:
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)
    entity = AE("BENCH")
    entity.add_requested_context(Verification)
    association = entity.associate(node.host, node.port, ae_title=node.ae_title)
    assert association.is_established
    status = association.send_c_echo()
    assert status.Status == 0
    association.release()
