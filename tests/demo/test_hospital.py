"""The embedded hospital's home: what is deleted, what never is, and what is said when it cannot start."""

from __future__ import annotations

from pathlib import Path

import pytest

from pacs_tui.demo.hospital import Hospital
from pacs_tui.errors import StorageError


def test_a_reset_takes_what_an_interrupted_start_left(tmp_path: Path) -> None:
    home = tmp_path / "demo"
    for name in ("state", "cache", "data", "making-abc123"):
        (home / name).mkdir(parents=True)
    (home / "hospital.making").write_text("")
    (home / "making-abc123" / "half.dcm").write_bytes(b"x")
    assert not Hospital(home).made
    Hospital(home).reset()
    assert not home.exists()


def test_a_reset_never_takes_what_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(StorageError, match=r"thesis\.tex"):
        Hospital(tmp_path).reset()
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_reset_never_takes_a_real_home(tmp_path: Path) -> None:
    """It has the same folders as a demo's, and an archive in them."""
    (tmp_path / "data" / "MAIN").mkdir(parents=True)
    (tmp_path / "data" / "MAIN" / "precious.dcm").write_bytes(b"x")
    (tmp_path / "config.toml").write_text("")
    hospital = Hospital(tmp_path)
    for attempt in (hospital.reset, lambda: list(hospital.start())):
        with pytest.raises(StorageError, match="not made by a demo"):
            attempt()
    hospital.stop()
    assert (tmp_path / "data" / "MAIN" / "precious.dcm").read_bytes() == b"x"


def test_two_demos_do_not_share_a_home(tmp_path: Path) -> None:
    with Hospital(tmp_path / "demo").occupied(), pytest.raises(StorageError, match="running"), \
            Hospital(tmp_path / "demo").occupied():  # fmt: skip
        pytest.fail("two demos in one home")


@pytest.mark.interop
def test_an_archive_that_cannot_start_says_why(tmp_path: Path) -> None:
    hospital = Hospital(tmp_path / "demo")
    (hospital.home / "data").mkdir(parents=True)
    (hospital.home / "hospital.json").write_text("{}")
    (hospital.home / "data" / "MED1").write_text("a file where a folder belongs")
    try:
        with pytest.raises(StorageError, match=r"archive cannot be opened.*archive\.log"):
            list(hospital.start())
    finally:
        hospital.stop()
