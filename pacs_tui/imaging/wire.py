"""What goes through the pipes between the decoder and its child: a JSON head and the blobs it announces.

A message is two lengths (head and blobs, big-endian 32 bits), the head, the blobs. Nothing of it is executed, so a
child that a broken file has taken over can lie about a picture and do no more.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from typing import Any

from msgspec.structs import asdict

from pacs_tui.errors import PictureError
from pacs_tui.model.picture import Canvas, Picture

LARGEST = 64 << 20
"""Bytes of one message."""

_LENGTHS = struct.Struct(">II")
_GRAPHICS = re.compile(rb"(?:\x1b_G[a-zA-Z0-9=,]{1,200};[A-Za-z0-9+/=]{0,4096}\x1b\\)*")

Head = dict[str, Any]


def pack(head: Head, blobs: bytes = b"") -> bytes:
    """One message."""
    text = json.dumps(head).encode("ascii")
    return _LENGTHS.pack(len(text), len(blobs)) + text + blobs


def unpack(read: Callable[[int], bytes]) -> tuple[Head, bytes]:
    """The next message from a reader of exactly n bytes; PictureError where it is none."""
    head_length, blobs_length = _LENGTHS.unpack(read(_LENGTHS.size))
    if head_length + blobs_length > LARGEST:
        raise PictureError("The image decoder answered nonsense.")
    try:
        head = json.loads(read(head_length))
    except ValueError as error:
        raise PictureError("The image decoder answered nonsense.") from error
    if not isinstance(head, dict):
        raise PictureError("The image decoder answered nonsense.")
    return head, read(blobs_length)


def pack_request(path: str, canvas: Canvas, frame: int | None, seconds: float) -> bytes:
    """A drawing order; the child ends itself should it work longer than `seconds`."""
    return pack({"path": path, "canvas": asdict(canvas), "frame": frame, "seconds": seconds})


def pack_picture(picture: Picture) -> bytes:
    """A picture as an answer."""
    head = {
        "columns": picture.columns,
        "rows": picture.rows,
        "glyphs": picture.glyphs,
        "caption": picture.caption,
        "note": picture.note,
    }
    return pack(head, picture.foreground + picture.background + picture.payload.encode("ascii"))


def read_picture(head: Head, blobs: bytes, canvas: Canvas) -> Picture:
    """The picture of an answer, checked against the canvas it was asked for; PictureError with the child's sentence."""
    if "error" in head:
        raise PictureError(line(head["error"]))
    size = 3 * canvas.columns * canvas.rows
    glyphs = head.get("glyphs")
    sound = (
        isinstance(glyphs, list)
        and len(glyphs) == canvas.rows
        and all(isinstance(line, str) and len(line) == canvas.columns and line.isprintable() for line in glyphs)
        and len(blobs) >= 2 * size
        and _GRAPHICS.fullmatch(blobs, 2 * size) is not None  # it is written to the terminal as it is
    )
    if not sound:
        raise PictureError("The image decoder answered nonsense.")
    return Picture(
        columns=canvas.columns,
        rows=canvas.rows,
        glyphs=tuple(glyphs or ()),
        foreground=blobs[:size],
        background=blobs[size : 2 * size],
        payload=blobs[2 * size :].decode("ascii"),
        caption=line(head.get("caption", "")),
        note=line(head.get("note", "")),
    )


def line(text: object) -> str:
    """One printable line of what a file may have worded."""
    return "".join(c if c.isprintable() else " " for c in str(text)[:500])
