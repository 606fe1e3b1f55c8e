"""A process that has imported the archive once, and forks a server of it in a few milliseconds whenever it is told to.

What it forks is `pacs-tui archive serve` in a session of its own. It can be told to meet a fault on its way: to die, or
to be told an error by the kernel, at one step of a store. Started by forking.py; not imported by any test.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from pacs_tui.cli.arguments import parse
from pacs_tui.cli.main import main as pacs_tui
from pacs_tui.service import serve as _serve  # noqa: F401  imported here so that no fork has to
from pacs_tui.settings import load
from pacs_tui.station import Station
from tests.faults import wire
from tests.faults.serving import SERVE, configure


def _answers(_sock: socket.socket, chunks: Sequence[bytes | memoryview]) -> bool:
    """True for what begins with a C-STORE-RSP; the archive also talks to itself."""
    first = bytes(chunks[0])
    return first[:1] == b"\x04" and wire.parse_command(first[12:]).get(0x0100) == b"\x01\x80"


STEPS: dict[str, tuple[Any, str]] = {
    "write": (os, "writev"),
    "sync": (os, "fdatasync"),
    "name": (os, "link"),
    "folder": (os, "fsync"),
    "commit": (Connection, "commit"),
    "forget": (os, "unlink"),
    "answer": (socket.socket, "sendmsg"),
}
"""Steps of a store, and the call that takes each."""


def meet(step: str, how: str, nth: int) -> None:
    """Let the nth such step that is not the main thread's be the last one, or fail with an error of this name; 0: all.

    `how` is `before` or `after` for a death there, `half` for one after half of the bytes, or ENOSPC, EIO, EROFS.
    """
    owner, name = STEPS[step]
    real: Callable[..., Any] = getattr(owner, name)
    lock = threading.Lock()
    left = nth

    def faulty(*args: Any, **named: Any) -> Any:
        nonlocal left
        with lock:
            counts = threading.current_thread() is not threading.main_thread() and (step != "answer" or _answers(*args))
            left -= counts
            due = counts and (left == 0 or nth == 0)
        if not due:
            return real(*args, **named)
        if how.startswith("E"):
            raise OSError(getattr(errno, how), os.strerror(getattr(errno, how)))
        if how == "half":
            whole = b"".join(args[1])
            real(args[0], [whole[: len(whole) // 2]])
        elif how == "after":
            real(*args, **named)
        return os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, faulty)


def warm() -> None:
    """Have everything imported and compiled that the first moments of a server need."""
    with tempfile.TemporaryDirectory() as folder:
        parse(SERVE)
        station = Station(load({"PACS_TUI_HOME": str(configure(Path(folder)))}))
        archive = station.archive()
        archive.open()
        archive.counts()
        archive.close()
        station.close()


def serve(home: str, fault: list[Any] | None, out: int, log: int) -> int:
    """Be the server, for no longer than somebody holds the other end of our standard input."""
    os.setsid()
    os.dup2(out, 1)
    os.dup2(log, 2)
    # made anew: the old ones know what kind of file they were
    sys.stdout, sys.stderr = (os.fdopen(os.dup(number), "w", buffering=1) for number in (1, 2))
    os.environ["PACS_TUI_HOME"] = home
    if fault:
        meet(*fault)
    return pacs_tui([*SERVE, "--tether"])


def main() -> int:
    """Orders come as JSON with two descriptors; the answers are the child's id, and how it ended."""
    control = socket.socket(fileno=int(sys.argv[1]))
    # bound and never listening: nobody else is given the port between two servers
    port = socket.socket()
    port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    port.bind(("127.0.0.1", 0))
    warm()
    gc.collect()
    gc.freeze()
    control.send(str(port.getsockname()[1]).encode())
    while True:
        order, descriptors, _, _ = socket.recv_fds(control, 1 << 16, 2)
        if not order:
            return 0
        child = os.fork()
        if not child:
            control.close()
            port.close()
            told = json.loads(order)
            return serve(told["home"], told["fault"], *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        control.send(str(child).encode())
        control.send(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())


if __name__ == "__main__":
    sys.exit(main())
