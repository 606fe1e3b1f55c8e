"""Getting one instance of what is looked at: from the cache, by C-GET, or by C-MOVE to ourselves."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from pacs_tui.errors import Cancelled, NotFound, PictureError, Refused
from pacs_tui.imaging.cache import CachedInstance, InstanceCache
from pacs_tui.model.level import Level
from pacs_tui.model.match import Match
from pacs_tui.model.node import Node
from pacs_tui.model.query import Query, by_uid
from pacs_tui.model.transfer import Progress, StoreRequest, Target

_NOT_OFFERED = (0x0122, 0x0211)
"""SOP class not supported, unrecognized operation (PS3.7 annex C)."""
_REMEMBERED_SERIES = 2000


class PreviewPeer(Protocol):
    """What is asked of a node (dimse.peer.Peer)."""

    node: Node

    def find(self, query: Query, cancel: threading.Event | None = None) -> Iterator[Match]: ...

    def get(
        self,
        target: Target,
        receive: Callable[[StoreRequest], CachedInstance],
        cancel: threading.Event | None = None,
    ) -> Iterator[Progress]: ...

    def move(self, target: Target, destination: str, cancel: threading.Event | None = None) -> Iterator[Progress]: ...


class OpenReceiver(Protocol):
    """A receiver whose listener is open and that stores into our cache (receiver.Receiver)."""

    title: str

    def expecting(self, uids: Iterable[str]) -> AbstractContextManager[None]: ...


class Fetcher:
    """Fetches one instance at a time; remembers per node that C-GET is of no use there. Thread-safe."""

    def __init__(
        self,
        peer_for: Callable[[str], PreviewPeer],
        cache: InstanceCache,
        receiver_for: Callable[[], OpenReceiver],
    ) -> None:
        """`receiver_for` opens the console's listener when a C-MOVE first needs it."""
        self._peer_for = peer_for
        self._cache = cache
        self._receiver_for = receiver_for
        self._guard = threading.Lock()
        self._without_get: set[str] = set()
        self._middles: OrderedDict[tuple[str, str], str] = OrderedDict()

    def fetch(self, node_name: str, target: Target, cancel: threading.Event) -> Path:
        """The Part 10 file of an instance, or of the middle instance of a series.

        PictureError for other levels, NotFound where the node has no such thing, NetworkError, Cancelled.
        """
        peer: PreviewPeer | None = None
        uid = self._known(node_name, target)
        if uid is None:
            peer = self._peer_for(node_name)
            uid = self._middle(peer, target, cancel)
        if (path := self._cache.path(uid)) is not None:
            return path
        _stop_if(cancel)
        peer = peer or self._peer_for(node_name)
        wanted = Target(Level.IMAGE, target.patient_id, target.study_uid, target.series_uid, (uid,))
        final = self._retrieve(peer, wanted, uid, cancel)
        if (path := self._cache.path(uid)) is not None:
            return path
        if final is None or (final.failed == 0 and final.status == 0):
            raise NotFound(f"{peer.node.name} sent nothing for instance {uid}, and reported no failure.")
        service = "C-GET" if peer.node.retrieve == "get" else "C-MOVE"
        raise Refused(
            f"{peer.node.name} could not send instance {uid}: status {final.status:04X}, {final.failed} failed.",
            f"status:{service}:{final.status:04X}",
            status=final.status,
            node=peer.node.name,
        )

    def _known(self, node_name: str, target: Target) -> str | None:
        """The instance a target means, as far as it is known without asking."""
        if target.level is Level.IMAGE and len(target.instance_uids) == 1:
            return target.instance_uids[0]
        if target.level is not Level.SERIES or not target.study_uid or not target.series_uid:
            raise PictureError("A preview shows one instance or one series: open the study and choose a series.")
        with self._guard:
            return self._middles.get((node_name, target.series_uid))

    def _middle(self, peer: PreviewPeer, target: Target, cancel: threading.Event) -> str:
        """The UID of the middle instance, ordered by Instance Number, then UID."""
        query = by_uid(Level.IMAGE, target.study_uid, target.series_uid, keys=("InstanceNumber",))
        found = sorted((_number(match), match.uid) for match in peer.find(query, cancel) if match.uid)
        _stop_if(cancel)
        if not found:
            raise NotFound(f"{peer.node.name} lists no instance of series {target.series_uid}.")
        uid = found[len(found) // 2][1]
        with self._guard:
            self._middles[peer.node.name, target.series_uid] = uid
            while len(self._middles) > _REMEMBERED_SERIES:
                self._middles.popitem(last=False)
        return uid

    def _retrieve(self, peer: PreviewPeer, target: Target, uid: str, cancel: threading.Event) -> Progress | None:
        """The final progress of whichever retrieve was used last."""
        how, name = peer.node.retrieve, peer.node.name
        with self._guard:
            usable = name not in self._without_get
        if how == "get" or (how == "auto" and usable):
            final = self._get(peer, target, uid, cancel, last_resort=how == "get")
            if how == "get" or self._cache.path(uid) is not None:
                return final
            _stop_if(cancel)
        receiver = self._receiver_for()
        with receiver.expecting((uid,)):
            return _last(peer.move(target, receiver.title, cancel))

    def _get(
        self, peer: PreviewPeer, target: Target, uid: str, cancel: threading.Event, last_resort: bool
    ) -> Progress | None:
        """C-GET; None where the node has none and a C-MOVE may do."""
        try:
            return _last(peer.get(target, lambda request: self._cache.receive(request, {uid}), cancel))
        except Refused as refused:
            # A rejected association says nothing about C-GET, and would be rejected again.
            if last_resort or refused.code.startswith("rj:"):
                raise
            # Other failures may pass: only a node that does not offer C-GET is not asked again.
            if refused.code == "context:C-GET" or refused.status in _NOT_OFFERED:
                with self._guard:
                    self._without_get.add(peer.node.name)
            return None


def _last(progress: Iterator[Progress]) -> Progress | None:
    final = None
    for final in progress:  # noqa: B007
        pass
    return final


def _number(match: Match) -> tuple[bool, int]:
    """Instance Number as a sort key; instances without one come last."""
    text = match.get("InstanceNumber").strip()
    digits = text.lstrip("+-")
    if not (digits.isascii() and digits.isdigit() and len(text) <= 12):
        return True, 0
    return False, -int(digits) if text.startswith("-") else int(digits)


def _stop_if(cancel: threading.Event) -> None:
    if cancel.is_set():
        raise Cancelled("Cancelled: the picture was not fetched.")
