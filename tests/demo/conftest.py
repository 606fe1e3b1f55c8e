"""The whole demo hospital, written once for all tests of this folder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pydicom
import pytest

from pacs_tui.demo.corpus import Placement, arrange

TODAY = date(2026, 11, 20)


@dataclass(frozen=True)
class Hospital:
    placements: tuple[Placement, ...]
    headers: dict[Path, Any]
    """Every written file as pydicom reads it, pixels left unread."""

    def at(self, ae_title: str) -> list[Any]:
        return [self.headers[p.held.path] for p in self.placements if p.ae_title == ae_title]


@pytest.fixture(scope="session")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Hospital:
    placements = tuple(arrange(tmp_path_factory.mktemp("demo") / "files", TODAY))
    paths = dict.fromkeys(p.held.path for p in placements)
    return Hospital(placements, {path: pydicom.dcmread(path, stop_before_pixels=True) for path in paths})
