"""Listening sockets, and the thread that accepts on them; processes may share them over a fork."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import socket
import threading
from collections.abc import Callable, Sequence

from pacs_tui.errors import StorageError

_log = logging.getLogger(__name__)
_BACKLOG = 128
_PAUSE = 0.1


def listening(addresses: Sequence[tuple[str, int]]) -> list[socket.socket]:
    """Sockets bound to every address and listening, port 0 chosen by the kernel; or StorageError.

    A supervisor calls this once and hands the sockets to the listeners of its children.
    """
    made: list[socket.socket] = []
    try:
        for host, port in addresses:
            made.append(_bound(host, port))
    except StorageError:
        for sock in made:
            sock.close()
        raise
    return made


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise StorageError(
            f"Cannot listen on {host}:{port}: {error.strerror}. Choose another port, or end the program that uses it."
        ) from None
    return sock


class Acceptor:
    """One thread for all the sockets; `begin(connection, host, who)` is called for each caller, and must be quick."""

    def __init__(self, sockets: Sequence[socket.socket], begin: Callable[[socket.socket, str, str], None]) -> None:
        self._sockets = {sock.fileno(): sock for sock in sockets}
        self._begin = begin
        self._stopping = threading.Event()
        self._waken, self._wake = os.pipe()
        for sock in sockets:
            # Several processes may be told of one caller, and only one of them gets it.
            sock.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="dimse-accept", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """True while it accepts."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Accept no more. The sockets are closed, never shut down: other processes may still accept on them."""
        self._stopping.set()
        os.write(self._wake, b"\0")
        self._thread.join(2.0)
        for sock in self._sockets.values():
            sock.close()
        if not self._thread.is_alive():
            os.close(self._wake)
            os.close(self._waken)

    def _run(self) -> None:
        poll = select.poll()
        for number in (self._waken, *self._sockets):
            poll.register(number, select.POLLIN)
        while not self._stopping.is_set():
            for number, _ in poll.poll():
                if number in self._sockets and not self._stopping.is_set():
                    self._accept(self._sockets[number])

    def _accept(self, sock: socket.socket) -> None:
        try:
            accepted, address = sock.accept()
            accepted.setblocking(True)
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:
            # Out of descriptors: the associations that end make room; a short pause keeps the core free.
            _log.error("cannot accept: %s", error)
            self._stopping.wait(_PAUSE)
            return
        try:
            self._begin(accepted, str(address[0]), f"{address[0]}:{address[1]}")
        except Exception:  # noqa: BLE001  whatever one caller causes, the next must be accepted
            _log.exception("%s cannot be served", address[0])
            with contextlib.suppress(OSError):
                accepted.close()
