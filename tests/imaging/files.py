"""Real files to draw: those that pydicom and pydicom-data bring along, and variations made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.data import get_testdata_file


def bundled(name: str) -> Path:
    """A file by name; it is inside the installed packages, so nothing is downloaded."""
    found = get_testdata_file(name, download=False)
    assert isinstance(found, str), name
    return Path(found)


def changed(name: str, folder: Path, **attributes: Any) -> Path:
    """A copy of a bundled file with other attributes; None takes one away. The pixels stay as they are."""
    dataset = dcmread(bundled(name))
    for keyword, value in attributes.items():
        if value is None:
            del dataset[keyword]
        else:
            setattr(dataset, keyword, value)
    path = folder / f"changed-{name}"
    dataset.save_as(path)
    return path
