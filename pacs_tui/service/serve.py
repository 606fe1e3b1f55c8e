"""The archive as a service: one process that serves, or several and one that watches over them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from pacs_tui.dimse.accepting import listening
from pacs_tui.service.health import password
from pacs_tui.service.memory import tame
from pacs_tui.service.notify import Notifier
from pacs_tui.service.reports import sweep
from pacs_tui.service.serving import Part, Serving, Word
from pacs_tui.service.supervisor import Supervisor
from pacs_tui.settings import Settings
from pacs_tui.station import Station

_log = logging.getLogger(__name__)


def serve(
    settings: Settings, environ: Mapping[str, str], ready: Callable[[Sequence[int]], None], lifeline: int | None = None
) -> None:
    """Serve every area until SIGTERM or SIGINT, or until `lifeline` (a descriptor) ends; then drain.

    `ready` gets the ports, in the order of the areas, once they answer. Call it in the main thread, while it is the
    only one. StorageError where a port cannot be bound or the archive cannot be opened.
    """
    options = settings.archive
    tame()
    settings.data.mkdir(parents=True, exist_ok=True)
    sockets = listening([(options.host, area.port) for area in options.areas])
    ports = [sock.getsockname()[1] for sock in sockets]
    notifier = Notifier(environ)
    every = min([options.hung_seconds / 4, *([notifier.interval] if notifier.interval else [])])
    part = Part(sockets, password(), every, lifeline=lifeline)
    if options.processes > 1:
        # tables and remains of a crash are seen to once, before there is anybody to meet
        archive = Station(settings).archive()
        archive.open()
        archive.close()
        Supervisor(settings, environ, part, notifier, lambda: ready(ports)).run()
        return
    sweep(settings.state)
    alone = Serving(settings, environ, part, _word(notifier, lambda: ready(ports)))
    alone.heed_signals()
    alone.run()


def _word(notifier: Notifier, ready: Callable[[], None]) -> Word:
    """One process alone tells the service manager itself."""

    def begin() -> None:
        ready()
        notifier.ready("serving")

    def checked(trouble: str) -> None:
        if not trouble:
            notifier.alive()
        notifier.status(trouble or "serving")

    def stopping() -> None:
        _log.info("stopping: open operations may end")
        notifier.stopping()

    return Word(begin, checked, notifier.reloading, notifier.ready, stopping)
