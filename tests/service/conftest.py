"""The archive as a service, as an administrator starts it: with a config.toml of the test's own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from pacs_tui.dimse.part10 import read_held
from pacs_tui.dimse.peer import Peer
from pacs_tui.model.node import Node
from pacs_tui.model.transfer import Held
from pacs_tui.settings import Timeouts
from tests.dimse.test_dataset import bundled

DEADLINE = 20.0
FILES = ("CT_small.dcm", "MR_small_RLE.dcm", "JPEG2000.dcm", "reportsi.dcm")


def until(fact: Callable[[], object], seconds: float = DEADLINE) -> None:
    """Wait for a fact, or fail."""
    deadline = time.monotonic() + seconds
    never = Event()
    while not fact():
        assert time.monotonic() < deadline, "it did not come true in time"
        never.wait(0.01)


def area(title: str, **more: str) -> str:
    """An [[archive.area]] of config.toml."""
    lines = {"port": "0", "sta": f'"{title}"', **more}
    return f'[[archive.area]]\nae_title = "{title}"\n' + "".join(f"{k} = {v}\n" for k, v in lines.items())


@dataclass
class Service:
    """`pacs-tui archive` in a home of its own."""

    home: Path
    process: subprocess.Popen[str] | None = None
    nodes: dict[str, Node] = field(default_factory=dict)

    @property
    def log(self) -> str:
        return (self.home / "archive.log").read_text(errors="replace")

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def configure(self, text: str) -> None:
        (self.home / "config.toml").write_text(text)

    def start(self, *words: str, environ: Mapping[str, str] | None = None) -> None:
        """`archive serve`, until it has said that every title answers."""
        with (self.home / "archive.log").open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pacs_tui", "archive", "serve", "--json", *words],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                env={**os.environ, "PACS_TUI_HOME": str(self.home), **(environ or {})},
            )  # fmt: skip
        assert self.process.stdout is not None
        for _ in range((self.home / "config.toml").read_text().count("[[archive.area]]")):
            line = self.process.stdout.readline()
            assert line, self.log
            ready = json.loads(line)
            self.nodes[ready["ae_title"]] = Node(ready["ae_title"], ready["ae_title"], ready["host"], ready["port"])

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it; its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(DEADLINE)

    def children(self) -> list[int]:
        """The serving processes under the supervisor."""
        text = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(word) for word in text.split()]

    def peer(self, title: str = "STA", calling: str = "TESTER") -> Peer:
        return Peer(self.nodes[title], calling, Timeouts(connect=5, association=10, message=20))

    def send(self, instances: Sequence[Held], title: str = "STA") -> list[int]:
        """The status of each."""
        return [sent.status for sent in self.peer(title).send(instances)]

    def run(self, *words: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """`pacs-tui archive` with these words."""
        return subprocess.run(
            [sys.executable, "-m", "pacs_tui", "archive", *words], capture_output=True, text=True, timeout=timeout,
            stdin=subprocess.DEVNULL, env={**os.environ, "PACS_TUI_HOME": str(self.home)},
        )  # fmt: skip

    def status(self) -> dict[str, Any]:
        done = self.run("status", "--json")
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))


@contextmanager
def serviced(home: Path, config: str) -> Iterator[Service]:
    """A service that is not started yet, and does not outlive the block."""
    home.mkdir(parents=True)
    service = Service(home)
    service.configure(config)
    try:
        yield service
    finally:
        if service.process is not None:
            if service.process.poll() is None:
                service.process.send_signal(signal.SIGTERM)
                try:
                    service.process.wait(DEADLINE)
                except subprocess.TimeoutExpired:
                    service.process.kill()
                    service.process.wait()
            for stream in (service.process.stdin, service.process.stdout):
                if stream is not None:
                    stream.close()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with serviced(tmp_path / "home", area("STA")) as made:
        yield made


@pytest.fixture
def several(tmp_path: Path) -> Iterator[Service]:
    """Two processes, replaced when they are silent for two seconds."""
    with serviced(
        tmp_path / "home", "[archive]\nprocesses = 2\nhung_seconds = 2\n" + area("STA") + area("ORTHO")
    ) as made:
        yield made


@pytest.fixture
def instances() -> list[Held]:
    return [read_held(bundled(name)) for name in FILES]


def alive(pid: int) -> bool:
    """True while the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
