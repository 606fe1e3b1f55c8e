"""A queue and two scripted nodes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pacs_tui.routing.jobs import JobQueue
from tests.routing.fakes import FakePeer, Shelves


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[JobQueue]:
    opened = JobQueue(f"sqlite:///{tmp_path / 'pacs.db'}")
    yield opened
    opened.close()


@pytest.fixture
def shelves(tmp_path: Path) -> Iterator[Shelves]:
    opened = Shelves(tmp_path / "shelves.db")
    yield opened
    opened.close()


@pytest.fixture
def source(shelves: Shelves) -> FakePeer:
    return FakePeer("SOURCE", shelves)


@pytest.fixture
def destination(shelves: Shelves) -> FakePeer:
    return FakePeer("DEST", shelves)
