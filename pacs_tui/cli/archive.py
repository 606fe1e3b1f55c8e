"""`pacs-tui archive serve`: be an archive until told to stop."""

from __future__ import annotations

import argparse
import logging
import signal
import threading
from typing import TYPE_CHECKING

from pacs_tui.cli import tether
from pacs_tui.errors import Exit, UsageError

if TYPE_CHECKING:
    from pacs_tui.cli.output import Output
    from pacs_tui.station import Station

_GRACE_SECONDS = 10.0


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("archive", help="be an archive: storage, query, retrieve")
    verbs = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    serve = verbs.add_parser("serve", help="serve the areas of config.toml until SIGTERM")
    serve.add_argument("--quiet", action="store_true", help="log warnings only")
    tether.add_argument(serve)
    serve.set_defaults(run=run)


def run(args: argparse.Namespace, station: Station, output: Output) -> Exit:
    """Print one line per AE title once it answers; SIGTERM and Ctrl-C let open associations end first."""
    settings = station.settings
    if not settings.archive.areas:
        raise UsageError(
            f'{settings.config} names no [[archive.area]]. Add one: ae_title = "IMAGECTN", port = 11112, sta = "sta".'
        )
    logging.basicConfig(level=logging.WARNING if args.quiet else logging.INFO, format="%(asctime)s %(message)s")
    from pacs_tui.archive.archive import Archive
    from pacs_tui.dimse.listener import Listener

    settings.data.mkdir(parents=True, exist_ok=True)
    areas = settings.archive.areas
    archive = Archive(areas, f"sqlite:///{settings.data / 'index.db'}", station.destination)
    archive.open()
    listener = Listener(
        archive, [(settings.archive.host, area.port) for area in areas], settings.archive.limits, settings.timeouts
    )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        listener.open()
        for area, port in zip(areas, listener.ports, strict=True):
            output.record(
                {"ae_title": area.ae_title, "host": settings.archive.host, "port": port},
                f"{area.ae_title:<16} listens on {settings.archive.host}:{port}",
            )
        tether.tie(args)
        stop.wait()
        output.say("Stopping: open associations may end.")
    finally:
        listener.close(_GRACE_SECONDS)
        archive.close()
    return Exit.OK
