"""SIGTERM, a sender that stops, the death of one process of two: nobody else notices, and nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults import lone_sender, wire
from tests.faults.checking import check_disk, check_listed, check_retrieved
from tests.faults.forking import Zygote
from tests.faults.instances import Made
from tests.faults.senders import sending
from tests.faults.serving import TITLE, configure, serving
from tests.faults.waiting import until

pytestmark = pytest.mark.interop

_ENDS = 12
_DEATHS = 6


@pytest.mark.parametrize("durability", ["full", "os"])
def test_sigterm_while_four_senders_store(tmp_path: Path, zygote: Zygote, durability: str) -> None:
    home = configure(tmp_path / "home", f'durability = "{durability}"', port=zygote.port)
    with sending(zygote.port) as ledger:
        for _ in range(_ENDS):
            zygote.fork(home)
            assert zygote.ready()
            before = len(ledger.acknowledged)
            until(lambda before=before: len(ledger.acknowledged) > before + 4, "stores")  # type: ignore[misc]
            assert zygote.terminate() == 0
        zygote.fork(home)
        assert zygote.ready()
    assert not ledger.refusals
    found = check_listed(zygote.port, ledger.acknowledged, ledger.sent)
    check_retrieved(zygote.port, found, ledger.sent)
    check_disk(home / "data" / "sta", found)
    assert zygote.terminate() == 0


def test_sigterm_lets_a_store_come_to_its_end(tmp_path: Path) -> None:
    home = configure(tmp_path / "home")
    made = Made(1, 0, 500_000)
    request = wire.store(made.uid, made.data())
    with serving(home) as server:
        with wire.Line(server.port, TITLE) as line:
            line.socket.sendall(request[:300_000])
            until(lambda: list((home / "data" / "sta" / "incoming").glob("*/0")), "the first part on the disk")
            server.process.send_signal(signal.SIGTERM)
            until(lambda: _refused(server.port), "a listener that accepts no more")
            assert line.ask(request[300_000:]).status == wire.SUCCESS
        assert server.process.wait(20) == 0
    with serving(home) as server:
        known = {made.uid: made}
        check_retrieved(server.port, check_listed(server.port, known, known), known)


def _refused(port: int) -> bool:
    try:
        wire.Line(port, TITLE).close()
    except (OSError, wire.Broken):
        return True
    return False


def test_a_sender_that_stops_holds_up_nobody(tmp_path: Path) -> None:
    count = 150
    with serving(configure(tmp_path / "home")) as server:
        sender = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.lone_sender", str(server.port), str(count)],
            stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        try:
            assert sender.stdout is not None
            assert [int(sender.stdout.readline()) for _ in range(5)] == list(range(5))
            os.kill(sender.pid, signal.SIGSTOP)
            others = [Made(1, number, 3000) for number in range(50)]
            assert {answer.status for answer in server.send(*others)} == {wire.SUCCESS}
            os.kill(sender.pid, signal.SIGCONT)
            assert sender.wait(60) == 0
        finally:
            sender.kill()
            sender.wait()
        slow = [Made(lone_sender.SENDER, number, lone_sender.PIXELS) for number in range(count)]
        known = {made.uid: made for made in (*others, *slow)}
        check_retrieved(server.port, check_listed(server.port, known, known), known)
        assert server.end() == 0


def _children(pid: int) -> set[int]:
    return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


@pytest.mark.parametrize("durability", ["full", "os"])
def test_a_process_of_two_is_killed_and_replaced(tmp_path: Path, durability: str) -> None:
    home = configure(tmp_path / "home", f'processes = 2\ndurability = "{durability}"')
    with serving(home) as server:
        with sending(server.port) as ledger:
            for number in range(_DEATHS):
                both = until(lambda: _two(server.process.pid), "two processes")
                before = len(ledger.acknowledged)
                until(lambda before=before: len(ledger.acknowledged) > before + 20, "stores")  # type: ignore[misc]
                victim = sorted(both)[number % 2]
                os.kill(victim, signal.SIGKILL)
                until(lambda victim=victim: victim not in _two(server.process.pid), "its end")  # type: ignore[misc]
                before = len(ledger.acknowledged)
                until(lambda before=before: len(ledger.acknowledged) > before + 20, "stores go on")  # type: ignore[misc]
            until(lambda: _two(server.process.pid), "two processes")
        assert not ledger.refusals
        assert server.end() == 0
    with serving(home) as server:
        found = check_listed(server.port, ledger.acknowledged, ledger.sent)
        check_retrieved(server.port, found, ledger.sent)
        check_disk(home / "data" / "sta", found, processes=2)
        assert server.end() == 0


def _two(pid: int) -> set[int]:
    """The serving processes, when there are two."""
    found = _children(pid)
    return found if len(found) == 2 else set()
