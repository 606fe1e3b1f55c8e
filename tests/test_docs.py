"""What the documents say is what the code does."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from pacs_tui import __version__
from pacs_tui.demo.corpus import plan
from tests.write_docs import DOCS, PAGES

ROOT = DOCS.parent


@pytest.mark.parametrize("name", PAGES)
def test_a_page_made_from_the_code_is_fresh(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name](), "run `make docs`"


def test_every_file_the_readme_points_to_exists() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text(encoding="utf-8")):
        assert (ROOT / target).is_file(), target


def test_the_readme_tells_of_the_hospital_as_it_is() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"{plan(date(2026, 11, 22)).patients} patients on seven nodes" in text


def test_the_commands_of_the_readme_are_targets() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"`?make (\w+)", text)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_one_version() -> None:
    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_no_page_names_a_path_of_a_machine() -> None:
    pages = [*DOCS.glob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"]
    assert [str(Path(page).name) for page in pages if re.search(r"/(work|root|tmp)/", page.read_text("utf-8"))] == []
