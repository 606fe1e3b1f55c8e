"""Pixels -> character cells: for every cell the glyph and the two colours that come nearest.

A pattern is a bit mask over the cell's pixels, bit 0 top left, row by row. All two-tone patterns are tried and the one
with the least squared error wins; nothing is drawn that the pixels do not hold, as wedges or letters would.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
_Floats = NDArray[np.float32]

LEVELS = 64  # more greys are not told apart in cells, and overflow Rich's cache of styles


@dataclass(frozen=True, slots=True)
class Pattern:
    """A family of glyphs: `across` x `down` pixels a cell, `glyphs` indexed by bit mask."""

    across: int
    down: int
    glyphs: str


def _sextant(mask: int) -> str:
    plain = {0: " ", 21: "▌", 42: "▐", 63: "█"}
    return plain.get(mask) or chr(0x1FB00 + mask - 1 - (mask > 21) - (mask > 42))


PATTERNS = {
    "half": Pattern(1, 2, " ▀▄█"),
    "quadrant": Pattern(2, 2, " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"),
    "sextant": Pattern(2, 3, "".join(_sextant(mask) for mask in range(64))),
}


def draw_cells(pixels: Pixels, glyphs: str, colours: str) -> tuple[tuple[str, ...], bytes, bytes]:
    """Rows of glyphs, foreground and background (R G B, a cell after the other) of an image.

    `pixels` is grey (H, W) or RGB (H, W, 3), H and W whole multiples of the pattern's height and width; `glyphs` is a
    key of PATTERNS; `colours` is truecolor, 256 or 16.
    """
    pattern = PATTERNS[glyphs]
    colour = pixels[..., None] if pixels.ndim == 2 else pixels
    height, width, channels = colour.shape
    rows, columns = height // pattern.down, width // pattern.across
    blocks = colour.reshape(rows, pattern.down, columns, pattern.across, channels).transpose(0, 2, 1, 3, 4)
    flat = blocks.reshape(rows * columns, pattern.down * pattern.across, channels).astype(np.float32)
    mask, fore, back = _best(flat)
    front, behind = quantise(fore, colours), quantise(back, colours)
    mask[(front == behind).all(axis=1)] = 0  # one colour: a blank, so equal cells merge
    front[mask == 0] = behind[mask == 0]
    table = np.array(list(pattern.glyphs))
    lines = table[mask.reshape(rows, columns)]
    return tuple("".join(line) for line in lines), front.tobytes(), behind.tobytes()


def _best(flat: _Floats) -> tuple[NDArray[np.uint8], _Floats, _Floats]:
    """Mask (N), foreground and background (N, C) with the least squared error for cells of n pixels (N, n, C)."""
    count, size = flat.shape[:2]
    total = flat.sum(axis=1)
    mask = np.zeros(count, np.uint8)
    fore = total / size
    back = fore.copy()
    # Minimising the error is maximising |sum on|^2/k + |sum off|^2/(n-k): the squares of the pixels cancel out.
    gain = (total * total).sum(axis=1) / size
    for pattern in range(1, 1 << (size - 1)):  # the other half are these, inverted
        lit = [bit for bit in range(size) if pattern >> bit & 1]
        on = flat[:, lit].sum(axis=1)
        off = total - on
        here = (on * on).sum(axis=1) / len(lit) + (off * off).sum(axis=1) / (size - len(lit))
        better = here > gain + 0.5
        gain = np.where(better, here, gain)
        mask[better] = pattern
        fore[better] = on[better] / len(lit)
        back[better] = off[better] / (size - len(lit))
    return mask, fore, back


def quantise(values: _Floats, colours: str) -> Pixels:
    """(N, 1) greys or (N, 3) colours, 0 to 255, to (N, 3) colours that the terminal has."""
    levels = _GREYS[colours]
    grey = levels[np.abs(values.mean(axis=1)[:, None] - levels[None, :].astype(np.float32)).argmin(axis=1)]
    out = np.repeat(grey[:, None], 3, axis=1)
    if values.shape[1] == 3 and colours != "16":
        steps = _CUBE if colours == "256" else levels
        nearest = steps[np.abs(values[..., None] - steps[None, None, :].astype(np.float32)).argmin(axis=2)]
        coloured = np.ptp(values, axis=1) > (24 if colours == "256" else 4)
        out[coloured] = nearest[coloured]
    return out.astype(np.uint8)


_GREYS = {
    "truecolor": np.round(np.linspace(0, 255, LEVELS)).astype(np.uint8),
    # Not the palette's own values (0, 8, 18 to 238, 255) but those that Rich rounds to 16, 232 to 255 and 231.
    "256": np.round(np.arange(26) * 10.2).astype(np.uint8),
    "16": np.array([0, 85, 170, 255], np.uint8),
}
_CUBE = np.array([0, 95, 135, 175, 215, 255], np.uint8)
