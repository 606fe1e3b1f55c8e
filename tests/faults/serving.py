"""`pacs-tui archive serve` as a process, in a home of its own, perhaps under another program."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults import wire
from tests.faults.instances import Made, study_keys

SERVE = ("archive", "serve", "--json")
TITLE = "FAULTS"
_END_SECONDS = 20.0


def configure(home: Path, archive: str = "", area: str = "", port: int = 0, sta: str = "sta") -> Path:
    """Write config.toml: lines for [archive], lines for its one area."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "config.toml").write_text(
        f'[archive]\nhost = "127.0.0.1"\n{archive}\n[[archive.area]]\n'
        f'ae_title = "{TITLE}"\nport = {port}\nsta = "{sta}"\n{area}\n'
    )
    return home


@dataclass
class Server:
    """An archive that answers."""

    home: Path
    process: subprocess.Popen[str]
    ports: dict[str, int]

    @property
    def port(self) -> int:
        return self.ports[TITLE]

    @property
    def index(self) -> Path:
        return self.home / "data" / "index.db"

    def send(self, *sent: Made) -> list[wire.Response]:
        """Store these over one association; the answers."""
        with wire.Line(self.port, TITLE) as line:
            answers = [line.ask(wire.store(made.uid, made.data())) for made in sent]
            line.release()
        return answers

    def find(self) -> wire.Response:
        """Ask for all studies."""
        with wire.Line(self.port, TITLE) as line:
            answer = line.ask(wire.find(study_keys()))
            line.release()
        return answer

    def end(self) -> int:
        """SIGTERM, and how it ended."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(_END_SECONDS)


def environ(home: Path) -> dict[str, str]:
    return {**os.environ, "PACS_TUI_HOME": str(home)}


def command() -> list[str]:
    return [sys.executable, "-m", "pacs_tui", *SERVE]


@contextmanager
def serving(home: Path, areas: int = 1, under: Sequence[str] = ()) -> Iterator[Server]:
    """The archive of this home, once all its areas answer; killed at the end where it has not ended by itself."""
    with (home / "log").open("a") as log:
        process = subprocess.Popen(
            [*under, *command()], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True,
            env=environ(home), start_new_session=True,
        )  # fmt: skip
    try:
        assert process.stdout is not None
        ports = {}
        for _ in range(areas):
            line = process.stdout.readline()
            assert line, f"the archive ended with {process.wait()}: {(home / 'log').read_text()[-2000:]}"
            ready = json.loads(line)
            ports[ready["ae_title"]] = ready["port"]
        yield Server(home, process, ports)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
