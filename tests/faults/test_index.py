"""The index locked, damaged or gone under a running archive: refused with a sentence, and all is back afterwards."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import serving, wire
from tests.faults.checking import check_listed, check_retrieved
from tests.faults.forking import Zygote
from tests.faults.instances import Made, study_keys
from tests.faults.serving import TITLE, configure
from tests.faults.waiting import until

pytestmark = pytest.mark.interop

_PAGE = 4096


def _check(port: int, *held: Made) -> None:
    known = {made.uid: made for made in held}
    check_retrieved(port, check_listed(port, known, known), known)


def _refuses(answer: wire.Response) -> bool:
    return answer.status == wire.OUT_OF_RESOURCES and answer.comment.startswith("Not stored: ")


def test_a_locked_index_refuses_and_queries_go_on(tmp_path: Path) -> None:
    with serving.serving(configure(tmp_path / "home", "index_wait_seconds = 0.5")) as server:
        first, second = Made(1, 0, 3000), Made(1, 1, 3000)
        assert server.send(first)[0].status == wire.SUCCESS
        other = sqlite3.connect(server.index, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        assert _refuses(server.send(second)[0])
        _check(server.port, first)
        other.execute("ROLLBACK")
        other.close()
        assert server.send(second)[0].status == wire.SUCCESS
        _check(server.port, first, second)
        assert server.end() == 0


def test_a_locked_index_is_waited_for(tmp_path: Path) -> None:
    """`os`: acknowledged at once, entered when it can be; nothing is lost, not even if it ends before."""
    home = configure(tmp_path / "home", 'index_wait_seconds = 0.2\ndurability = "os"')
    made = [Made(1, number, 3000) for number in range(6)]
    with serving.serving(home) as server:
        assert server.send(made[0])[0].status == wire.SUCCESS
        assert server.find().status == wire.SUCCESS
        other = sqlite3.connect(server.index, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        answers = server.send(*made[1:])
        assert answers[0].status == wire.SUCCESS
        assert all(_refuses(answer) for answer in answers if answer.status)
        until(lambda: _refuses(server.send(made[-1])[0]), "a refusal, once a commit has failed")
        assert server.end() == 0, "with rows that are owed"
        other.execute("ROLLBACK")
        other.close()
    held = [each for each, answer in zip(made[1:], answers, strict=True) if answer.status == wire.SUCCESS]
    with serving.serving(home) as server:
        known = {each.uid: each for each in made}
        found = check_listed(server.port, {each.uid: each for each in (made[0], *held)}, known)
        check_retrieved(server.port, found, known)


def test_a_commit_that_fails_until_the_end_loses_nothing(tmp_path: Path, zygote: Zygote) -> None:
    home = configure(tmp_path / "home", 'durability = "os"', port=zygote.port)
    zygote.fork(home, ("commit", "EIO", 0))
    assert zygote.ready()
    made = Made(1, 0, 3000)
    with wire.Line(zygote.port, TITLE) as line:
        assert line.ask(wire.store(made.uid, made.data())).status == wire.SUCCESS
        line.release()
    assert zygote.terminate() == 0
    zygote.fork(home)
    assert zygote.ready()
    _check(zygote.port, made)
    assert zygote.terminate() == 0


def _overwrite(index: Path) -> None:
    """Everything but the first page is nonsense."""
    with index.open("r+b") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(_PAGE)
        file.write(b"\xa5" * (size - _PAGE))


def _truncate(index: Path) -> None:
    os.truncate(index, 0)


def _halve(index: Path) -> None:
    os.truncate(index, index.stat().st_size // 2 // _PAGE * _PAGE)


@pytest.mark.parametrize("durability", ["full", "os"])
@pytest.mark.parametrize("damage", [_overwrite, _truncate, _halve])
def test_a_damaged_index_is_told_of_and_rebuilt(
    tmp_path: Path, zygote: Zygote, damage: Callable[[Path], None], durability: str
) -> None:
    home = configure(tmp_path / "home", f'durability = "{durability}"', port=zygote.port)
    index = home / "data" / "index.db"
    held = [Made(1, number, 3000) for number in range(60)]
    zygote.fork(home)
    assert zygote.ready()
    with wire.Line(zygote.port, TITLE) as line:
        assert {line.ask(wire.store(made.uid, made.data())).status for made in held} == {wire.SUCCESS}
    assert zygote.terminate() == 0

    zygote.fork(home)
    assert zygote.ready()
    damage(index)
    answers = _met(zygote.port)
    assert zygote.terminate() == 0
    for new, answer in answers.items():
        if answer.status == wire.SUCCESS:
            held.append(new)
    rebuilt = subprocess.run(
        [*serving.command()[:3], "archive", "rebuild"], env=serving.environ(home), capture_output=True, text=True
    )
    assert rebuilt.returncode == 0, rebuilt.stderr
    zygote.fork(home)
    assert zygote.ready()
    known = {made.uid: made for made in (*held, *answers)}
    found = check_listed(zygote.port, {made.uid: made for made in held}, known)
    check_retrieved(zygote.port, found, known)
    assert zygote.terminate() == 0


def _met(port: int) -> dict[Made, wire.Response]:
    """What queries and stores are answered meanwhile: a sentence, and the association lives."""
    with wire.Line(port, TITLE) as line:
        for _ in range(3):
            asked = line.ask(wire.find(study_keys()))
            assert asked.status >> 12 == 0xC, f"{asked.status:04X}"
            assert asked.comment
        answers = {made: line.ask(wire.store(made.uid, made.data())) for made in (Made(2, n, 3000) for n in range(3))}
        # what is acknowledged has to be there afterwards, what is not is refused
        assert all(_refuses(answer) for answer in answers.values() if answer.status)
        assert line.ask(wire.echo()).status == wire.SUCCESS
        line.release()
    return answers


def test_a_damaged_index_that_is_put_back_is_taken_up_again(tmp_path: Path, zygote: Zygote) -> None:
    home = configure(tmp_path / "home", port=zygote.port)
    index = home / "data" / "index.db"
    held = [Made(1, number, 3000) for number in range(60)]
    zygote.fork(home)
    assert zygote.ready()
    with wire.Line(zygote.port, TITLE) as line:
        assert {line.ask(wire.store(made.uid, made.data())).status for made in held} == {wire.SUCCESS}
    assert zygote.terminate() == 0
    whole = index.read_bytes()
    zygote.fork(home)
    assert zygote.ready()
    _overwrite(index)
    answers = _met(zygote.port)
    assert not [made for made, answer in answers.items() if answer.status == wire.SUCCESS]
    assert zygote.terminate() == 0
    for path in index.parent.glob("index.db-*"):
        path.unlink()
    index.write_bytes(whole)
    zygote.fork(home)
    assert zygote.ready()
    # one that was refused may be there: its file had become visible before its row failed
    acknowledged, sent = ({made.uid: made for made in each} for each in (held, (*held, *answers)))
    check_retrieved(zygote.port, check_listed(zygote.port, acknowledged, sent), sent)
    assert zygote.terminate() == 0
