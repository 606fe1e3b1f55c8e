"""The decoding child: reads orders from stdin, writes pictures to stdout, ends when its parent does.

`python -m pacs_tui.imaging.child MEGABYTES`. It owns no terminal; whatever native libraries print goes nowhere.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from pacs_tui.errors import PictureError
from pacs_tui.imaging import wire
from pacs_tui.model.picture import Canvas


def main() -> None:
    """Draw until stdin ends."""
    serve(_drawing)


def _drawing() -> Callable[[wire.Head], bytes]:
    from pacs_tui.imaging import draw, frame  # the imports are the slow part of a start

    _load_plugins()

    def answer(order: wire.Head) -> bytes:
        canvas = Canvas(**order["canvas"])
        draw.check(canvas)
        read = frame.read_frame(Path(order["path"]), order["frame"], draw.room(canvas))
        return wire.pack_picture(draw.draw(read, canvas))

    return answer


def serve(prepare: Callable[[], Callable[[wire.Head], bytes]]) -> None:
    """Answer orders until stdin ends, within the memory that the command line allows.

    `prepare` does the imports and returns what answers one order; PictureError becomes an answer too.
    """
    answers = _private_output()
    megabytes = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
    answer_to = prepare()
    _send(answers, wire.pack({"ready": True}))
    while (order := _next_order(sys.stdin.buffer)) is not None:
        # SIGALRM's default action ends even a native loop; the parent is gone or about to kill us anyway.
        signal.setitimer(signal.ITIMER_REAL, float(order["seconds"]) + 1.0)
        try:
            answer = answer_to(order)
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
