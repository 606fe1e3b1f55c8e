"""The images behind the demo: every file of both wheels is either shown or left out for a written reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from pacs_tui.demo.corpus_examinations import EXAMINATIONS
from pacs_tui.demo.corpus_visits import VISITS
from pacs_tui.demo.sources import LEFT_OUT, Sources, roots
from pacs_tui.errors import StorageError

_NOT_DICOM = {".txt", ".json", ".dump", ".icc", ".gz", ".py", ".pyc"}


def _all_files() -> dict[str, Path]:
    files = {}
    for root in roots():
        for path in root.rglob("*"):
            if path.is_file() and path.suffix not in _NOT_DICOM and path.name != "README":
                files[path.relative_to(root).as_posix()] = path
    return files


def _left_out(name: str) -> bool:
    return name in LEFT_OUT or any(name.startswith(entry) for entry in LEFT_OUT if entry.endswith("/"))


def _scheduled() -> set[Path]:
    found = Sources()
    series = [series for visit in VISITS for series in EXAMINATIONS[visit.examination].series]
    return {found.path(name) for pattern in series for name in pattern.sources}


def test_every_file_is_shown_or_left_out_for_a_reason() -> None:
    files, shown = _all_files(), _scheduled()
    forgotten = [name for name, path in files.items() if path not in shown and not _left_out(name)]
    assert not forgotten
    assert not [name for name, path in files.items() if path in shown and _left_out(name)]


def test_the_list_of_what_is_left_out_names_only_real_files() -> None:
    files = _all_files()
    assert all(any(name.startswith(entry) for name in files) for entry in LEFT_OUT)
    assert all(LEFT_OUT.values())


def test_an_unknown_image_says_what_to_do() -> None:
    with pytest.raises(StorageError, match="reinstall"):
        Sources().path("no-such-image")


def test_without_the_images_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(StorageError, match="demo"):
        Sources()
