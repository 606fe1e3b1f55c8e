"""The main job as a person plays it: find it, see it, route it, know that it arrived."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pacs_tui.demo.hospital import AE_TITLES, Hospital
from tests.terminal.tmux import Screen, terminal

pytestmark = pytest.mark.terminal


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A demo hospital, made by `pacs-tui demo --check`, which plays the main job by script."""
    home = tmp_path_factory.mktemp("demo") / "hospital"
    done = subprocess.run(
        [sys.executable, "-m", "pacs_tui", "demo", "--check", "--json", "--home", str(home)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    steps = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(step["ok"] for step in steps)
    assert re.search(r"verified (\d+)/\1", steps[-1]["what"])
    yield home
    deadline = time.monotonic() + 20
    while (left := processes(home)) and time.monotonic() < deadline:
        os.sched_yield()
    assert left == [], "the demo leaves nothing running"


def processes(home: Path) -> list[str]:
    """Command lines of processes that work in this home."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(home).encode() in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return [line for line in found if "pacs_tui" in line]


def console(home: Path, columns: int, rows: int):  # type: ignore[no-untyped-def]
    command = [sys.executable, "-m", "pacs_tui", "demo", "--home", str(home)]
    return terminal(columns, rows, command, {"PYTHONPATH": os.environ.get("PYTHONPATH", "")})


def find(screen: Screen, node: str, query: str) -> str:
    """Choose the node, open the query bar, type, Enter; the screen with the answer."""
    listed = screen.until(lambda text: re.search(rf"● {node} +[\d.]+ ms", text) is not None)
    # every node counts, also one that was not asked yet (○) or does not answer (✗)
    names = re.findall(r"[●○✗] (\w+)", listed)
    screen.keys(str(names.index(node) + 1))
    # as fast as a paste: what follows the key must land in the bar it opens
    screen.type(f"f{query}")
    screen.until(query)
    screen.keys("Enter")
    return screen.until(lambda text: re.search(rf"{node} · {query} · \d+ stud", text) is not None)


def leave(screen: Screen) -> None:
    """q ends it with 0 and gives a clean terminal back."""
    screen.keys("q")
    text = screen.until("EXIT:")
    assert "EXIT:0" in text
    assert "Traceback" not in text
    assert not any(sign in text for sign in "┌│▀▌▖"), text
    assert screen.run("display-message", "-p", "#{alternate_on}#{mouse_any_flag}#{cursor_flag}").strip() == "001"


@pytest.mark.parametrize(("columns", "rows", "patient"), [(80, 24, "schmidt"), (120, 40, "wang")])
def test_the_main_job(home: Path, columns: int, rows: int, patient: str) -> None:
    with console(home, columns, rows) as screen:
        find(screen, "MED1", patient)
        screen.keys("Down", "Right")
        screen.until(lambda text: re.search(r"▸ +1 +CT", text) is not None)
        blank = len(screen.colours)
        if columns < 100:
            screen.keys("v")
        screen.keys("Down")
        screen.until(lambda _: len(screen.colours) > blank + 20)
        assert re.search(r"W \S+ L \S+", screen.until("not for diagnosis"))
        if columns < 100:
            screen.keys("v")
        screen.keys("Up", "Space")
        screen.until("1 marked")
        route(screen, "MED1", "ORTHO1")
        text = screen.until(
            lambda text: re.search(r"MED1→ORTHO1 .*" + patient[:4].upper() + r".*verified (\d+)/\1", text) is not None
        )
        assert "failed" not in text
        leave(screen)


def route(screen: Screen, source: str, destination: str) -> None:
    """`m`, down to the destination, the plan, and go."""
    screen.keys("m")
    screen.until("Enter shows the plan")
    screen.keys("Home", *["Down"] * AE_TITLES.index(destination), "Enter")
    assert f"{source} → {destination}" in screen.until("Enter starts the transfer")
    screen.keys("Enter")


def test_a_console_cut_off_in_mid_transfer_changes_nothing(home: Path) -> None:
    """The hospital and its worker run by themselves; the console dies as it does when an SSH line drops."""
    hospital = Hospital(home)
    plain = [sys.executable, "-m", "pacs_tui"]
    for _ in hospital.start():
        pass
    try:
        with terminal(120, 40, plain, {"PACS_TUI_HOME": str(home)}) as screen:
            find(screen, "IMAGECTN", "mod:MR")
            screen.keys("a")
            screen.until("marked")
            route(screen, "IMAGECTN", "ORTHO2")
            screen.until("IMAGECTN→ORTHO2")
            # the terminal goes with the block, and SIGHUP reaches the console
        with terminal(120, 40, plain, {"PACS_TUI_HOME": str(home)}) as screen:
            screen.until(lambda text: re.search(r"IMAGECTN→ORTHO2 .*verified (\d+)/\1", text) is not None, 120)
            leave(screen)
    finally:
        hospital.stop()
