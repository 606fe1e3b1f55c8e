"""`pacs-tui archive serve`: be an archive until told to stop."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pacs_tui.cli import tether
from pacs_tui.errors import Exit, UsageError

if TYPE_CHECKING:
    from pacs_tui.cli.output import Output
    from pacs_tui.station import Station


def add_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = verbs.add_parser(
        "serve",
        help="serve the areas of config.toml until SIGTERM",
        description="Serves the areas of config.toml. SIGTERM and Ctrl-C let open operations end first, SIGHUP reads "
        "config.toml again.",
    )
    parser.add_argument("--quiet", action="store_true", help="log warnings only")
    tether.add_argument(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, station: Station, output: Output) -> Exit:
    """Print one line per AE title once it answers."""
    settings = station.settings
    if not settings.archive.areas:
        raise UsageError(
            f'{settings.config} names no [[archive.area]]. Add one: ae_title = "IMAGECTN", port = 11112, sta = "sta".'
        )
    who = " [%(process)d]" if settings.archive.processes > 1 else ""
    level = logging.WARNING if args.quiet else logging.INFO
    logging.basicConfig(level=level, format=f"%(asctime)s{who} %(message)s")
    from pacs_tui.service.serve import serve

    def ready(ports: Sequence[int]) -> None:
        for area, port in zip(settings.archive.areas, ports, strict=True):
            output.record(
                {"ae_title": area.ae_title, "host": settings.archive.host, "port": port},
                f"{area.ae_title:<16} listens on {settings.archive.host}:{port}",
            )

    serve(settings, os.environ, ready, sys.stdin.fileno() if args.tether else None)
    return Exit.OK
