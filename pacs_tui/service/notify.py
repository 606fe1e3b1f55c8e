"""What we tell systemd: ready, reloading, stopping, alive (sd_notify(3)); silence where it does not listen."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping

_log = logging.getLogger(__name__)


class Notifier:
    """The datagram socket named by NOTIFY_SOCKET. Nothing it does ever fails the caller."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        name = environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{name[1:]}" if name.startswith("@") else name
        self.interval = _interval(environ)
        """Seconds between two `alive`: half of what systemd waits; 0.0 where it does not watch."""

    def ready(self, status: str = "") -> None:
        self._send("READY=1", f"STATUS={status}" if status else "")

    def reloading(self) -> None:
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        self._send("STOPPING=1", "STATUS=Stopping: open associations may end.")

    def alive(self) -> None:
        if self.interval:
            self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """A line that `systemctl status` shows."""
        self._send(f"STATUS={text}")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        message = "\n".join(line for line in lines if line)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                # a service manager that does not read must not stop us
                sock.setblocking(False)
                sock.sendto(message.encode(), self._address)
        except OSError as error:
            _log.warning("the service manager cannot be told %r: %s", message, error)


def _interval(environ: Mapping[str, str]) -> float:
    """Half of WATCHDOG_USEC, where it is meant for this process (sd_watchdog_enabled(3))."""
    usec, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not (usec.isascii() and usec.isdigit()) or (pid and pid != str(os.getpid())):
        return 0.0
    return int(usec) / 2_000_000
