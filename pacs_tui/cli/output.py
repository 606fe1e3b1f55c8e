"""The only writer to stdout: data goes there, as a table for people or one JSON object a line; talk goes to stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from pacs_tui.errors import Exit, NetworkError, PacsError
from pacs_tui.model.level import Level
from pacs_tui.model.match import Match
from pacs_tui.model.text import cut, printable

_BAR = 24
_REDRAW_SECONDS = 0.1


class Output:
    """Where a verb prints. Nothing that a peer sent reaches the terminal unless it is printable.

    When whoever reads stdout has gone, a write raises BrokenPipeError, which ends the program quietly (cli/main.py);
    stderr failing is no reason to stop and is ignored.
    """

    def __init__(self, json: bool, stdout: TextIO | None = None, stderr: TextIO | None = None) -> None:
        self.json = json
        self._stdout = stdout or sys.stdout
        self._stderr = stderr or sys.stderr
        for stream in (self._stdout, self._stderr):
            # A terminal in an old locale shows "?" for what it cannot print, instead of a traceback.
            if reconfigure := getattr(stream, "reconfigure", None):
                reconfigure(errors="replace")
        self._drawn = False
        self._last_drawn = 0.0

    def rows(self, level: Level, matches: Iterable[Match]) -> int:
        """All matches, each as soon as it comes; returns how many there were."""
        count = 0
        with self.table(level) as table:
            for count, match in enumerate(matches, 1):  # noqa: B007 (the count is the result)
                table.add(match)
        return count

    @contextmanager
    def table(self, level: Level) -> Iterator[Table]:
        """A table of one level whose rows are added as they arrive; its headings come with the first."""
        yield Table(self, level)

    def record(self, data: Mapping[str, Any], text: str | None = None) -> None:
        """One thing: its JSON object, or `text` for people (without it, a line for each value)."""
        if self.json:
            import json

            # ASCII only: escapes are the one form of foreign text that no terminal acts on.
            self._write(json.dumps(data, ensure_ascii=True, separators=(", ", ": "), default=str))
        elif text is not None:
            self._write(_lines(text))
        else:
            self._write("\n".join(f"{name}: {printable(str(value))}" for name, value in data.items()))

    def heading(self, text: str) -> None:
        """A line above a table; JSON needs none."""
        if not self.json:
            self._write(_lines(text))

    def say(self, text: str) -> None:
        """Talk: never data, never on stdout."""
        self.progress_done()
        with suppress(OSError, ValueError):
            self._stderr.write(_lines(text) + "\n")
            self._stderr.flush()

    def fail(self, error: PacsError) -> Exit:
        """Say what went wrong and, for a peer's failure, what to do; returns the exit code of the error."""
        self.say(printable(str(error)))
        data: dict[str, Any] = {"error": str(error), "exit": int(error.exit)}
        if isinstance(error, NetworkError) and error.code:
            # the console's start pays for no words it may never need
            from pacs_tui.explain import as_dict, as_lines, explain

            explanation = explain(error.code, error.facts)
            self.say("\n".join(as_lines(explanation)))
            data |= {"code": error.code, "facts": error.facts, "explanation": as_dict(explanation)}
        if self.json:
            with suppress(BrokenPipeError):
                self.record(data)
        return error.exit

    @property
    def watched(self) -> bool:
        """True where somebody may look at the progress line."""
        return self._stderr.isatty()

    def progress(self, done: int, total: int | None, text: str = "") -> None:
        """One line that is drawn over itself; only where stderr is a terminal, and ten times a second at most."""
        if not self.watched:
            return
        now = time.monotonic()
        if now - self._last_drawn < _REDRAW_SECONDS and done != total:
            return
        self._last_drawn = now
        line = f"{bar(done, total)} {done}/{total}" if total else str(done)
        with suppress(OSError, ValueError):
            self._stderr.write(f"\r\x1b[K{line}  {cut(printable(text), 60)}")
            self._stderr.flush()
            self._drawn = True

    def progress_done(self) -> None:
        """Take the progress line away, so that other text can stand in its place."""
        if self._drawn:
            self._drawn = False
            with suppress(OSError, ValueError):
                self._stderr.write("\r\x1b[K")
                self._stderr.flush()

    def _write(self, line: str) -> None:
        self.progress_done()
        self._stdout.write(line + "\n")
        # A row is shown when it arrives, also through a pipe; and a reader that has gone is noticed here.
        self._stdout.flush()


class Table:
    """The rows of one level on an Output."""

    def __init__(self, output: Output, level: Level) -> None:
        from pacs_tui.model import columns

        self._output = output
        self._layout = columns
        self._columns = columns.TABLE_COLUMNS[level]
        self._begun = False

    def add(self, match: Match) -> None:
        """Print one match: a row of fixed width, or all its attributes as JSON."""
        if not self._begun:
            self._begun = True
            self._output.heading(self._layout.headings(self._columns))
        if self._output.json:
            self._output.record({"node": match.node, "level": match.level.word, **match.values})
        else:
            self._output.record({}, self._layout.row(match, self._columns, units=False))


def bar(done: int, total: int | None) -> str:
    """How far it is, as a bar."""
    filled = _BAR * max(0, min(done, total or 0)) // total if total else 0
    return "▇" * filled + "▁" * (_BAR - filled)


def _lines(text: str) -> str:
    return "\n".join(printable(line) for line in text.split("\n"))
