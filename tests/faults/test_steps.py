"""A death, or an error of the kernel, at each step of a store: all or nothing, and it can always be sent again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import wire
from tests.faults.checking import check_disk, check_listed, check_retrieved
from tests.faults.forking import Zygote
from tests.faults.instances import Made
from tests.faults.serving import TITLE, configure

pytestmark = pytest.mark.interop

_BEFORE, _AFTER = Made(1, 0, 3000), Made(1, 2, 3000)
_AT = Made(1, 1, 300_000)
_DEATHS = [
    ("full", "write", "before", 1, False), ("full", "write", "half", 1, False),
    ("full", "write", "after", 2, False), ("full", "sync", "before", 1, False), ("full", "sync", "after", 1, False),
    ("full", "name", "before", 1, False), ("full", "name", "after", 1, True),
    ("full", "folder", "before", 1, False), ("full", "folder", "after", 2, True),
    ("full", "commit", "before", 1, True), ("full", "commit", "after", 1, True),
    ("full", "forget", "before", 1, True), ("full", "forget", "after", 1, True),
    ("full", "answer", "before", 1, True), ("full", "answer", "after", 1, True), ("os", "name", "before", 1, False),
    ("os", "name", "after", 1, True), ("os", "answer", "before", 1, True), ("os", "answer", "after", 1, True),
    ("os", "commit", "before", 1, True), ("os", "commit", "after", 1, True), ("os", "forget", "before", 1, True),
    ("os", "forget", "after", 1, True),
]  # fmt: skip


def _send(port: int, made: Made) -> wire.Response:
    with wire.Line(port, TITLE) as line:
        answer = line.ask(wire.store(made.uid, made.data()))
        line.release()
    return answer


def _check(server: Zygote, home: Path, held: list[Made], sent: list[Made]) -> None:
    wanted, known = ({made.uid: made for made in each} for each in (held, sent))
    found = check_listed(server.port, wanted, known)
    check_retrieved(server.port, found, known)
    check_disk(home / "data" / "sta", found)


@pytest.mark.parametrize(("durability", "step", "when", "nth", "kept"), _DEATHS)
def test_a_death_there_leaves_all_or_nothing(
    tmp_path: Path, zygote: Zygote, durability: str, step: str, when: str, nth: int, kept: bool
) -> None:
    home = configure(tmp_path / "home", f'durability = "{durability}"', port=zygote.port)
    zygote.fork(home)
    assert zygote.ready()
    assert _send(zygote.port, _BEFORE).status == wire.SUCCESS
    assert zygote.terminate() == 0

    zygote.fork(home, (step, when, nth))
    assert zygote.ready()
    answered = False
    try:
        answered = _send(zygote.port, _AT).status == wire.SUCCESS
    except (OSError, wire.Broken):
        pass
    assert zygote.reap() == -9, "it died where it was told to"
    # in the order in which things happen, an answer without the file cannot be
    assert kept or not answered

    zygote.fork(home)
    assert zygote.ready()
    _check(zygote, home, [_BEFORE, _AT] if kept else [_BEFORE], [_BEFORE, _AT] if kept else [_BEFORE])
    assert [_send(zygote.port, made).status for made in (_AT, _AFTER)] == [wire.SUCCESS] * 2
    _check(zygote, home, [_BEFORE, _AT, _AFTER], [_BEFORE, _AT, _AFTER])
    assert zygote.terminate() == 0


@pytest.mark.parametrize(("step", "nth", "error"), [
    ("write", 1, "ENOSPC"), ("write", 2, "EIO"), ("sync", 1, "EIO"), ("name", 1, "EROFS"), ("folder", 1, "EIO"),
    ("folder", 2, "ENOSPC"), ("commit", 1, "EIO"),
])  # fmt: skip
def test_an_error_there_is_refused_and_the_next_is_taken(
    tmp_path: Path, zygote: Zygote, step: str, nth: int, error: str
) -> None:
    home = configure(tmp_path / "home", port=zygote.port)
    zygote.fork(home, (step, error, nth))
    assert zygote.ready()
    refused = _send(zygote.port, _AT)
    assert refused.status == wire.OUT_OF_RESOURCES
    assert refused.comment.startswith("Not stored: ")
    check_listed(zygote.port, {}, {})
    assert [_send(zygote.port, made).status for made in (_AFTER, _AT)] == [wire.SUCCESS] * 2
    assert zygote.terminate() == 0
    zygote.fork(home)
    assert zygote.ready()
    _check(zygote, home, [_AT, _AFTER], [_AT, _AFTER])
    assert zygote.terminate() == 0
