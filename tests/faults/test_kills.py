"""kill -9 at random moments while four senders store: what was acknowledged is there, whole, once, and nothing else."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.faults.checking import check_disk, check_listed, check_retrieved
from tests.faults.forking import Zygote, zygote
from tests.faults.senders import Ledger, sending
from tests.faults.serving import configure

pytestmark = pytest.mark.interop

_SEED = 20261122
_STARTING = 0.15
"""Share of the kills that come while the server starts, and perhaps lists what the last one left."""
_START_SECONDS, _SERVE_SECONDS = 0.08, 0.07
_LOOK = 250
"""Kills between two looks at the archive."""


@pytest.mark.parametrize(("durability", "kills"), [("full", 1000), ("os", 200)])
def test_no_acknowledged_instance_is_lost(tmp_path: Path, durability: str, kills: int) -> None:
    print(f"seed {_SEED}")
    with zygote() as server:
        home = configure(tmp_path / "home", f'durability = "{durability}"', port=server.port)
        with sending(server.port) as ledger:
            while_serving = _kill(server, home, kills, ledger)
            server.fork(home)
            assert server.ready()
        assert not ledger.refusals
        assert while_serving > kills / 2, "most kills came while it served"
        assert ledger.broken > kills, "most kills broke associations"
        assert len(ledger.acknowledged) > 2 * kills
        assert ledger.twice > kills / 10
        # a start of its own, so that nobody's remains are left
        assert server.terminate() == 0
        server.fork(home)
        assert server.ready()
        found = check_listed(server.port, ledger.acknowledged, ledger.sent)
        check_disk(home / "data" / "sta", found)
        check_retrieved(server.port, found, ledger.sent)
        assert server.terminate() == 0


def _kill(server: Zygote, home: Path, kills: int, ledger: Ledger) -> int:
    """Start and kill so many servers; how many of them had begun to serve."""
    chance = random.Random(_SEED)
    serving = 0
    for number in range(1, kills + 1):
        server.fork(home)
        if chance.random() < _STARTING:
            server.wait(chance.uniform(0, _START_SECONDS))
        else:
            assert server.ready(), (home / "log").read_text()[-2000:]
            serving += 1
            server.wait(chance.uniform(0, _SERVE_SECONDS))
            if not number % _LOOK:
                check_listed(server.port, dict(ledger.acknowledged), ledger.sent, growing=True)
        assert server.kill() == -9
    return serving
