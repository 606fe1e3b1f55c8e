"""The layer rules, asked of a fresh interpreter and of the files themselves."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "pacs_tui"
HEAVY = ("pydicom", "pynetdicom", "sqlalchemy", "numpy", "PIL", "tinydb", "term_image.image")


def loaded_after(statement: str) -> set[str]:
    """Names of the heavy libraries a fresh interpreter holds after a statement."""
    code = f"import sys\n{statement}\nprint(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import pacs_tui.tui.app",
        "from pacs_tui.cli.arguments import parser, VERBS; parser(list(VERBS))",
        "import pacs_tui.station, pacs_tui.settings, pacs_tui.explain",
        "import pacs_tui.model.query, pacs_tui.model.columns",
        "from pacs_tui.imaging.terminal import probe",
    ],
)
def test_what_starts_first_is_light(statement: str) -> None:
    assert loaded_after(statement) == set()


def imports_of(path: Path) -> set[str]:
    """First names of everything a file imports, at any depth of indentation."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize(("library", "folder"), [("pynetdicom", "dimse"), ("textual", "tui"), ("tinydb", "book")])
def test_one_folder_names_the_library(library: str, folder: str) -> None:
    strangers = [
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if library in imports_of(path) and path.relative_to(PACKAGE).parts[0] != folder
    ]
    assert strangers == []


def test_only_output_writes_to_stdout() -> None:
    writers = [
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if path.name != "output.py" and re.search(r"\bprint\(|sys\.stdout\.write", path.read_text())
    ]
    assert writers == []


def test_no_file_is_long() -> None:
    files = [path for folder in ("pacs_tui", "tests", "bench") for path in (ROOT / folder).rglob("*.py")]
    long = {str(path.relative_to(ROOT)): n for path in files if (n := len(path.read_text().splitlines())) > 400}
    assert long == {}


def test_the_app_is_small() -> None:
    assert len((PACKAGE / "tui" / "app.py").read_text().splitlines()) <= 150


def test_every_module_says_what_it_is() -> None:
    silent = [
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_the_picture_in_the_docs_names_every_folder() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert [name for name in sorted(folders) if f"  {name}/" not in text] == []
