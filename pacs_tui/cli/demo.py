"""`pacs-tui demo`: an embedded hospital with real images, and the console on it."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pacs_tui.cli import ui
from pacs_tui.errors import Exit

if TYPE_CHECKING:
    from pacs_tui.cli.output import Output
    from pacs_tui.station import Station


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("demo", help="an embedded hospital with real images, and the console on it")
    parser.add_argument("--check", action="store_true", help="play the main job by script and print each step")
    parser.add_argument("--reset", action="store_true", help="make the hospital anew")
    parser.add_argument("--home", type=Path, metavar="FOLDER", help="where it lives (default: in the data folder)")
    ui.add_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, station: Station, output: Output) -> Exit:
    """Start the hospital, open the console or play the check, stop what was started."""
    from pacs_tui.demo.hospital import Hospital

    hospital = Hospital((args.home or station.settings.data / "demo").absolute())
    with hospital.occupied():
        if args.reset:
            hospital.reset()
        try:
            if not hospital.made:
                output.say(f"Making the hospital in {hospital.home}. This is done once.")
            for filling in hospital.start():
                output.progress(filling.done, filling.total, "instances")
            output.progress_done()
            return _visit(args, hospital.environ, output)
        finally:
            hospital.stop()


def _visit(args: argparse.Namespace, environ: dict[str, str], output: Output) -> Exit:
    from pacs_tui.settings import load
    from pacs_tui.station import Station

    # What the console starts (a worker) must find the hospital's home too.
    os.environ["PACS_TUI_HOME"] = environ["PACS_TUI_HOME"]
    station = Station(load(os.environ), readonly=args.readonly)
    try:
        if args.check or not (sys.stdin.isatty() and sys.stdout.isatty()):
            from pacs_tui.demo.check import play

            for number, step in enumerate(play(station), 1):
                output.record({"step": number, "ok": step.ok, "what": step.what}, f"{number:>2}  {step}")
                if not step.ok:
                    return Exit.ERROR
            return Exit.OK
        return ui.run(args, station, output)
    finally:
        station.close()
