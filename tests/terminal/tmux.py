"""A real terminal for the tests: a private tmux server, a fixed size, and waiting for what is seen."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count

import pytest

from tests.interop.foreign import program

_PATIENCE = 30.0
_LOOK = 0.05
_numbers = count(1)
_COLOUR = re.compile(r"\x1b\[([0-9;]*)m")


class Screen:
    """One program on a terminal of its own."""

    def __init__(self, name: str, tmux: str) -> None:
        self._command = [tmux, "-L", name, "-f", "/dev/null"]

    def run(self, *words: str) -> str:
        done = subprocess.run([*self._command, *words], capture_output=True, text=True, timeout=20)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def keys(self, *keys: str) -> None:
        """Press keys by tmux's names (Enter, Down, Escape, letters)."""
        self.run("send-keys", *keys)

    def type(self, text: str) -> None:
        """Type text as it is."""
        self.run("send-keys", "-l", text)

    @property
    def text(self) -> str:
        return self.run("capture-pane", "-p")

    @property
    def coloured(self) -> str:
        """With its SGR sequences."""
        return self.run("capture-pane", "-p", "-e")

    @property
    def colours(self) -> set[str]:
        """Every true-colour foreground and background on the screen."""
        return {
            match for found in _COLOUR.findall(self.coloured) for match in re.findall(r"[34]8;2;\d+;\d+;\d+", found)
        }

    def until(self, what: str | Callable[[str], bool], patience: float = _PATIENCE) -> str:
        """The screen, once it shows this text or satisfies this; the test fails with the last screen otherwise."""
        seen = what if callable(what) else lambda text: what in text
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            text = self.text
            if seen(text):
                return text
            # A terminal tells nobody that it changed: looking again is all one can do.
            time.sleep(_LOOK)
        pytest.fail(f"not on the screen after {patience:g} s: {what}\n{self.text}")


@contextmanager
def terminal(columns: int, rows: int, command: list[str], environ: Mapping[str, str]) -> Iterator[Screen]:
    """Run a command in a fresh terminal; what it leaves behind is printed as EXIT:<code>."""
    # a server of its own: the one before may still be leaving
    screen = Screen(f"pacs{os.getpid()}x{next(_numbers)}", program("tmux"))
    settings = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "TEXTUAL_ANIMATIONS": "none", **environ}
    options = [word for pair in settings.items() for word in ("-e", "=".join(pair))]
    line = f"{shlex.join(command)}; echo EXIT:$?; exec cat"
    screen.run("new-session", "-d", "-x", str(columns), "-y", str(rows), *options, line)
    try:
        yield screen
    finally:
        subprocess.run([*screen._command, "kill-server"], capture_output=True, timeout=20)
