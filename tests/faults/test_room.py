"""Disk full, quota, low water, read-only: refused with a sentence, nothing partial, and it recovers by itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from tests.faults import disks, wire
from tests.faults.checking import check_listed, check_retrieved
from tests.faults.forking import Zygote
from tests.faults.instances import Made
from tests.faults.serving import TITLE, Server, configure, serving
from tests.faults.waiting import until

pytestmark = pytest.mark.interop

_KB = 1000
_NO_WATER = "low_water_megabytes = 0"
_OTHER = '[[archive.area]]\nae_title = "OTHER"\nport = 0\nsta = "other"'


def _refused(answer: wire.Response, sentence: str = "") -> bool:
    return answer.status == wire.OUT_OF_RESOURCES and answer.comment.startswith("Not stored: " + sentence)


def _partial(sta: Path) -> list[Path]:
    """What is left of an instance that was not stored."""
    return [path for path in (sta / "incoming").rglob("*") if path.is_file() and path.name not in ("alive", "sweep")]


def _check(server: Server, *held: Made) -> None:
    known = {made.uid: made for made in held}
    check_retrieved(server.port, check_listed(server.port, known, known), known)


@pytest.mark.parametrize("durability", ["full", "os"])
@pytest.mark.parametrize("what", ["area", "index", "both"])
def test_a_full_disk_refuses_and_recovers_by_itself(tmp_path: Path, what: str, durability: str) -> None:
    home, disk = tmp_path / "home", tmp_path / "home" / "data"
    if what == "area":
        disk = tmp_path / "disk"
    sta = (tmp_path if what == "index" else disk) / "sta"
    home.mkdir()
    with disks.small(disk) as full:
        configure(home, f'{_NO_WATER}\ndurability = "{durability}"', sta=str(sta))
        with serving(home) as server:
            numbers = count()
            held = [Made(1, next(numbers), 300 * _KB)]
            assert server.send(*held)[0].status == wire.SUCCESS
            _check(server, *held)
            full.fill(server.process.pid)

            def refused() -> Made | None:
                made = Made(1, next(numbers), 300 * _KB)
                answer = server.send(made)[0]
                if answer.status == wire.SUCCESS:
                    # an index that has to be written only later finds out later
                    assert durability == "os"
                    assert what == "index"
                    held.append(made)
                    return None
                assert _refused(answer)
                return made

            left = [until(refused, "a refusal") for _ in range(10)]
            if what != "index":
                assert not _partial(sta)
            assert server.find().status == wire.SUCCESS
            with wire.Line(server.port, TITLE) as line:
                assert line.ask(wire.echo()).status == wire.SUCCESS
            full.empty(server.process.pid)
            until(lambda: server.send(left[0])[0].status == wire.SUCCESS, "a store after there is room")
            assert [answer.status for answer in server.send(*left)] == [wire.SUCCESS] * len(left)
            _check(server, *held, *left)
            assert server.end() == 0
        with serving(home) as server:
            _check(server, *held, *left)


@pytest.mark.parametrize("leave", [1000 * _KB, 2000 * _KB])
def test_a_disk_that_ends_in_the_middle_of_an_instance_keeps_none_of_it(tmp_path: Path, leave: int) -> None:
    home, disk = tmp_path / "home", tmp_path / "disk"
    with disks.small(disk) as full, serving(configure(home, _NO_WATER, sta=str(disk))) as server:
        small, large = Made(1, 0, 3 * _KB), Made(1, 1, 3000 * _KB)
        full.fill(server.process.pid, leave)
        answers = server.send(large, small, large)
        assert _refused(answers[0])
        assert _refused(answers[2])
        assert answers[1].status == wire.SUCCESS, "there is room for that one"
        assert not _partial(disk)
        _check(server, small)
        full.empty(server.process.pid)
        assert server.send(large)[0].status == wire.SUCCESS
        _check(server, small, large)


def test_a_read_only_area_refuses_and_is_taken_up_again(tmp_path: Path, zygote: Zygote) -> None:
    home = configure(tmp_path / "home", _NO_WATER)
    sta = home / "data" / "sta"
    held, other = Made(1, 0, 3 * _KB), Made(1, 1, 3 * _KB)
    with serving(home) as server:
        assert server.send(held)[0].status == wire.SUCCESS
        with disks.read_only(sta) as forced:
            if forced:
                assert _refused(server.send(other)[0], "Read-only file system")
                _check(server, held)
        assert server.send(other)[0].status == wire.SUCCESS
        _check(server, held, other)
    if not forced:
        # the kernel's word for it can be had without a mount too
        home = configure(tmp_path / "told", _NO_WATER, port=zygote.port)
        zygote.fork(home, ("write", "EROFS", 1))
        assert zygote.ready()
        with wire.Line(zygote.port, TITLE) as line:
            answers = [line.ask(wire.store(held.uid, held.data())) for _ in range(2)]
        assert _refused(answers[0], "Read-only file system")
        assert answers[1].status == wire.SUCCESS
        assert zygote.terminate() == 0


def _reload(server: Server, change: Callable[[str], str]) -> None:
    config = server.home / "config.toml"
    config.write_text(change(config.read_text()))
    os.kill(server.process.pid, signal.SIGHUP)


def test_low_water_refuses_early(tmp_path: Path) -> None:
    mark = "low_water_megabytes = 1_000_000_000"
    with serving(configure(tmp_path / "home", mark)) as server:
        made = Made(1, 0, 3 * _KB)
        assert _refused(server.send(made)[0], "less than")
        assert server.find().status == wire.SUCCESS
        _reload(server, lambda text: text.replace(mark, _NO_WATER))
        until(lambda: server.send(made)[0].status == wire.SUCCESS, "a store after the mark is gone")
        _check(server, made)


def test_a_quota_is_of_one_area(tmp_path: Path) -> None:
    quota = "quota_gigabytes = 0.001"
    home = configure(tmp_path / "home", _NO_WATER, f"{quota}\n{_OTHER}")
    with serving(home, areas=2) as server:
        held: list[Made] = []

        def refused() -> wire.Response | None:
            made = Made(1, len(held), 200 * _KB)
            answer = server.send(made)[0]
            if answer.status == wire.SUCCESS:
                held.append(made)
                return None
            return answer

        assert _refused(until(refused, "the quota"), "the quota of 0.001 GB is used up")
        assert len(held) >= 5
        other = Made(2, 0, 3 * _KB)
        with wire.Line(server.ports["OTHER"], "OTHER") as line:
            assert line.ask(wire.store(other.uid, other.data())).status == wire.SUCCESS
        _check(server, *held)
        _reload(server, lambda text: text.replace(quota, "quota_gigabytes = 1.0"))
        until(lambda: refused() is None, "a store after the quota was raised")
        _check(server, *held)
