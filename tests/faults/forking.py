"""Servers forked by the zygote (zygote.py): one at a time, killed and replaced a thousand times."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_SECONDS = 40.0
"""The longest a server may take to start or end."""


@dataclass
class Zygote:
    """The process that forks them, and the port that all of them listen on."""

    port: int
    _control: socket.socket
    _child: int = 0
    _ready: int = -1

    def fork(self, home: Path, fault: Sequence[str | int] | None = None) -> None:
        """Start a server for this home; `fault` is what `zygote.meet` takes."""
        self._ready, writing = os.pipe()
        log = os.open(home / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            order = json.dumps({"home": str(home), "fault": fault})
            socket.send_fds(self._control, [order.encode()], [writing, log])
        finally:
            os.close(writing)
            os.close(log)
        self._child = int(self._control.recv(64))

    def ready(self) -> bool:
        """Wait until it answers; False when it ended before."""
        return bool(os.read(self._ready, 4096))

    def wait(self, seconds: float) -> None:
        """Let it do what it does for so long; returns at once when it ends."""
        select.select([self._control], [], [], seconds)

    def kill(self) -> int:
        """SIGKILL to the server and all it started; how it ended."""
        for kill in (os.killpg, os.kill):
            # in its first moments it has no group of its own yet; ended by itself, it waits for `reap` as a zombie
            with suppress(ProcessLookupError):
                kill(self._child, signal.SIGKILL)
        return self.reap()

    def terminate(self) -> int:
        """SIGTERM to the server; how it ended."""
        os.kill(self._child, signal.SIGTERM)
        return self.reap()

    def reap(self) -> int:
        """Wait for the end of the server: its exit code, or the number of its signal below zero."""
        os.close(self._ready)
        code = int(self._control.recv(64))
        self._child, self._ready = 0, -1
        return code

    def clear(self) -> None:
        """Leave no server running."""
        if self._child:
            self.kill()

    def close(self) -> None:
        """Leave nothing running."""
        self.clear()
        self._control.close()


@contextmanager
def zygote() -> Iterator[Zygote]:
    """One for the length of the block."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(_SECONDS)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.zygote", str(theirs.fileno())], pass_fds=[theirs.fileno()],
            stdin=subprocess.PIPE, cwd=Path(__file__).parents[2],
        )  # fmt: skip
    made: Zygote | None = None
    try:
        said = ours.recv(64)
        assert said, "the zygote did not start"
        made = Zygote(int(said), ours)
        yield made
    finally:
        if made:
            made.close()
        ours.close()
        process.communicate(timeout=20)
