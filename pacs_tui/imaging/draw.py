"""A frame on a canvas: shrink, letterbox, cells, and pixels where the terminal has them."""

from __future__ import annotations

import numpy as np
from PIL import Image

from pacs_tui.errors import PictureError
from pacs_tui.imaging.cells import PATTERNS, Pixels, draw_cells
from pacs_tui.imaging.frame import Frame
from pacs_tui.imaging.terminal import COLOURS, sane_cell
from pacs_tui.model.picture import Canvas, Picture

_MOST_COLUMNS, _MOST_ROWS = 1000, 500


def check(canvas: Canvas) -> None:
    """PictureError for a canvas that no terminal has."""
    possible = (
        1 <= canvas.columns <= _MOST_COLUMNS
        and 1 <= canvas.rows <= _MOST_ROWS
        and sane_cell(canvas.cell_width, canvas.cell_height)
        and canvas.glyphs in PATTERNS
        and canvas.colours in COLOURS[1:]
    )
    if not possible:
        raise PictureError("There is no room for a picture here.")


def room(canvas: Canvas) -> tuple[int, int]:
    """Width and height in pixels beyond which detail is lost on this canvas."""
    if canvas.graphics == "kitty":
        return canvas.columns * canvas.cell_width, canvas.rows * canvas.cell_height
    pattern = PATTERNS[canvas.glyphs]
    return canvas.columns * pattern.across, canvas.rows * pattern.down


def draw(frame: Frame, canvas: Canvas) -> Picture:
    """The frame, letterboxed in black on all of the canvas."""
    pattern = PATTERNS[canvas.glyphs]
    width, height = canvas.columns * canvas.cell_width, canvas.rows * canvas.cell_height
    across, down = canvas.columns * pattern.across, canvas.rows * pattern.down
    dots = letterbox(frame.pixels, frame.aspect, (across, down), (width / across, height / down))
    glyphs, foreground, background = draw_cells(dots, canvas.glyphs, canvas.colours)
    return Picture(
        columns=canvas.columns,
        rows=canvas.rows,
        glyphs=glyphs,
        foreground=foreground,
        background=background,
        payload=_payload(frame, canvas, width, height) if canvas.graphics == "kitty" else "",
        caption=frame.caption,
        note=frame.note,
    )


def letterbox(pixels: Pixels, aspect: float, grid: tuple[int, int], dot: tuple[float, float]) -> Pixels:
    """The image scaled into the middle of a black grid (columns, rows) of dots of that width and height."""
    high, wide = pixels.shape[:2]
    scale = min(grid[0] * dot[0] / wide, grid[1] * dot[1] / (high * aspect))
    width = min(grid[0], max(1, round(wide * scale / dot[0])))
    height = min(grid[1], max(1, round(high * aspect * scale / dot[1])))
    # Areas are averaged when shrinking, so that no thin line falls between the dots.
    method = Image.Resampling.BOX if width < wide or height < high else Image.Resampling.BILINEAR
    small = np.asarray(Image.fromarray(pixels).resize((width, height), method))
    out = np.zeros((grid[1], grid[0], *pixels.shape[2:]), np.uint8)
    left, top = (grid[0] - width) // 2, (grid[1] - height) // 2
    out[top : top + height, left : left + width] = small
    return out


def _payload(frame: Frame, canvas: Canvas, width: int, height: int) -> str:
    from pacs_tui.imaging import kitty

    # No more pixels than the file holds: the terminal enlarges them, the line need not carry them.
    high, wide = frame.pixels.shape[:2]
    enlarged = max(1.0, min(width / wide, height / (high * frame.aspect)) * min(1.0, frame.aspect))
    grid = max(1, round(width / enlarged)), max(1, round(height / enlarged))
    dots = letterbox(frame.pixels, frame.aspect, grid, (width / grid[0], height / grid[1]))
    return kitty.transmit(dots, canvas.columns, canvas.rows)
