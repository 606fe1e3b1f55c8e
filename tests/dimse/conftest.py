"""A real archive on a real listener, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pacs_tui.archive.archive import Archive
from pacs_tui.dimse.listener import Listener
from pacs_tui.dimse.part10 import read_held
from pacs_tui.dimse.peer import Peer
from pacs_tui.model.node import Node
from pacs_tui.model.transfer import Held
from pacs_tui.settings import Area, Caller, Limits, Timeouts
from tests.dimse.test_dataset import bundled

FILES = ("CT_small.dcm", "MR_small_RLE.dcm", "JPEG2000.dcm", "image_dfl.dcm", "ExplVR_BigEnd.dcm")


@dataclass
class Running:
    """An archive with two AE titles on one listener."""

    listener: Listener
    nodes: dict[str, Node]

    def peer(self, name: str, calling: str = "TESTER") -> Peer:
        return Peer(self.nodes[name], calling, Timeouts(message=20))


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Running]:
    nodes: dict[str, Node] = {}
    areas = [
        Area("FIRST", 0, tmp_path / "first"),
        Area("SECOND", 0, tmp_path / "second", None, (Caller("FRIEND"), Caller("FIRST"))),
    ]
    held = Archive(areas, f"sqlite:///{tmp_path / 'index.db'}", nodes.get)
    held.open()
    listener = Listener(held, [("127.0.0.1", 0), ("127.0.0.1", 0)], Limits(request_seconds=1.0, per_host=20))
    listener.open()
    for title, port in zip(("FIRST", "SECOND"), listener.ports, strict=True):
        nodes[title] = Node(title, title, "127.0.0.1", port)
    try:
        yield Running(listener, nodes)
    finally:
        listener.close(1.0)
        held.close()


@pytest.fixture
def instances() -> list[Held]:
    return [read_held(bundled(name)) for name in FILES]
