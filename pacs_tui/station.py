"""The station: builds the parts from Settings and holds them. It has open and close, no verbs."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, cast

from pacs_tui.model.node import Node
from pacs_tui.settings import Limits, Settings

if TYPE_CHECKING:
    from pacs_tui.archive.archive import Archive
    from pacs_tui.archive.rebuild import Rebuild
    from pacs_tui.book.book import Book
    from pacs_tui.dimse.listener import Listener
    from pacs_tui.dimse.peer import Peer
    from pacs_tui.dimse.services import Services
    from pacs_tui.imaging.cache import InstanceCache
    from pacs_tui.imaging.decoder import Decoder
    from pacs_tui.imaging.receiver import Receiver
    from pacs_tui.imaging.transcode import Transcoder
    from pacs_tui.imaging.viewer import Viewer
    from pacs_tui.routing.jobs import JobQueue
    from pacs_tui.routing.planning import Planner

Part = TypeVar("Part")


class Station:
    """Every part is imported and built when it is first asked for, from any thread; `close` ends what was built."""

    def __init__(self, settings: Settings, *, readonly: bool = False) -> None:
        self.settings = settings
        self.readonly = readonly
        self._lock = threading.RLock()
        self._parts: dict[str, object] = {}
        self._peers: dict[str, Peer] = {}
        self._endings: list[Callable[[], None]] = []

    # ------------------------------------------------------------------ what administrators keep

    @property
    def book(self) -> Book:
        def build() -> Book:
            from pacs_tui.book.book import Book

            return Book(self.settings.state / "book.json")

        return self._part("book", build)

    # ------------------------------------------------------------------ nodes

    def peer(self, name: str) -> Peer:
        """The door to a node of the book, kept between calls; NotFound for an unknown one."""
        node = self.book.node(name)
        from pacs_tui.dimse.peer import Peer

        with self._lock:
            peer = self._peers.get(name)
            stale = peer is not None and peer.node != node
            if peer is None or stale:
                if peer is not None:
                    self._endings.append(peer.close)
                peer = self._peers[name] = Peer(node, self.settings.ae_title, self.settings.timeouts)
            return peer

    def destination(self, title: str) -> Node | None:
        """The node of the book that answers to an AE title, for C-MOVE destinations."""
        return next((node for node in self.book.nodes() if node.ae_title == title), None)

    # ------------------------------------------------------------------ routing

    @property
    def queue(self) -> JobQueue:
        def build() -> JobQueue:
            from pacs_tui.routing.jobs import JobQueue

            self.settings.state.mkdir(parents=True, exist_ok=True)
            queue = JobQueue(f"sqlite:///{self.settings.state / 'pacs.db'}")
            self._endings.append(queue.close)
            return queue

        return self._part("queue", build)

    @property
    def planner(self) -> Planner:
        def build() -> Planner:
            from pacs_tui.routing.planning import Planner

            return Planner(self.peer, self.book.node)

        return self._part("planner", build)

    def launch_worker(self) -> bool:
        """Start a detached worker if none is alive; True if one was started."""
        from pacs_tui.routing.launch import ensure

        return ensure(self.settings.state, [sys.executable, "-m", "pacs_tui", "worker"])

    def worker_alive(self) -> bool:
        """True while a worker holds the lock of this station's state folder."""
        from pacs_tui.routing.launch import alive

        return alive(self.settings.state) is not None

    # ------------------------------------------------------------------ pictures

    @property
    def cache(self) -> InstanceCache:
        def build() -> InstanceCache:
            from pacs_tui.imaging.cache import InstanceCache

            return InstanceCache(self.settings.cache / "instances", self.settings.cache_megabytes)

        return self._part("cache", build)

    @property
    def decoder(self) -> Decoder:
        def build() -> Decoder:
            from pacs_tui.imaging.decoder import Decoder

            decoder = Decoder()
            self._endings.append(decoder.close)
            return decoder

        return self._part("decoder", build)

    @property
    def viewer(self) -> Viewer:
        def build() -> Viewer:
            from pacs_tui.imaging.fetch import Fetcher
            from pacs_tui.imaging.viewer import Viewer

            return Viewer(Fetcher(self.peer, self.cache, lambda: self.receiver).fetch, self.decoder)

        return self._part("viewer", build)

    @property
    def receiver(self) -> Receiver:
        """Our own small receiver for previews by C-MOVE, listening from the first time it is needed."""

        def build() -> Receiver:
            from pacs_tui.dimse.listener import Listener
            from pacs_tui.imaging.receiver import Receiver

            receiver = Receiver(self.cache, self.settings.ae_title)
            address = (self.settings.receiver_host, self.settings.receiver_port)
            listener = Listener(receiver, [address], Limits(associations=8))
            listener.open()
            self._parts["receiver_port"] = listener.ports[0]
            self._endings.append(lambda: listener.close(0.5))
            return receiver

        return self._part("receiver", build)

    @property
    def receiver_port(self) -> int:
        """Where the receiver listens."""
        _ = self.receiver
        return cast(int, self._parts["receiver_port"])

    # ------------------------------------------------------------------ the archive

    @property
    def index(self) -> str:
        """Where the archive's index is, as a URL."""
        return f"sqlite:///{self.settings.data / 'index.db'}"

    def archive(self) -> Archive:
        """A new archive of our areas; whoever asks for it opens and closes it."""
        from pacs_tui.archive.archive import Archive
        from pacs_tui.dimse.reading import read_arrival

        settings = self.settings.archive
        return Archive(settings.areas, self.index, self.destination, read_arrival, settings)

    def listener(self, services: Services, limits: Limits) -> Listener:
        """A new listener, to be opened on sockets: where services, transfer syntaxes and limits are joined."""
        from pacs_tui.dimse.listener import Listener

        return Listener(services, [], limits, self.settings.timeouts, self.transcoder)

    @property
    def transcoder(self) -> Transcoder:
        """Instances in other transfer syntaxes, for destinations that do not take them as they lie."""

        def build() -> Transcoder:
            from pacs_tui.imaging.transcode import Transcoder

            transcoder = Transcoder(self.settings.cache / "transcode")
            self._endings.append(transcoder.close)
            return transcoder

        return self._part("transcoder", build)

    def rebuild(self, processes: int, keep: bool) -> Rebuild:
        """A new rebuild of the archive's index from its files."""
        from pacs_tui.archive.rebuild import Rebuild
        from pacs_tui.dimse.reading import read_arrival

        areas, index = self.settings.archive.areas, self.settings.data / "index.db"
        return Rebuild(areas, index, read_arrival, processes, keep)

    # ------------------------------------------------------------------ end

    def close(self) -> None:
        """End everything that was built; safe to call twice."""
        with self._lock:
            endings, self._endings = self._endings, []
            peers, self._peers = list(self._peers.values()), {}
            self._parts = {}
        for peer in peers:
            peer.close()
        for end in reversed(endings):
            end()

    def _part(self, name: str, build: Callable[[], Part]) -> Part:
        with self._lock:
            if name not in self._parts:
                self._parts[name] = build()
            return cast(Part, self._parts[name])
