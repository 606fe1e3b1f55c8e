"""What the terminal can draw: one batched question, asked before textual is imported.

Once the app runs, its input thread owns the terminal, and a late answer would arrive as key presses; so term-image's
queries are switched off when the probe ends. term-image is used here for nothing but that question.
"""

from __future__ import annotations

import os
import re
import struct
import sys
from collections.abc import Mapping

from msgspec.structs import replace

from pacs_tui.errors import UsageError
from pacs_tui.model.picture import Terminal

_DA1 = re.compile(rb"\x1b\[\?[\d;]*c")
_VERSION = re.compile(rb"\x1bP>\|([\w.-]+)")
_CELL = re.compile(rb"\x1b\[6;(\d{1,4});(\d{1,4})t")
_AREA = re.compile(rb"\x1b\[4;(\d{1,6});(\d{1,6})t")
_SGR = re.compile(rb"48[:;]2[:;]+1[:;]2[:;]3")

_TRUECOLOR = frozenset({"kitty", "konsole", "iterm2", "wezterm", "ghostty", "foot", "vte", "contour", "rio"})
_SEXTANT = frozenset({"kitty", "konsole", "wezterm", "ghostty", "foot", "vte"})
# Not whoever answers the kitty question: xterm.js says OK and then loses placements.
_KITTY = frozenset({"kitty", "konsole", "ghostty"})
_PLAIN = ("linux", "vt", "ansi", "dumb", "cons", "sun")

_XTVERSION, _DA3, _CELL_SIZE, _AREA_SIZE, _ASK_DA1 = b"\x1b[>q", b"\x1b[=c", b"\x1b[16t", b"\x1b[14t", b"\x1b[c"
_DECRQSS = b"\x1b[48;2;1;2;3m\x1bP$qm\x1b\\\x1b[0m"
_KITTY_QUERY = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"

GRAPHICS = ("auto", "kitty", "cells")
COLOURS = ("auto", "truecolor", "256", "16")


def probe(timeout: float = 0.5, *, graphics: str = "auto", colours: str = "auto") -> Terminal:
    """Ask the terminal what it can draw; at most `timeout` seconds a question, two questions.

    `graphics` (auto, kitty, cells) and `colours` (auto, truecolor, 256, 16) override what is found; UsageError for
    other words. Without a terminal on stdin and stdout nothing is asked. NO_COLOR keeps pixels off, because Textual
    turns cells grey under it and cannot do so with pixels.
    """
    if graphics not in GRAPHICS:
        raise UsageError(f"graphics {graphics!r}: use {', '.join(GRAPHICS)}.")
    if colours not in COLOURS:
        raise UsageError(f"colours {colours!r}: use {', '.join(COLOURS)}.")
    is_terminal = _on_a_terminal()
    found = _probe_terminal(timeout, graphics) if is_terminal else _unasked(os.environ)
    if graphics != "auto" and is_terminal:
        found = replace(found, graphics=graphics)
    if os.environ.get("NO_COLOR"):
        found = replace(found, graphics="cells")
    return found if colours == "auto" else replace(found, colours=colours)


def set_colour_system(terminal: Terminal) -> None:
    """Tell Textual the colours the terminal has, unless TEXTUAL_COLOR_SYSTEM is set; before textual is imported."""
    os.environ.setdefault("TEXTUAL_COLOR_SYSTEM", "standard" if terminal.colours == "16" else terminal.colours)


def read_answers(
    reply: bytes, environment: Mapping[str, str], window: tuple[int, int, int, int] = (0, 0, 0, 0)
) -> Terminal:
    """The Terminal a batched reply describes; `window` is TIOCGWINSZ: rows, columns, width and height in pixels.

    `graphics` stays "cells": pixels take one more question (`may_ask_kitty`).
    """
    if not _DA1.search(reply):
        return _unasked(environment)
    name = ""
    if match := _VERSION.search(reply):
        name = match[1].decode("ascii", "replace").lower()
    elif b"!|7E565445" in reply:
        name = "vte"  # GNOME Terminal before it knew XTVERSION
    cell = _cell_size(reply, window)
    return Terminal(
        name=name,
        cell_width=cell[0],
        cell_height=cell[1],
        glyphs=_glyphs(name, environment),
        colours=_colours(name, reply, environment),
    )


def may_ask_kitty(terminal: Terminal, environment: Mapping[str, str]) -> bool:
    """True for terminals that are known to place kitty pixels; never inside tmux or screen, which lose them."""
    return terminal.name in _KITTY and not _multiplexed(terminal.name, environment)


def _on_a_terminal() -> bool:
    streams = (sys.__stdin__, sys.__stdout__)
    try:
        return all(stream is not None and stream.isatty() for stream in streams)
    except ValueError:  # closed
        return False


def _probe_terminal(timeout: float, graphics: str) -> Terminal:
    environment = os.environ
    if environment.get("TERM", "").startswith(_PLAIN):
        return _unasked(environment)  # they print questions they do not know
    import term_image
    from term_image import utils

    def ask(question: bytes) -> bytes:
        # Every terminal answers DA1, so it marks the end of the answers.
        answer = utils.query_terminal(question + _ASK_DA1, lambda so_far: not _DA1.search(bytes(so_far)), timeout)
        return bytes(answer or b"")

    try:
        question = _XTVERSION + _DA3 + _CELL_SIZE + _AREA_SIZE
        if not _in_screen(environment):  # screen hands the inside of a DCS to the outer terminal as text
            question += _DECRQSS
        terminal = read_answers(ask(question), environment, _window_size())
        if graphics == "auto" and may_ask_kitty(terminal, environment) and b";OK" in ask(_KITTY_QUERY):
            terminal = replace(terminal, graphics="kitty")
    finally:
        term_image.disable_queries()
    return terminal


def _unasked(environment: Mapping[str, str]) -> Terminal:
    """What the environment alone says."""
    return Terminal(glyphs=_glyphs("", environment), colours=_colours("", b"", environment))


def _colours(name: str, reply: bytes, environment: Mapping[str, str]) -> str:
    if _in_screen(environment):
        return "256"
    stated = environment.get("COLORTERM", "").lower() in ("truecolor", "24bit")
    stated = stated or environment.get("TEXTUAL_COLOR_SYSTEM") == "truecolor"
    if stated or name in _TRUECOLOR or _SGR.search(reply):
        return "truecolor"
    return "16" if environment.get("TERM", "").startswith(_PLAIN) else "256"


def _glyphs(name: str, environment: Mapping[str, str]) -> str:
    if environment.get("TERM", "").startswith(_PLAIN):
        return "half"
    if name in _SEXTANT and not _multiplexed(name, environment):
        return "sextant"
    return "quadrant"


def _multiplexed(name: str, environment: Mapping[str, str]) -> bool:
    return bool(environment.get("TMUX")) or _in_screen(environment) or name in ("tmux", "screen")


def _in_screen(environment: Mapping[str, str]) -> bool:
    return not environment.get("TMUX") and (
        bool(environment.get("STY")) or environment.get("TERM", "").startswith("screen")
    )


def _cell_size(reply: bytes, window: tuple[int, int, int, int]) -> tuple[int, int]:
    """Width and height of a cell in pixels; 10 x 20 where nobody says, or what is said cannot be."""
    if match := _CELL.search(reply):
        cell = int(match[2]), int(match[1])
        if sane_cell(*cell):
            return cell
    rows, columns, width, height = window
    if not (width and height) and (match := _AREA.search(reply)):
        height, width = int(match[1]), int(match[2])
    if rows and columns:
        cell = width // columns, height // rows
        if sane_cell(*cell):  # PuTTY's pty answers with nonsense
            return cell
    default = Terminal()
    return default.cell_width, default.cell_height


def sane_cell(width: int, height: int) -> bool:
    """True where a cell of this many pixels can be read by people."""
    return 4 <= width <= 100 and 6 <= height <= 200


def _window_size() -> tuple[int, int, int, int]:
    import fcntl
    import termios

    try:
        answer = fcntl.ioctl(sys.__stdout__.fileno(), termios.TIOCGWINSZ, bytes(8))  # type: ignore[union-attr]
    except OSError:
        return 0, 0, 0, 0
    rows, columns, width, height = struct.unpack("HHHH", answer)
    return rows, columns, width, height
