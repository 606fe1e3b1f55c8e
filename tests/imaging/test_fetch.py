"""Fetching against a scripted node that keeps to the rules of C-FIND, C-GET and C-MOVE."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pacs_tui.errors import Cancelled, NotFound, PictureError, Refused, Unreachable
from pacs_tui.imaging.cache import CachedInstance, InstanceCache
from pacs_tui.imaging.fetch import Fetcher
from pacs_tui.imaging.receiver import Receiver
from pacs_tui.model.admission import Right
from pacs_tui.model.find import FindRequest
from pacs_tui.model.level import Level, Root
from pacs_tui.model.match import Match
from pacs_tui.model.node import Node
from pacs_tui.model.query import Query
from pacs_tui.model.transfer import Progress, StoreRequest, Target

SERIES = Target(Level.SERIES, study_uid="1.2", series_uid="1.2.3")


class ScriptedNode:
    """Holds instances of one series; sends by C-GET or C-MOVE, and says no as it was told to."""

    def __init__(self, instances: dict[str, str], retrieve: str = "auto") -> None:
        self.node = Node("ct", "CT", "127.0.0.1", 104, retrieve=retrieve)
        self.instances = instances
        self.receiver: Receiver | None = None
        self.refuses_get: Refused | None = None
        self.refuses_move: Refused | None = None
        self.sends = True
        self.asked: list[str] = []

    def find(self, query: Query, cancel: threading.Event | None = None) -> Iterator[Match]:
        self.asked.append("find")
        keys = dict(query.keys)
        assert query.level is Level.IMAGE
        assert (keys["StudyInstanceUID"], keys["SeriesInstanceUID"]) == ("1.2", "1.2.3")
        for uid, number in self.instances.items():
            yield Match(Level.IMAGE, "ct", {"SOPInstanceUID": uid, "InstanceNumber": number})

    def get(
        self,
        target: Target,
        receive: Callable[[StoreRequest], CachedInstance],
        cancel: threading.Event | None = None,
    ) -> Iterator[Progress]:
        self.asked.append("get")
        if self.refuses_get is not None:
            raise self.refuses_get
        yield from self._send(target, receive)

    def move(self, target: Target, destination: str, cancel: threading.Event | None = None) -> Iterator[Progress]:
        self.asked.append("move")
        assert self.receiver is not None
        assert destination == self.receiver.title
        if self.refuses_move is not None:
            raise self.refuses_move
        yield from self._send(target, self.receiver.store)

    def _send(self, target: Target, receive: Callable[[StoreRequest], CachedInstance]) -> Iterator[Progress]:
        (uid,) = target.instance_uids
        if uid not in self.instances or not self.sends:
            yield Progress(0, 0, int(not self.sends), 0, 0 if self.sends else 0xB000)
            return
        yield Progress(1, 0, 0, 0, 0xFF00)
        incoming = receive(StoreRequest("CT", "PACSTUI", "127.0.0.1", "1.2.840.10008.5.1.4.1.1.2", uid, "1.2.840.1"))
        incoming.write([b"data set of " + uid.encode()])
        incoming.commit({"SOPInstanceUID": uid, "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"})
        yield Progress(0, 1, 0, 0, 0)


class Bench:
    """A fetcher between a scripted node and a real cache and receiver."""

    def __init__(self, folder: Path, node: ScriptedNode) -> None:
        self.node = node
        self.cache = InstanceCache(folder / "previews", 1)
        self.receiver = node.receiver = Receiver(self.cache, "PACSTUI")
        self.opened = 0
        self.cancel = threading.Event()
        self.fetcher = Fetcher(lambda name: node, self.cache, self._open)

    def _open(self) -> Receiver:
        self.opened += 1
        return self.receiver

    def fetch(self, target: Target) -> str:
        """The UID in the file that came."""
        return self.fetcher.fetch("ct", target, self.cancel).read_bytes().rpartition(b"data set of ")[2].decode()


def one(uid: str) -> Target:
    return Target(Level.IMAGE, study_uid="1.2", series_uid="1.2.3", instance_uids=(uid,))


def not_accepted() -> Refused:
    return Refused("ct does not accept C-GET.", "context:C-GET")


INSTANCES = {"1.9": "1", "1.10": "10", "1.8": "2", "1.7": "", "1.6": "-4"}  # in order: 1.6, 1.9, 1.8, 1.10, 1.7


def test_the_middle_of_a_series_comes_by_get(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ScriptedNode(INSTANCES))
    assert bench.fetch(SERIES) == "1.8"
    assert bench.node.asked == ["find", "get"]
    assert bench.opened == 0


def test_what_is_known_is_not_asked_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ScriptedNode(INSTANCES))
    bench.fetch(SERIES)
    bench.node.asked.clear()
    assert bench.fetch(SERIES) == "1.8"
    assert bench.fetch(one("1.8")) == "1.8"
    assert bench.node.asked == []


def test_one_instance_needs_no_find(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ScriptedNode(INSTANCES))
    assert bench.fetch(one("1.7")) == "1.7"
    assert bench.node.asked == ["get"]


def test_move_where_get_is_not_accepted_and_remembered(tmp_path: Path) -> None:
    node = ScriptedNode(INSTANCES)
    node.refuses_get = not_accepted()
    bench = Bench(tmp_path, node)
    assert bench.fetch(one("1.7")) == "1.7"
    assert bench.fetch(one("1.8")) == "1.8"
    assert node.asked == ["get", "move", "move"]


def test_move_where_get_fails_for_this_instance_only(tmp_path: Path) -> None:
    node = ScriptedNode(INSTANCES)
    bench = Bench(tmp_path, node)
    node.sends = False
    with pytest.raises(Refused) as refused:
        bench.fetch(one("1.7"))
    assert refused.value.code == "status:C-MOVE:B000"
    node.sends = True
    assert bench.fetch(one("1.7")) == "1.7"
    assert node.asked == ["get", "move", "get"]


@pytest.mark.parametrize(("retrieve", "asked"), [("get", ["get"]), ("move", ["move"])])
def test_the_node_says_how(tmp_path: Path, retrieve: str, asked: list[str]) -> None:
    bench = Bench(tmp_path, ScriptedNode(INSTANCES, retrieve))
    assert bench.fetch(one("1.7")) == "1.7"
    assert bench.node.asked == asked


def test_get_only_means_no_move(tmp_path: Path) -> None:
    node = ScriptedNode(INSTANCES, "get")
    node.refuses_get = not_accepted()
    with pytest.raises(Refused, match="does not accept C-GET"):
        Bench(tmp_path, node).fetch(one("1.7"))
    assert node.asked == ["get"]


def test_a_rejected_association_is_not_a_lack_of_get(tmp_path: Path) -> None:
    node = ScriptedNode(INSTANCES)
    node.refuses_get = Refused("ct rejects PACSTUI.", "rj:1:1:3")
    bench = Bench(tmp_path, node)
    with pytest.raises(Refused, match="rejects"):
        bench.fetch(one("1.7"))
    node.refuses_get = None
    assert bench.fetch(one("1.7")) == "1.7"
    assert node.asked == ["get", "get"]


def test_the_moves_refusal_is_what_is_told(tmp_path: Path) -> None:
    node = ScriptedNode(INSTANCES)
    node.refuses_get = not_accepted()
    node.refuses_move = Refused("destination unknown", "status:C-MOVE:A801", status=0xA801)
    with pytest.raises(Refused) as refused:
        Bench(tmp_path, node).fetch(one("1.7"))
    assert refused.value.status == 0xA801


def test_nothing_there(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ScriptedNode({}))
    with pytest.raises(NotFound, match="lists no instance"):
        bench.fetch(SERIES)
    with pytest.raises(NotFound, match="sent nothing"):
        bench.fetch(one("1.7"))


def test_a_study_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="choose a series"):
        Bench(tmp_path, ScriptedNode(INSTANCES)).fetch(Target(Level.STUDY, study_uid="1.2"))


def test_cancel_stops_before_anything_is_retrieved(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ScriptedNode(INSTANCES))
    bench.cancel.set()
    with pytest.raises(Cancelled):
        bench.fetch(SERIES)
    assert "get" not in bench.node.asked


def test_failures_of_the_network_come_through(tmp_path: Path) -> None:
    def unreachable(name: str) -> ScriptedNode:
        raise Unreachable(f"{name} does not answer.", "tcp:refused")

    bench = Bench(tmp_path, ScriptedNode(INSTANCES))
    with pytest.raises(Unreachable):
        Fetcher(unreachable, bench.cache, lambda: bench.receiver).fetch("ct", SERIES, bench.cancel)


def test_the_receiver_takes_only_what_was_announced(tmp_path: Path) -> None:
    receiver = Receiver(InstanceCache(tmp_path / "previews", 1), "PACSTUI")
    request = StoreRequest("CT", "PACSTUI", "10.0.0.1", "1.2.840.10008.5.1.4.1.1.2", "1.7", "1.2.840.1")
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            receiver.store(request)
        assert refused.value.status == 0x0124
        with receiver.expecting(["1.7"]), receiver.expecting(["1.7", "1.8"]):
            receiver.store(request).abort()


def test_the_receiver_is_nothing_but_a_receiver(tmp_path: Path) -> None:
    receiver = Receiver(InstanceCache(tmp_path / "previews", 1), "PACSTUI")
    assert receiver.admit("ANYBODY", "PACSTUI", "10.0.0.1").rights == {Right.ECHO, Right.STORE}
    assert receiver.admit("ANYBODY", "ARCHIVE", "10.0.0.1").refusal == 7
    assert receiver.destination("PACSTUI", "ELSEWHERE") is None
    with pytest.raises(Refused) as find:
        receiver.find(FindRequest("PACSTUI", Root.STUDY, Level.STUDY, ()))
    with pytest.raises(Refused) as retrieve:
        receiver.retrieve("PACSTUI", SERIES)
    assert find.value.status == retrieve.value.status == 0x0211
