"""The archive as a process, as an administrator starts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pacs_tui.book.book import Book
from pacs_tui.dimse.part10 import read_held
from pacs_tui.dimse.peer import Peer
from pacs_tui.model.node import Node
from pacs_tui.model.transfer import Held
from pacs_tui.settings import Timeouts
from tests.dimse.test_dataset import bundled

FILES = (
    "CT_small.dcm", "MR_small_RLE.dcm", "JPEG2000.dcm", "ExplVR_BigEnd.dcm", "SC_rgb_jpeg_dcmd.dcm",
    "reportsi.dcm", "examples_palette.dcm", "SC_rgb_jpeg_dcmtk.dcm", "693_J2KI.dcm",
)  # fmt: skip
CONFIG = """
[archive]
host = "127.0.0.1"
[[archive.area]]
ae_title = "IMAGECTN"
port = 0
sta = "IMAGECTN/STA"
lta = "IMAGECTN/LTA"
[[archive.area]]
ae_title = "ORTHO1"
port = 0
sta = "ORTHO1/STA"
"""


@dataclass
class Served:
    """`pacs-tui archive serve` in a home of its own."""

    home: Path
    nodes: dict[str, Node]
    process: subprocess.Popen[str]

    @property
    def environ(self) -> dict[str, str]:
        return {**os.environ, "PACS_TUI_HOME": str(self.home)}

    @property
    def book(self) -> Book:
        return Book(self.home / "state" / "book.json")

    def peer(self, name: str = "IMAGECTN") -> Peer:
        return Peer(self.nodes[name], "TESTER", Timeouts())

    def run(self, *words: str, timeout: float = 120.0) -> subprocess.CompletedProcess[str]:
        """`pacs-tui` with these words, in this home."""
        return subprocess.run(
            [sys.executable, "-m", "pacs_tui", *words], env=self.environ, capture_output=True, text=True,
            timeout=timeout, stdin=subprocess.DEVNULL,
        )  # fmt: skip


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.toml").write_text(CONFIG)
    process = subprocess.Popen(
        [sys.executable, "-m", "pacs_tui", "archive", "serve", "--json"], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PACS_TUI_HOME": str(home)},
        stderr=(tmp_path / "archive.log").open("w"),
    )  # fmt: skip
    try:
        assert process.stdout is not None
        nodes = {}
        for _ in range(2):
            ready = json.loads(process.stdout.readline())
            nodes[ready["ae_title"]] = Node(ready["ae_title"], ready["ae_title"], ready["host"], ready["port"])
        made = Served(home, nodes, process)
        for node in nodes.values():
            made.book.save_node(node)
        yield made
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(20)
    assert code == 0, "SIGTERM is a clean end"


@pytest.fixture
def instances() -> list[Held]:
    """Real files of many modalities and seven transfer syntaxes."""
    return [read_held(bundled(name)) for name in FILES]
