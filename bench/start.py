"""Start-up: from exec to the first paint of the console, against an empty Textual application in the same run."""

from __future__ import annotations

import os
import pty
import select
import signal
import struct
import sys
import tempfile
import termios
import time
from fcntl import ioctl

from bench.bench import Bench
from bench.pairs import paired, report

EMPTY = """
from textual.app import App
from textual.widgets import Static
class Empty(App):
    def compose(self):
        yield Static("Nodes")
Empty().run()
"""
_PATIENCE = 20.0


def first_paint(command: list[str], environ: dict[str, str]) -> float:
    """Seconds from exec until the word Nodes stands on a terminal of 120x40; the program is ended then."""
    began = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(command[0], command, environ)
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    seen = b""
    try:
        while b"Nodes" not in seen and time.perf_counter() - began < _PATIENCE:
            if select.select([terminal], [], [], 0.5)[0]:
                new = os.read(terminal, 65536)
                if b"\x1b[c" in new:
                    # we are a terminal: DA1 is always answered
                    os.write(terminal, b"\x1b[?62;22c")
                seen += new
        spent = time.perf_counter() - began
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)
    assert b"Nodes" in seen, seen[-400:]
    return spent


def run(bench: Bench) -> None:
    """Print the pair."""
    if not bench.wants("start"):
        return
    with tempfile.TemporaryDirectory() as home:
        environ = {**os.environ, "PACS_TUI_HOME": home, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        ours = [sys.executable, "-m", "pacs_tui"]
        theirs = [sys.executable, "-c", EMPTY]
        pair = paired(
            lambda: first_paint(ours, environ), lambda: first_paint(theirs, environ), rounds=bench.turns(5, 9)
        )
        report("start: exec to first paint at 120x40", "pacs-tui", "an empty Textual application", pair)
