"""One serving process of the archive, from its start to its drain."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from pacs_tui.archive.archive import Archive
from pacs_tui.dimse.listener import Listener
from pacs_tui.model.activity import Snapshot
from pacs_tui.service.health import Check, Unsaid, Watched
from pacs_tui.service.reloading import reread
from pacs_tui.service.reports import EVERY_SECONDS, Reporter
from pacs_tui.service.waking import Waking
from pacs_tui.settings import Limits, Settings
from pacs_tui.station import Station

_log = logging.getLogger(__name__)
STOPPING = frozenset((signal.SIGTERM, signal.SIGINT))


@dataclass(frozen=True, slots=True)
class Word:
    """What a serving process says to whoever watches over it; called from its own threads."""

    ready: Callable[[], None]
    checked: Callable[[str], None]
    """After every check; its trouble, or nothing."""
    reloading: Callable[[], None]
    reloaded: Callable[[], None]
    stopping: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Part:
    """What a serving process is told when it begins."""

    sockets: Sequence[socket.socket]
    """Bound and listening, one for each area."""
    title: str
    """The calling title of our own echoes (health.password)."""
    every: float
    """Seconds between two checks."""
    share: int = 1
    """Processes that share the limits."""
    lifeline: int | None = None
    """A descriptor that ends when nobody needs us any more."""


class Serving:
    """Serves until SIGTERM, SIGINT or the end of the lifeline; takes over new settings at SIGHUP."""

    def __init__(self, settings: Settings, environ: Mapping[str, str], part: Part, word: Word) -> None:
        self._settings = settings
        self._environ = environ
        self._part = part
        self._word = word
        self._station = Station(settings)
        self._waking = Waking()
        self._ended = threading.Event()
        self._stopping = False
        self._reloading = False
        self._trouble = ""

    def heed_signals(self) -> None:
        """From here on signals stop and reload this process; call it in the main thread."""
        for number in STOPPING:
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._reload)

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _reload(self, *_: object) -> None:
        self._reloading = True

    def run(self) -> None:
        """Open, serve, drain, close. StorageError where the archive cannot be opened."""
        part, areas = self._part, self._settings.archive.areas
        archive = self._station.archive()
        archive.open()
        listener = self._station.listener(Watched(archive, part.title), self._limits())
        quiet = Unsaid(part.title)
        for handler in logging.getLogger().handlers:
            handler.addFilter(quiet)
        ports = {area.ae_title: sock.getsockname()[1] for area, sock in zip(areas, part.sockets, strict=True)}
        reporter = Reporter(self._settings.state, "serving", ports)
        check = Check(
            archive, listener, self._settings.archive.host, areas[0].ae_title, min(ports.values()), part.title
        )
        try:
            listener.open(part.sockets)
            self._watch_lifeline()
            threading.Thread(target=self._check, args=(check,), name="service-check", daemon=True).start()
            self._word.ready()
            self._work(archive, listener, reporter)
        finally:
            self._ended.set()
            self._word.stopping()
            listener.close(self._settings.archive.grace_seconds)
            archive.close()
            reporter.remove()
            self._station.close()
            self._waking.close()

    def _work(self, archive: Archive, listener: Listener, reporter: Reporter) -> None:
        """Report every two seconds, and do what signals ask for."""
        while not self._stopping:
            if self._reloading:
                self._reloading = False
                self._take_over(archive, listener)
            snapshot = listener.snapshot()
            theirs = tuple(one for one in snapshot.open if one.calling != self._part.title)
            reporter.write(Snapshot(theirs, snapshot.totals), archive.waiting, self._trouble)
            self._waking.wait(EVERY_SECONDS)

    def _take_over(self, archive: Archive, listener: Listener) -> None:
        self._word.reloading()
        settings = reread(self._settings, self._environ, aloud=self._part.share == 1)
        if settings is not None:
            self._settings = settings
            archive.reload(settings.archive.areas, settings.archive)
            listener.reload(self._limits())
        self._word.reloaded()

    def _limits(self) -> Limits:
        return shared(self._settings.archive.limits, self._part.share)

    def _check(self, check: Check) -> None:
        """Until the process ends; a check that never returns is what the watchdog is for."""
        while True:
            trouble = check.trouble()
            if self._ended.is_set():
                return
            self._trouble = trouble
            if trouble:
                _log.error("the check of this process failed: %s", trouble)
            self._word.checked(trouble)
            if self._ended.wait(self._part.every):
                return

    def _watch_lifeline(self) -> None:
        lifeline = self._part.lifeline
        if lifeline is None:
            return

        def read() -> None:
            with contextlib.suppress(OSError):
                while os.read(lifeline, 4096):
                    pass
            self._stop()
            self._waking.wake()

        threading.Thread(target=read, name="service-lifeline", daemon=True).start()


def shared(limits: Limits, processes: int) -> Limits:
    """The limits of one of several processes; together they let in no fewer than one would."""
    return replace(
        limits,
        associations=math.ceil(limits.associations / processes),
        per_host=math.ceil(limits.per_host / processes),
    )
