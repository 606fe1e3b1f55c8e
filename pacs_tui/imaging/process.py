"""A child process that works on what may break it: started, asked within a time, killed."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from pacs_tui.errors import PictureError
from pacs_tui.imaging import wire

_PACKAGES = Path(__file__).resolve().parents[2]
_START_SECONDS = 60.0  # the child's imports, on a machine that is busy


class Broken(Exception):
    """The child cannot be used any more; the sentence is for the user."""


class Child:
    """The process and its two pipes; used by one thread at a time."""

    def __init__(self, module: str, name: str, megabytes: int) -> None:
        """Start `python -m module MEGABYTES`; `name` begins the sentences about it. PictureError where that fails."""
        self._name = name
        path = os.pathsep.join(filter(None, (str(_PACKAGES), os.environ.get("PYTHONPATH"))))
        try:
            self.process = subprocess.Popen(
                # -P: the folder the user stands in is no place to import from.
                [sys.executable, "-P", "-m", module, str(megabytes)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # a Ctrl-C is for the console
                env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            )
        except OSError as error:
            raise PictureError(f"{name} cannot be started: {error.strerror}.") from error
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._orders, self._answers = self.process.stdin, self.process.stdout
        self._ready = False

    def ask(self, order: bytes, seconds: float) -> tuple[wire.Head, bytes]:
        """Send an order and return the answer, or raise Broken."""
        if not self._ready:
            self._answer(_START_SECONDS, "did not start")
            self._ready = True
        try:
            self._orders.write(order)
            self._orders.flush()
        except OSError as error:
            raise Broken(self._obituary()) from error
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
                    raise Broken(f"{self._name} {failing}.")
                piece = os.read(descriptor, min(count - len(parts), 1 << 20))
                if not piece:
                    raise Broken(self._obituary())
                parts += piece
            return bytes(parts)

        try:
            descriptor = self._answers.fileno()
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            return wire.unpack(read)
        except PictureError as error:
            raise Broken(str(error)) from error
        except (OSError, ValueError) as error:  # closed by another thread
            raise Broken(self._obituary()) from error

    def _obituary(self) -> str:
        """How the process ended."""
        try:
            status = self.process.wait(1.0)
        except subprocess.TimeoutExpired:
            return f"{self._name} broke off."
        if status < 0:
            names = {number.value: number.name for number in signal.Signals}
            return f"{self._name} crashed on this image ({names.get(-status, f'signal {-status}')})."
        return f"{self._name} ended without an answer."
