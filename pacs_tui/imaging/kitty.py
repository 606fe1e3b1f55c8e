"""Pixels -> kitty graphics commands, made by term-image's encoder. Only the decoding child imports this."""

from __future__ import annotations

import term_image
from PIL import Image
from term_image.image import KittyImage

from pacs_tui.imaging.cells import Pixels

term_image.disable_queries()


class _Unscaled(KittyImage):  # type: ignore[misc]
    """Sends the pixels it was given: without a terminal to measure, term-image would shrink them to 1 x 2 a cell."""

    def _get_minimal_render_size(self, *, adjust: bool = False) -> tuple[int, int]:
        width, height = self._original_size
        return int(width), int(height)


_Unscaled.forced_support = True


def transmit(pixels: Pixels, columns: int, rows: int) -> str:
    """Commands that transmit an image to fill columns x rows cells (a=T, f=24, o=z, in chunks of 4096 bytes).

    The cursor movement and line feeds that term-image puts behind them are cut off: they would wreck a frame.
    """
    image = _Unscaled(Image.fromarray(pixels))
    image._size = (columns, rows)
    text = format(image, "1.1+Wz0m1c1")
    commands = text[: text.rindex("\x1b\\") + 2]
    if not commands.startswith("\x1b_Ga=T,"):
        raise RuntimeError("term-image renders kitty graphics in a way that is not understood")
    return commands
