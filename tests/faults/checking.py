"""Is the archive what was acknowledged: asked over the line, and looked for on the disk."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.faults import instances, wire
from tests.faults.instances import Made
from tests.faults.serving import TITLE

_STUDY, _SERIES, _INSTANCE = 0x0020000D, 0x0020000E, 0x00080018
_STUDY_SERIES, _STUDY_INSTANCES, _SERIES_INSTANCES = 0x00201206, 0x00201208, 0x00201209


def listed(port: int, title: str = TITLE, growing: bool = False) -> dict[str, list[str]]:
    """Study UID to the UIDs of its instances, asked level by level; what the levels count has to agree.

    `growing`: somebody stores meanwhile, so that a level asked later may hold more.
    """
    agree = operator.le if growing else operator.eq
    found: dict[str, list[str]] = {}
    with wire.Line(port, title) as line:
        for study in _rows(line, instances.study_keys()):
            uid = study[_STUDY]
            assert uid not in found, f"study {uid} is there twice"
            series = _rows(line, instances.series_keys(uid))
            found[uid] = []
            for one in series:
                images = [row[_INSTANCE] for row in _rows(line, instances.image_keys(uid, one[_SERIES]))]
                assert agree(int(one[_SERIES_INSTANCES]), len(images)), f"series {one[_SERIES]}"
                found[uid] += images
            assert len({one[_SERIES] for one in series}) == len(series), uid
            assert agree(int(study[_STUDY_SERIES]), len(series)), uid
            assert agree(int(study[_STUDY_INSTANCES]), len(found[uid])), uid
        line.release()
    return found


def check_listed(
    port: int, acknowledged: Mapping[str, Made], sent: Mapping[str, Made], growing: bool = False
) -> dict[str, list[str]]:
    """Every acknowledged instance exactly once, and none that nobody sent; what `listed` found."""
    found = listed(port, growing=growing)
    times = Counter(uid for uids in found.values() for uid in uids)
    assert not [uid for uid, count in times.items() if count > 1], "an instance is there twice"
    assert not acknowledged.keys() - times.keys(), "an acknowledged instance is missing"
    assert not times.keys() - sent.keys(), "an instance is there that nobody sent"
    return found


def check_retrieved(port: int, found: Mapping[str, list[str]], sent: Mapping[str, Made]) -> None:
    """C-GET gives back every listed instance, byte for byte as it was sent."""
    with wire.Line(port, TITLE) as line:
        for study, uids in found.items():
            expected = set(uids)
            for uid, data in retrieved(line, study):
                assert data == sent[uid].data(), f"{uid} is not what was sent"
                expected.remove(uid)
            assert not expected, "listed, and not given back"
        line.release()


def check_disk(sta: Path, found: Mapping[str, list[str]], processes: int = 1) -> None:
    """One file for each listed instance, and of receiving nothing but what the living processes need."""
    files = [path for folder in sta.iterdir() if len(folder.name) == 2 for path in folder.iterdir()]
    assert len(files) == sum(map(len, found.values()))
    assert not list((sta / "quarantine").iterdir())
    left = sorted(str(path.relative_to(sta / "incoming")) for path in (sta / "incoming").rglob("*") if path.is_file())
    assert [name.rpartition("/")[2] for name in left] == [*["alive"] * processes, "sweep"], left


def retrieved(line: wire.Line, study: str) -> Iterator[tuple[str, bytes]]:
    """(SOP Instance UID, data set) of what a C-GET of a study brings; it has to end with success."""
    line.socket.sendall(wire.get(instances.study_target(study)))
    while True:
        command, data = line.message()
        field = int.from_bytes(command[0x0100], "little")
        if field == wire.STORE:
            uid = command[0x1000].decode("ascii").strip("\0")
            line.socket.sendall(wire.stored(uid, int.from_bytes(command[0x0110], "little")))
            yield uid, data
            continue
        status = int.from_bytes(command[0x0900], "little")
        if status != 0xFF00:
            assert status == wire.SUCCESS, f"C-GET of {study}: {status:04X}"
            return


def _rows(line: wire.Line, keys: bytes) -> list[dict[int, str]]:
    answer = line.ask(wire.find(keys))
    assert answer.status == wire.SUCCESS, f"{answer.status:04X} {answer.comment}"
    return [instances.parse(row) for row in answer.rows]
