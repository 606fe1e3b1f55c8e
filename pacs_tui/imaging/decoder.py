"""Drawing in a child process, so that broken files, bombs and native crashes cost a sentence and not the console.

pydicom's decoders hold the interpreter lock for a whole frame and print to fd 2, which is the console's screen; a
thread would freeze and deface it. This module imports none of them.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from pacs_tui.errors import PictureError
from pacs_tui.imaging import wire
from pacs_tui.model.picture import Canvas, Picture

_PACKAGES = Path(__file__).resolve().parents[2]
_START_SECONDS = 60.0  # the child's imports, on a machine that is busy


class Decoder:
    """One child process that draws, replaced whenever it fails. Thread-safe: one picture at a time, others wait."""

    def __init__(self, megabytes: int = 2048, seconds: float = 10.0) -> None:
        """Limits of the child: address space, and wall time for one picture."""
        self._megabytes = megabytes
        self._seconds = seconds
        self._turn = threading.Lock()
        self._guard = threading.Lock()
        self._child: _Child | None = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The child's process id, None while there is none."""
        child = self._child
        return child.process.pid if child is not None else None

    def warm(self) -> None:
        """Start the child now, without waiting until it is ready."""
        self._alive()

    def draw(self, path: Path, canvas: Canvas, frame: int | None = None) -> Picture:
        """The picture of a Part 10 file (`frame` from 1; None: the middle one); PictureError says why there is none."""
        with self._turn:
            child = self._alive()
            try:
                head, blobs = child.ask(wire.pack_request(str(path), canvas, frame, self._seconds), self._seconds)
                return wire.read_picture(head, blobs, canvas)
            except _Broken as broken:
                self._drop(child)
                raise PictureError("The image decoder was closed." if self._closed else str(broken)) from broken

    def close(self) -> None:
        """End the child; a picture being drawn ends with PictureError."""
        with self._guard:
            self._closed = True
            child, self._child = self._child, None
        if child is not None:
            child.kill()

    def _alive(self) -> _Child:
        """The child, started where there is none or it has died while nobody looked."""
        with self._guard:
            if self._closed:
                raise PictureError("The image decoder was closed.")
            if self._child is not None and self._child.process.poll() is not None:
                self._child.kill()
                self._child = None
            if self._child is None:
                self._child = _Child(self._megabytes)
            return self._child

    def _drop(self, child: _Child) -> None:
        child.kill()
        with self._guard:
            if self._child is child:
                self._child = None


class _Broken(Exception):
    """The child cannot be used any more; the sentence is for the user."""


class _Child:
    """The process and its two pipes."""

    def __init__(self, megabytes: int) -> None:
        path = os.pathsep.join(filter(None, (str(_PACKAGES), os.environ.get("PYTHONPATH"))))
        try:
            self.process = subprocess.Popen(
                # -P: the folder the user stands in is no place to import from.
                [sys.executable, "-P", "-m", "pacs_tui.imaging.child", str(megabytes)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # a Ctrl-C is for the console
                env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            )
        except OSError as error:
            raise PictureError(f"The image decoder cannot be started: {error.strerror}.") from error
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._orders, self._answers = self.process.stdin, self.process.stdout
        self._ready = False

    def ask(self, order: bytes, seconds: float) -> tuple[wire.Head, bytes]:
        """Send an order and return the answer, or raise _Broken."""
        if not self._ready:
            self._answer(_START_SECONDS, "did not start")
            self._ready = True
        try:
            self._orders.write(order)
            self._orders.flush()
        except OSError as error:
            raise _Broken(self._obituary()) from error
        return self._answer(seconds, f"took more than {seconds:g} s over this image and was stopped")

    def kill(self) -> None:
        """End the process and give its pipes back."""
        self.process.kill()
        self.process.wait()
        for pipe in (self._orders, self._answers):
            try:
                pipe.close()
            except OSError:  # an order it never took
                pass

    def _answer(self, seconds: float, failing: str) -> tuple[wire.Head, bytes]:
        deadline = time.monotonic() + seconds

        def read(count: int) -> bytes:
            parts = bytearray()
            while len(parts) < count:
                left = deadline - time.monotonic()
                if left <= 0 or not poll.poll(left * 1000):
                    raise _Broken(f"The image decoder {failing}.")
                piece = os.read(descriptor, min(count - len(parts), 1 << 20))
                if not piece:
                    raise _Broken(self._obituary())
                parts += piece
            return bytes(parts)

        try:
            descriptor = self._answers.fileno()
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            return wire.unpack(read)
        except PictureError as error:
            raise _Broken(str(error)) from error
        except (OSError, ValueError) as error:  # closed by another thread
            raise _Broken(self._obituary()) from error

    def _obituary(self) -> str:
        """How the process ended."""
        try:
            status = self.process.wait(1.0)
        except subprocess.TimeoutExpired:
            return "The image decoder broke off."
        if status < 0:
            names = {number.value: number.name for number in signal.Signals}
            return f"The image decoder crashed on this image ({names.get(-status, f'signal {-status}')})."
        return "The image decoder ended without an answer."
