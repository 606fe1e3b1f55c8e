"""The start of the console itself: its own process, in a terminal of its own, over a real station."""

from __future__ import annotations

import os
import pty
import select
import signal
import struct
import sys
import termios
from fcntl import ioctl
from pathlib import Path
from time import monotonic

import pytest

from tests.test_architecture import HEAVY

PATIENCE = 30.0
STOP_AT_THE_FIRST_PAINT = """
import os, sys, time
from pacs_tui.cli import main, ui

def painted():
    with open(os.environ["SAID"], "w") as said:
        print(*sys.modules, file=said)
    time.sleep(60)

ui._collect_again = painted
main.main([])
"""


def first_screen(rows: int, columns: int, home: Path) -> tuple[str, set[str]]:
    """What stands on a terminal of this size at the first paint, and the modules that were loaded by then."""
    said = home / "said"
    environ = {**os.environ, "PACS_TUI_HOME": str(home), "SAID": str(said), "TERM": "xterm-256color"}
    process, terminal = pty.fork()
    if process == 0:
        os.execve(sys.executable, [sys.executable, "-c", STOP_AT_THE_FIRST_PAINT], environ)
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    seen = b""
    deadline = monotonic() + PATIENCE
    try:
        done = False
        while not done and monotonic() < deadline:
            done = said.exists() and said.read_text().endswith("\n")
            while select.select([terminal], [], [], 0.05)[0]:
                new = os.read(terminal, 65536)
                if b"\x1b[c" in new:
                    os.write(terminal, b"\x1b[?62;22c")
                seen += new
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(terminal)
    text = seen.decode(errors="replace")
    assert said.exists(), text
    return text, set(said.read_text().split())


@pytest.mark.parametrize(
    ("rows", "columns", "panes"),
    [
        (24, 80, {"Nodes", "Results", "Jobs"}),
        (40, 120, {"Nodes", "Results", "Jobs", "Preview"}),
        (50, 200, {"Nodes", "Results", "Jobs", "Preview", "Details"}),
    ],
)
def test_the_first_paint_has_all_panes_of_its_size_and_no_heavy_library(
    rows: int, columns: int, panes: set[str], tmp_path: Path
) -> None:
    text, modules = first_screen(rows, columns, tmp_path)
    assert {pane for pane in ("Nodes", "Results", "Jobs", "Preview", "Details") if pane in text} == panes
    assert "textual.app" in modules
    assert modules & {*HEAVY, "filelock", "sqlite3"} == set()
