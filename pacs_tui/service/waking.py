"""Waiting that a signal ends: a pipe, since locks must not be taken where a signal handler may come in between."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Iterable


class Waking:
    """Make it in the main thread; from then on every signal with a handler ends a `wait`, and so does `wake`."""

    def __init__(self) -> None:
        self._waken, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._before = signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)

    def wake(self) -> None:
        """From any thread."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake, b"\0")

    def wait(self, seconds: float, also: Iterable[int] = ()) -> list[int]:
        """The descriptors among `also` that can be read; at once after `wake` or a signal, else after the seconds."""
        poll = select.poll()
        for number in (self._waken, *also):
            poll.register(number, select.POLLIN)
        ready = [number for number, _ in poll.poll(max(0.0, seconds) * 1000)]
        if self._waken in ready:
            ready.remove(self._waken)
            with contextlib.suppress(BlockingIOError):
                while os.read(self._waken, 4096):
                    pass
        return ready

    def close(self) -> None:
        """Leave signals as they were before."""
        signal.set_wakeup_fd(self._before)
        os.close(self._wake)
        os.close(self._waken)
