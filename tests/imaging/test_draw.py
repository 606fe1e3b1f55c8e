"""A frame fills its canvas in its true proportions, as cells and as kitty commands."""

from __future__ import annotations

import base64
import re
import warnings
import zlib

import numpy as np
import pytest
from msgspec.structs import replace

from pacs_tui.errors import PictureError
from pacs_tui.imaging import draw, wire
from pacs_tui.imaging.cells import Pixels
from pacs_tui.imaging.frame import Frame
from pacs_tui.model.picture import Canvas

CANVAS = Canvas(40, 12, 10, 20, "quadrant", "truecolor", "cells")


def _white(high: int, wide: int) -> Pixels:
    return np.full((high, wide), 255, np.uint8)


def _extent(dots: Pixels) -> tuple[int, int]:
    lit = dots > 0
    return int(lit.any(axis=0).sum()), int(lit.any(axis=1).sum())


@pytest.mark.parametrize(
    ("high", "wide", "aspect", "extent"),
    [
        (100, 100, 1.0, (48, 24)),  # 240 pixels of 400 across: 48 of 80 dots
        (10, 400, 1.0, (80, 1)),
        (400, 10, 1.0, (1, 24)),
        (100, 100, 2.0, (24, 24)),
        (100, 100, 0.5, (80, 20)),
        (1, 1, 1.0, (48, 24)),
    ],
)
def test_proportions_are_kept(high: int, wide: int, aspect: float, extent: tuple[int, int]) -> None:
    dots = draw.letterbox(_white(high, wide), aspect, (80, 24), (5.0, 10.0))
    assert dots.shape == (24, 80)
    assert _extent(dots) == extent


def test_a_thin_line_survives_the_shrinking() -> None:
    pixels = np.zeros((1000, 1000), np.uint8)
    pixels[:, 501] = 255
    assert _extent(draw.letterbox(pixels, 1.0, (80, 24), (5.0, 10.0)))[1] == 24


@pytest.mark.parametrize("shape", [(64, 48), (64, 48, 3), (1, 3000), (3000, 1, 3)])
@pytest.mark.parametrize("glyphs", ["half", "quadrant", "sextant"])
@pytest.mark.parametrize("colours", ["truecolor", "256", "16"])
def test_a_picture_fills_its_canvas(shape: tuple[int, ...], glyphs: str, colours: str) -> None:
    frame = Frame(np.full(shape, 200, np.uint8), 1.0, "caption", "note")
    canvas = replace(CANVAS, glyphs=glyphs, colours=colours)
    picture = draw.draw(frame, canvas)
    assert (len(picture.glyphs), {len(line) for line in picture.glyphs}) == (12, {40})
    assert len(picture.foreground) == len(picture.background) == 3 * 40 * 12
    assert (picture.caption, picture.note, picture.payload) == ("caption", "note", "")
    assert max(picture.background) > 150 or max(picture.foreground) > 150


def _kitty(frame: Frame, canvas: Canvas) -> tuple[dict[str, str], np.ndarray]:
    """Keys of the first command and the pixels that all of them carry."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # term-image warns that there is no terminal
        payload = draw.draw(frame, replace(canvas, graphics="kitty")).payload
    commands = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", payload)
    assert "".join(f"\x1b_G{keys};{data}\x1b\\" for keys, data in commands) == payload
    assert [keys[-3:] for keys, _ in commands] == ["m=1"] * (len(commands) - 1) + ["m=0"]
    keys = dict(pair.split("=") for pair in commands[0][0].split(","))
    raw = zlib.decompress(base64.b64decode("".join(data for _, data in commands)))
    return keys, np.frombuffer(raw, np.uint8).reshape(int(keys["v"]), int(keys["s"]), 3)


def test_kitty_gets_every_pixel_it_can_show() -> None:
    random = np.random.default_rng(3)
    frame = Frame(random.integers(0, 256, (480, 800), dtype=np.uint8), 1.0, "")
    keys, pixels = _kitty(frame, CANVAS)
    assert (keys["a"], keys["f"], keys["c"], keys["r"]) == ("T", "24", "40", "12")
    assert pixels.shape == (240, 400, 3)
    expected = frame.pixels.reshape(240, 2, 400, 2).mean(axis=(1, 3))
    assert np.abs(pixels[..., 0].astype(float) - expected).max() <= 1


def test_kitty_gets_small_images_small() -> None:
    frame = Frame(np.full((24, 40, 3), (250, 10, 10), np.uint8), 1.0, "")
    _, pixels = _kitty(frame, CANVAS)
    assert pixels.shape == (24, 40, 3)
    assert (pixels == frame.pixels).all()


@pytest.mark.parametrize(
    "change", [{"columns": 0}, {"rows": 501}, {"cell_width": 0}, {"glyphs": "braille"}, {"colours": "auto"}]
)
def test_impossible_canvases_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(PictureError):
        draw.check(replace(CANVAS, **change))


def _answer(**change: object) -> tuple[wire.Head, bytes]:
    picture = draw.draw(Frame(_white(8, 8), 1.0, "W 1 L 2"), CANVAS)
    data = wire.pack_picture(replace(picture, **change))
    position = 0

    def read(count: int) -> bytes:
        nonlocal position
        position += count
        return data[position - count : position]

    return wire.unpack(read)


def test_a_picture_survives_the_pipe() -> None:
    payload = "\x1b_Ga=T,f=24,s=1,v=1;AAAA\x1b\\"
    picture = wire.read_picture(*_answer(payload=payload), CANVAS)
    assert picture == replace(draw.draw(Frame(_white(8, 8), 1.0, "W 1 L 2"), CANVAS), payload=payload)


@pytest.mark.parametrize(
    "change",
    [
        {"glyphs": ("x" * 40,) * 11},
        {"glyphs": ("\x1b" + "x" * 39,) * 12},
        {"background": b""},
        {"payload": "\x1b]0;evil\x07"},
        {"payload": "\x1b_Ga=T;AAAA\x1b\\ls\n"},
    ],
)
def test_nothing_but_a_picture_passes(change: dict[str, object]) -> None:
    with pytest.raises(PictureError, match="nonsense"):
        wire.read_picture(*_answer(**change), CANVAS)


def test_sentences_are_made_printable() -> None:
    picture = wire.read_picture(*_answer(caption="a\x1b[2Jb"), CANVAS)
    assert picture.caption == "a [2Jb"
    with pytest.raises(PictureError, match=r"^a b$"):
        wire.read_picture({"error": "a\nb"}, b"", CANVAS)


def test_absurd_lengths_are_not_read() -> None:
    with pytest.raises(PictureError, match="nonsense"):
        wire.unpack(lambda count: b"\xff" * count)
