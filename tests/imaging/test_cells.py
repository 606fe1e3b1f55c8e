"""Cells say what the pixels say."""

from __future__ import annotations

import numpy as np
import pytest
from rich.color import Color, ColorSystem

from pacs_tui.imaging.cells import PATTERNS, Pixels, draw_cells, quantise


def _painted(pixels: Pixels, glyphs: str, colours: str = "truecolor") -> Pixels:
    """The image that a terminal would paint: every glyph's bits in its two colours."""
    pattern = PATTERNS[glyphs]
    lines, fore, back = draw_cells(pixels, glyphs, colours)
    rows, columns = len(lines), len(lines[0])
    front = np.frombuffer(fore, np.uint8).reshape(rows, columns, 3)
    behind = np.frombuffer(back, np.uint8).reshape(rows, columns, 3)
    out = np.zeros((rows * pattern.down, columns * pattern.across, 3), np.uint8)
    for y, line in enumerate(lines):
        for x, glyph in enumerate(line):
            mask = pattern.glyphs.index(glyph)
            for bit in range(pattern.across * pattern.down):
                at = y * pattern.down + bit // pattern.across, x * pattern.across + bit % pattern.across
                out[at] = front[y, x] if mask >> bit & 1 else behind[y, x]
    return out


@pytest.mark.parametrize("glyphs", list(PATTERNS))
def test_two_tone_cells_are_drawn_exactly(glyphs: str) -> None:
    pattern = PATTERNS[glyphs]
    random = np.random.default_rng(7)
    bits = random.integers(0, 2, (6 * pattern.down, 9 * pattern.across), dtype=np.uint8)
    painted = _painted(bits * np.uint8(255), glyphs)
    assert (painted[..., 0] == bits * 255).all()


@pytest.mark.parametrize("glyphs", ["quadrant", "sextant"])
def test_colours_are_drawn(glyphs: str) -> None:
    pattern = PATTERNS[glyphs]
    pixels = np.zeros((2 * pattern.down, 2 * pattern.across, 3), np.uint8)
    pixels[:, : pattern.across] = (255, 0, 0)
    pixels[: pattern.down, pattern.across :] = (0, 0, 255)
    assert (_painted(pixels, glyphs) == pixels).all()


def test_finer_patterns_come_nearer() -> None:
    ramp = np.add.outer(np.arange(48), np.arange(48)).astype(np.uint8) * 2
    errors = [float(np.abs(_painted(ramp, g)[..., 0].astype(int) - ramp).mean()) for g in PATTERNS]
    assert errors[0] < 4
    assert max(errors) < 8


def test_one_colour_is_a_blank() -> None:
    lines, fore, back = draw_cells(np.full((8, 8), 100, np.uint8), "quadrant", "truecolor")
    assert lines == (" " * 4,) * 4
    assert fore == back


def test_greys_of_256_colours_are_26_and_survive_rich() -> None:
    greys = quantise(np.arange(256, dtype=np.float32)[:, None], "256")
    numbers = {Color.from_rgb(*(int(v) for v in rgb)).downgrade(ColorSystem.EIGHT_BIT).number for rgb in greys}
    assert numbers == {16, 231, *range(232, 256)}
    assert np.abs(greys[:, 0].astype(int) - np.arange(256)).max() <= 6


def test_greys_of_16_colours_survive_rich() -> None:
    greys = quantise(np.arange(256, dtype=np.float32)[:, None], "16")
    numbers = {Color.from_rgb(*(int(v) for v in rgb)).downgrade(ColorSystem.STANDARD).number for rgb in greys}
    assert numbers == {0, 8, 7, 15}


def test_truecolour_has_64_greys() -> None:
    greys = quantise(np.arange(256, dtype=np.float32)[:, None], "truecolor")
    assert len(np.unique(greys)) == 64
    assert {0, 255} <= set(greys[:, 0].tolist())
