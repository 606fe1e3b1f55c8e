"""The console: `pacs-tui` without a verb."""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING

from pacs_tui.errors import Exit, UsageError

if TYPE_CHECKING:
    import argparse

    from pacs_tui.cli.output import Output
    from pacs_tui.station import Station


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--readonly", action="store_true", help="a console that cannot move, edit or delete")
    parser.add_argument("--graphics", choices=("auto", "kitty", "cells"), default="auto", help="how images are drawn")
    parser.add_argument("--colour", choices=("auto", "truecolor", "256", "16"), default="auto", help="colours to use")


def run(args: argparse.Namespace, station: Station, output: Output) -> Exit:
    """The console with the options that were typed."""
    return console(station, args.graphics, args.colour)


def console(station: Station, graphics: str = "auto", colours: str = "auto") -> Exit:
    """Probe the terminal, then hand it to the console until it is left."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("The console needs a terminal. Verbs work without one: see `pacs-tui --help`.")
    for stale in ("COLUMNS", "LINES"):
        # exported by some shell long ago, they would pin the console to that size; the terminal knows its own
        os.environ.pop(stale, None)
    # All that is made before the first paint is there to stay: the collector would search it and find nothing.
    gc.disable()
    # before textual is imported: it reads the colour system once, and owns the terminal from then on
    from pacs_tui.imaging.terminal import probe, set_colour_system

    terminal = probe(graphics=graphics, colours=colours)
    set_colour_system(terminal)
    saved = _shield_stderr(station)
    try:
        from pacs_tui.tui.app import PacsApp

        app = PacsApp(station, terminal, on_first_paint=_collect_again)
        app.run()
    finally:
        gc.enable()
        os.dup2(saved, 2)
        os.close(saved)
    return Exit(app.return_code or 0)


def _collect_again() -> None:
    gc.freeze()
    gc.enable()


def _shield_stderr(station: Station) -> int:
    """Textual paints through sys.__stderr__; native libraries print to fd 2: give each its own."""
    saved = os.dup(2)
    sys.__stderr__ = os.fdopen(os.dup(2), "w", encoding="utf-8")  # type: ignore[misc]
    try:
        station.settings.state.mkdir(parents=True, exist_ok=True)
        log = os.open(station.settings.state / "console.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError:
        # a home that cannot be written is no reason not to look
        log = os.open(os.devnull, os.O_WRONLY)
    os.dup2(log, 2)
    os.close(log)
    return saved
