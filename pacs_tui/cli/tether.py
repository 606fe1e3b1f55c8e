"""`--tether`: leave when whoever started us has gone, however it went."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading


def add_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tether", action="store_true", help="end when standard input closes")


def tie(args: argparse.Namespace) -> None:
    """With --tether, send ourselves SIGTERM at the end of standard input: a pipe closes even after kill -9."""
    if args.tether:
        threading.Thread(target=_wait, name="tether", daemon=True).start()


def _wait() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
