"""The transcoding child: reads orders from stdin, writes Part 10 files, ends when its parent does.

`python -m pacs_tui.imaging.transcode_child MEGABYTES`. An instance takes two orders: `path` answers how large the new
file will be, `write` makes it, so that the parent can wait for room between the two.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pacs_tui.errors import PictureError
from pacs_tui.imaging import wire
from pacs_tui.imaging.child import serve

if TYPE_CHECKING:
    from pacs_tui.imaging.transcode_file import Plan


class _Transcoding:
    """One instance at a time, between its two orders."""

    def __init__(self, plan: Callable[[Path, str, str, str, ExitStack], Plan]) -> None:
        self._plan = plan
        self._open = ExitStack()
        self._planned: Plan | None = None

    def answer(self, order: wire.Head) -> bytes:
        with _sentences():
            if "write" in order:
                return wire.pack({"written": self._write(Path(order["write"]))})
            self._open.close()
            self._planned = self._plan(
                Path(order["path"]), order["sop_class"], order["sop_instance"], order["syntax"], self._open
            )
            return wire.pack({"size": self._planned.size})

    def _write(self, path: Path) -> int:
        planned, self._planned = self._planned, None
        size = 0
        with self._open:
            assert planned is not None
            with path.open("xb") as file:
                for piece in planned.pieces:
                    size += file.write(piece)
                    if size > planned.size:
                        raise PictureError("The file becomes larger than was announced.")
        return size


@contextmanager
def _sentences() -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except OSError as error:
        raise PictureError(f"The file cannot be read or written: {error.strerror or error}.") from error
    except (
        ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, NotImplementedError,
        RuntimeError, SyntaxError, TypeError, ValueError, struct.error, zlib.error,
    ) as error:  # fmt: skip
        # What pydicom and its plugins raise for broken files is not documented; this is the border.
        # Of several plugins the last line tells what the last one said.
        reason = (str(error).strip() or type(error).__name__).splitlines()[-1].strip()[:200].rstrip(".")
        raise PictureError(f"Its pixels cannot be decoded: {reason}.") from error


def _transcoding() -> Callable[[wire.Head], bytes]:
    from pydicom.pixels import get_decoder
    from pydicom.uid import JPEG2000Lossless

    from pacs_tui.imaging.transcode_file import plan

    get_decoder(JPEG2000Lossless)
    return _Transcoding(plan).answer


if __name__ == "__main__":
    serve(_transcoding)
