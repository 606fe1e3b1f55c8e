"""The probe reads what real terminals answer."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time

import pytest

from pacs_tui.errors import UsageError
from pacs_tui.imaging.terminal import may_ask_kitty, probe, read_answers, set_colour_system
from pacs_tui.model.picture import Terminal

KITTY = b"\x1bP>|kitty(0.26.5)\x1b\\\x1bP!|00000000\x1b\\\x1b[6;18;9t\x1bP1$r0;48:2:1:2:3m\x1b\\\x1b[?62c"
KONSOLE = b"\x1bP>|Konsole 22.12.3\x1b\\\x1bP!|7E4B4445\x1b\\\x1b[4;480;960t\x1b[?62;1;4c"
VTE = b"\x1bP!|7E565445\x1b\\\x1b[4;384;640t\x1b[?65;1;9c"
XTERM = b"\x1bP>|XTerm(379)\x1b\\\x1b[4;312;484t\x1bP1$r0;48:2::1:2:3m\x1b\\\x1b[?64;1;2;6;9;15;16;17;18;21;22;28c"
PUTTY = b"\x1b[?6c"


def test_kitty() -> None:
    found = read_answers(KITTY, {"TERM": "xterm-kitty"})
    assert found == Terminal("kitty", 9, 18, "sextant", "truecolor", "cells")
    assert may_ask_kitty(found, {})


def test_konsole_measures_its_area() -> None:
    found = read_answers(KONSOLE, {"TERM": "xterm-256color"}, (24, 80, 0, 0))
    assert (found.name, found.cell_width, found.cell_height, found.colours) == ("konsole", 12, 20, "truecolor")


def test_gnome_terminal_without_a_name() -> None:
    found = read_answers(VTE, {"TERM": "xterm-256color"}, (24, 80, 0, 0))
    assert (found.name, found.cell_width, found.cell_height, found.glyphs) == ("vte", 8, 16, "sextant")
    assert not may_ask_kitty(found, {})


def test_xterm_has_truecolour_and_no_sextants() -> None:
    found = read_answers(XTERM, {"TERM": "xterm"}, (24, 80, 0, 0))
    assert (found.glyphs, found.colours) == ("quadrant", "truecolor")


def test_nonsense_cell_sizes_are_not_believed() -> None:
    found = read_answers(PUTTY, {"TERM": "xterm"}, (24, 80, 80, 24))
    assert (found.cell_width, found.cell_height, found.colours) == (10, 20, "256")


def test_in_tmux_only_what_tmux_can_carry() -> None:
    environment = {"TERM": "tmux-256color", "TMUX": "/tmp/tmux-0/default,1,0"}
    found = read_answers(b"\x1bP>|tmux 3.3a\x1b\\\x1b[?1;2c", environment)
    assert (found.glyphs, found.colours, found.graphics) == ("quadrant", "256", "cells")
    assert not may_ask_kitty(read_answers(KITTY, environment), environment)


def test_screen_has_256_colours_whatever_colorterm_says() -> None:
    environment = {"TERM": "screen.xterm-256color", "STY": "1.pts", "COLORTERM": "truecolor"}
    assert read_answers(b"\x1b[?1;2c", environment).colours == "256"


def test_linux_console_has_half_blocks() -> None:
    found = read_answers(b"", {"TERM": "linux"})
    assert (found.glyphs, found.colours) == ("half", "16")


def test_silence_leaves_what_the_environment_says() -> None:
    assert read_answers(b"", {"TERM": "xterm-256color", "COLORTERM": "truecolor"}).colours == "truecolor"
    assert read_answers(b"\x1b[", {"TERM": "xterm-256color"}) == Terminal()


def test_no_terminal_no_question(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLORTERM", "TEXTUAL_COLOR_SYSTEM", "STY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert probe() == Terminal()
    assert probe(graphics="kitty", colours="16") == Terminal(colours="16")


@pytest.mark.parametrize("override", [{"graphics": "sixel"}, {"colours": "many"}])
def test_overrides_are_checked(override: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        probe(**override)  # type: ignore[arg-type]


def test_colour_system_is_named_unless_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for colours, expected in (("truecolor", "truecolor"), ("256", "256"), ("16", "standard")):
        monkeypatch.setenv("TEXTUAL_COLOR_SYSTEM", "placeholder")  # so that it is restored afterwards
        monkeypatch.delenv("TEXTUAL_COLOR_SYSTEM")
        set_colour_system(Terminal(colours=colours))
        assert os.environ["TEXTUAL_COLOR_SYSTEM"] == expected
        set_colour_system(Terminal(colours="16"))
        assert os.environ["TEXTUAL_COLOR_SYSTEM"] == expected


PROGRAM = """
import sys
from pacs_tui.imaging.terminal import probe
found = probe(5.0)
import term_image.utils
assert not term_image.utils._queries_enabled
heavy = {"numpy", "PIL", "textual", "pydicom"} & set(sys.modules)
print("FOUND", found.name, found.cell_width, found.cell_height, found.colours, found.graphics, sorted(heavy), "END")
"""


def _play(answers: dict[bytes, bytes], environment: dict[str, str]) -> str:
    """Run the probe on a pseudo-terminal that answers each question once it has read it; what it printed."""
    master, slave = pty.openpty()
    clean = {k: v for k, v in os.environ.items() if k not in ("TMUX", "STY", "COLORTERM", "NO_COLOR")}
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        env={**clean, **environment},
    )
    os.close(slave)
    heard, deadline = b"", time.monotonic() + 60
    try:
        while b"END" not in heard and time.monotonic() < deadline:
            if select.select([master], [], [], 1.0)[0]:
                try:
                    heard += os.read(master, 65536)
                except OSError:  # the child has gone
                    break
                for question in [q for q in answers if q in heard]:
                    os.write(master, answers.pop(question))
        return heard.decode("utf-8", "replace").partition("FOUND")[2]
    finally:
        child.kill()
        child.wait()
        os.close(master)


@pytest.mark.interop
def test_probe_asks_a_terminal_and_switches_queries_off() -> None:
    answers = {b"\x1b[0m\x1b[c": KITTY, b"AAAA\x1b\\\x1b[c": b"\x1b_Gi=31;OK\x1b\\\x1b[?62c"}
    said = _play(answers, {"TERM": "xterm-kitty"})
    assert said.split() == ["kitty", "9", "18", "truecolor", "kitty", "[]", "END"], said


@pytest.mark.interop
def test_probe_under_no_color_keeps_to_cells() -> None:
    answers = {b"\x1b[0m\x1b[c": KITTY, b"AAAA\x1b\\\x1b[c": b"\x1b_Gi=31;OK\x1b\\\x1b[?62c"}
    said = _play(answers, {"TERM": "xterm-kitty", "NO_COLOR": "1"})
    assert said.split()[4] == "cells", said


@pytest.mark.interop
def test_probe_asks_xterm_js_no_kitty_question() -> None:
    answers = {b"\x1b[0m\x1b[c": b"\x1bP>|xterm.js(6.1)\x1b\\\x1b[?62;4;9;22c"}
    said = _play(answers, {"TERM": "xterm-256color", "COLORTERM": "truecolor"})
    assert said.split()[3:5] == ["truecolor", "cells"], said
