"""The decoding child: reads orders from stdin, writes pictures to stdout, ends when its parent does.

`python -m pacs_tui.imaging.child MEGABYTES`. It owns no terminal; whatever native libraries print goes nowhere.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from pathlib import Path
from typing import BinaryIO

from pacs_tui.errors import PictureError
from pacs_tui.imaging import wire
from pacs_tui.model.picture import Canvas


def main() -> None:
    """Serve orders until stdin ends."""
    answers = _private_output()
    megabytes = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
    from pacs_tui.imaging import draw, frame  # the imports are the slow part of a start

    _load_plugins()
    _send(answers, wire.pack({"ready": True}))
    while (order := _next_order(sys.stdin.buffer)) is not None:
        seconds = float(order["seconds"])
        # SIGALRM's default action ends even a native loop; the parent is gone or about to kill us anyway.
        signal.setitimer(signal.ITIMER_REAL, seconds + 1.0)
        try:
            canvas = Canvas(**order["canvas"])
            draw.check(canvas)
            read = frame.read_frame(Path(order["path"]), order["frame"], draw.room(canvas))
            answer = wire.pack_picture(draw.draw(read, canvas))
        except PictureError as error:
            answer = wire.pack({"error": str(error)})
        except MemoryError:
            answer = wire.pack({"error": f"This image does not fit into the decoder's {megabytes} MB."})
        signal.setitimer(signal.ITIMER_REAL, 0)
        _send(answers, answer)


def _private_output() -> BinaryIO:
    """The answer pipe, moved off fd 1; fds 1 and 2 then lead nowhere, since native libraries print to them."""
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return answers


def _send(answers: BinaryIO, message: bytes) -> None:
    answers.write(message)
    answers.flush()


def _next_order(orders: BinaryIO) -> wire.Head | None:
    """The next order; None once the parent has closed the pipe or died."""
    try:
        return wire.unpack(lambda count: _exactly(orders, count))[0]
    except EOFError:
        return None


def _exactly(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data


def _load_plugins() -> None:
    """Import what the first frame needs, so that it is not counted against that frame."""
    from pydicom.pixels import get_decoder
    from pydicom.uid import JPEG2000Lossless

    get_decoder(JPEG2000Lossless)


if __name__ == "__main__":
    main()
