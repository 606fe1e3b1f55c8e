"""The console loads nothing heavy, asked of a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("pynetdicom", "pydicom", "sqlalchemy", "numpy", "PIL", "term_image", "tinydb", "filelock", "sqlite3")


def test_importing_the_console_imports_no_heavy_library() -> None:
    code = f"import sys, pacs_tui.tui.app; print([name for name in {HEAVY!r} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_the_dialogs_and_the_other_screens_are_as_light() -> None:
    modules = (
        "pacs_tui.tui.dialogs.move, pacs_tui.tui.dialogs.node, pacs_tui.tui.screens.jobs, pacs_tui.tui.screens.nodes"
    )
    code = f"import sys, {modules}, pacs_tui.tui.screens.help; print([n for n in {HEAVY!r} if n in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
