"""An archive in a temporary folder, and instances made of a few attributes."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pacs_tui.archive.archive import Archive
from pacs_tui.archive.attributes import BY_KEYWORD
from pacs_tui.archive.index import Index
from pacs_tui.dimse.reading import read_arrival
from pacs_tui.model.find import FindRequest
from pacs_tui.model.level import Level, Root
from pacs_tui.model.tag import Element
from pacs_tui.model.transfer import StoreRequest
from pacs_tui.settings import ArchiveSettings, Area, Caller

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
Keys = dict[str, Any]
"""Attributes by keyword, to be unpacked into `put` and `ask`."""


def header(study: str = "1.2.1", series: str = "1.2.1.1", instance: str = "1.2.1.1.1", **more: str) -> dict[str, str]:
    """The attributes of an instance."""
    return {
        "StudyInstanceUID": study,
        "SeriesInstanceUID": series,
        "SOPInstanceUID": instance,
        "SOPClassUID": CT,
        "PatientID": "4711",
        "PatientName": "MEIER^ANNA",
        "StudyDate": "20261120",
        "Modality": "CT",
        **more,
    }


def request(attributes: dict[str, str], called: str = "STA") -> StoreRequest:
    """The C-STORE-RQ that announces these attributes truly."""
    uids = attributes.get("SOPClassUID", CT), attributes.get("SOPInstanceUID", "1.2.3")
    return StoreRequest("SENDER", called, "127.0.0.1", *uids, EXPLICIT)


def put(archive: Archive, called: str = "STA", content: bytes = b"data set", **attributes: str) -> int:
    """Store one instance whole."""
    full = header(**attributes)
    incoming = archive.store(request(full, called))
    incoming.write([content[:3], memoryview(content)[3:]])
    return incoming.commit(full)


def ask(
    archive: Archive, level: Level, root: Root = Root.STUDY, called: str = "STA", relational: bool = False, **keys: str
) -> list[dict[str, str]]:
    """The rows of a query as keyword to text."""
    elements = tuple(Element(BY_KEYWORD[k].tag, BY_KEYWORD[k].vr, text) for k, text in keys.items())
    answer = archive.find(FindRequest(called, root, level, elements, relational))
    words = [next(a.keyword for a in BY_KEYWORD.values() if a.tag == c.tag) for c in answer.columns]
    return [dict(zip(words, row, strict=True)) for row in answer.rows]


def files_of(root: Path) -> dict[str, str]:
    """Every file of an area that is no lock, with a digest of its content."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file() and path.name not in ("sweep", "alive")
    }


@pytest.fixture(scope="session")
def blank_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index without areas: making its tables anew costs more than most tests."""
    path = tmp_path_factory.mktemp("blank") / "index.db"
    index = Index(f"sqlite:///{path}")
    index.open([])
    index.close()
    return path


@pytest.fixture
def make(tmp_path: Path, blank_index: Path) -> Iterator[Callable[..., Archive]]:
    """Open archives on one index under the test's folder; they are closed at its end."""
    opened: list[Archive] = []

    def build(
        *titles: str, peers: tuple[Caller, ...] = (), options: ArchiveSettings | None = None, **more: Any
    ) -> Archive:
        areas = [Area(title, 0, tmp_path / title, peers=peers, **more) for title in titles or ("STA",)]
        url = f"sqlite:///{tmp_path / 'index.db'}"
        if not (tmp_path / "index.db").exists():
            shutil.copyfile(blank_index, tmp_path / "index.db")
        archive = Archive(areas, url, lambda _: None, read_arrival, options or ArchiveSettings())
        opened.append(archive)
        archive.open()
        return archive

    yield build
    for archive in opened:
        archive.close()


@pytest.fixture
def archive(make: Callable[..., Archive]) -> Archive:
    return make()
