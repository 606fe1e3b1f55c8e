"""The command `pacs-tui`: no verb opens the console, a verb does its work without it."""

from __future__ import annotations

import logging
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress

from pacs_tui.cli import ui
from pacs_tui.cli.output import Output
from pacs_tui.errors import Exit, PacsError
from pacs_tui.settings import load
from pacs_tui.station import Station


def main(argv: Sequence[str] | None = None) -> int:
    """Run; every failure is a sentence on stderr and its exit code, never a traceback."""
    words = list(sys.argv[1:] if argv is None else argv)
    output = Output("--json" in words)
    # Libraries warn about the odd values of peers: what an administrator should know, we say ourselves.
    logging.getLogger("pacs_tui").addHandler(logging.NullHandler())
    warnings.simplefilter("ignore")
    station: Station | None = None
    try:
        if words:
            # the bare command, which opens the console, has no time to build a parser for nothing
            from pacs_tui.cli.arguments import parse

            args = parse(words)
            station = Station(load(os.environ), readonly=getattr(args, "readonly", False) and args.verb is None)
            signal.signal(signal.SIGTERM, _terminate)
            return int(args.run(args, station, output))
        station = Station(load(os.environ))
        signal.signal(signal.SIGTERM, _terminate)
        return int(ui.console(station))
    except PacsError as error:
        return int(output.fail(error))
    except KeyboardInterrupt:
        output.say("Interrupted.")
        return int(Exit.CANCELLED)
    except BrokenPipeError:
        # whoever read our output has gone, as in `pacs-tui find ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return int(Exit.OK)
    except OSError as error:
        output.say(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}.")
        return int(Exit.ERROR)
    finally:
        if station is not None:
            # a second Ctrl-C while we take leave of the peers
            with suppress(KeyboardInterrupt):
                station.close()


def _terminate(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt
