"""Pictures on their way to a terminal, and what the terminal can draw."""

from __future__ import annotations

from msgspec import Struct


class Terminal(Struct, frozen=True):
    """What the terminal can draw, found by one probe before the app starts (imaging/terminal.py)."""

    name: str = ""
    cell_width: int = 10
    """Pixels."""
    cell_height: int = 20
    glyphs: str = "quadrant"
    """half, quadrant or sextant: the finest cell pattern its font draws truly."""
    colours: str = "256"
    """truecolor, 256 or 16."""
    graphics: str = "cells"
    """kitty where pixels can be placed, else cells."""


class Canvas(Struct, frozen=True):
    """The room a picture has to fill."""

    columns: int
    rows: int
    cell_width: int
    cell_height: int
    glyphs: str
    colours: str
    graphics: str


class Picture(Struct, frozen=True):
    """One frame, drawn for one canvas.

    Cells are `rows` strings of `columns` glyphs with one foreground and one background colour each, as 3 bytes R G B
    per cell, row by row: 3 * columns * rows bytes. They hold only colours the canvas has: in 256 colours 26
    greys 10.2 apart and the 6 x 6 x 6 cube of the xterm palette, in 16 colours the greys 0, 85, 170 and 255.
    """

    columns: int
    rows: int
    glyphs: tuple[str, ...]
    foreground: bytes
    background: bytes
    payload: str = ""
    """kitty graphics commands that transmit the whole canvas, letterboxed like the cells; empty for cells only.

    The first command is a=T without an id: who shows it gives it one (tui/graphics.py).
    """
    caption: str = ""
    """For the line below: window, size, frame ("W 400 L 40   512x512   1/30")."""
    note: str = ""
    """A sentence where the picture is not what the file promised (a window of our own making)."""
