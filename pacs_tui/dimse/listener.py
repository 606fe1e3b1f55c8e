"""Our SCP door: accepts associations on any number of addresses and dispatches by called AE title."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import Counter
from collections.abc import Sequence

from pacs_tui.dimse import contexts as ctx
from pacs_tui.dimse.association import Association
from pacs_tui.dimse.provider import Connect, Provider
from pacs_tui.dimse.services import Services
from pacs_tui.dimse.upper_layer import Connection, Violation
from pacs_tui.errors import StorageError, Unreachable
from pacs_tui.model.node import Node
from pacs_tui.settings import Limits, Timeouts

_log = logging.getLogger(__name__)
_WAITING = 50
"""Connections beyond the limits that are heard out and rejected."""
_BREAK_SECONDS = 2.0
_LOCAL_LIMIT = (2, 3, 2)
"""A-ASSOCIATE-RJ: rejected transient, presentation-related provider, local limit exceeded (PS3.8 9.3.4)."""


class Listener:
    """Threads that accept and serve; open it, read `ports`, close it. Port 0 lets the kernel choose."""

    def __init__(
        self, services: Services, addresses: Sequence[tuple[str, int]], limits: Limits, timeouts: Timeouts | None = None
    ) -> None:
        self._services = services
        self._addresses = tuple(addresses)
        self._limits = limits
        self._timeouts = timeouts or Timeouts()
        self._sockets: list[socket.socket] = []
        self._accepting: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._serving: dict[threading.Thread, Connection] = {}
        self._hosts: Counter[str] = Counter()
        self._established: set[threading.Thread] = set()
        self._subordinate: set[Connection] = set()
        self._closing = threading.Event()

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports as bound, in the order of the addresses."""
        return tuple(sock.getsockname()[1] for sock in self._sockets)

    @property
    def associations(self) -> int:
        """Connections being served now."""
        with self._lock:
            return len(self._serving)

    def open(self) -> None:
        """Bind and listen on every address, or StorageError that names the one which failed."""
        try:
            for host, port in self._addresses:
                self._sockets.append(_bound(host, port))
        except StorageError:
            self.close(0)
            raise
        for sock in self._sockets:
            thread = threading.Thread(target=self._accept, args=(sock,), name="dimse-accept", daemon=True)
            self._accepting.append(thread)
            thread.start()

    def close(self, grace: float = 10.0) -> None:
        """Stop accepting, break what is idle, let operations end within `grace` seconds, then break the rest."""
        self._closing.set()
        for sock in self._sockets:
            _wake(sock)
            sock.close()
        for thread in self._accepting:
            thread.join(2.0)
        deadline = time.monotonic() + grace
        while (left := self._left()) and time.monotonic() < deadline:
            for _, connection in left:
                if connection.idle:
                    connection.interrupt()
            left[0][0].join(min(0.1, grace))
        left = self._left()
        with self._lock:
            connections = [connection for _, connection in left] + list(self._subordinate)
        for connection in connections:
            connection.interrupt()
        deadline = time.monotonic() + _BREAK_SECONDS
        for thread, _ in left:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _left(self) -> list[tuple[threading.Thread, Connection]]:
        with self._lock:
            return list(self._serving.items())

    def _accept(self, sock: socket.socket) -> None:
        while not self._closing.is_set():
            try:
                accepted, address = sock.accept()
            except OSError as error:
                if self._closing.is_set() or sock.fileno() < 0:
                    return
                # Out of descriptors: the associations that end make room; a short pause keeps the core free.
                _log.error("cannot accept: %s", error)
                self._closing.wait(0.1)
                continue
            try:
                self._begin(accepted, str(address[0]), f"{address[0]}:{address[1]}")
            except Exception:  # noqa: BLE001  whatever one caller causes, the next must be accepted
                _log.exception("%s cannot be served", address[0])
                accepted.close()

    def _begin(self, accepted: socket.socket, host: str, who: str) -> None:
        """Serve a connection in a thread of its own, unless there are too many."""
        with self._lock:
            # Association limits answer with an A-ASSOCIATE-RJ; far beyond them a caller is not worth a thread.
            crowd = len(self._serving) >= self._limits.associations + _WAITING
            if crowd or self._hosts[host] >= self._limits.per_host + _WAITING:
                _log.warning("%s: too many connections: closed", who)
                accepted.close()
                return
            connection = Connection(accepted, who, self._limits.pdu_length)
            thread = threading.Thread(target=self._serve, args=(connection, host), name=f"dimse-{host}", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                # out of threads or memory; those that end make room
                _log.error("%s cannot be served: %s", who, error)
                connection.close()
                return
            self._serving[thread] = connection
            self._hosts[host] += 1

    def _forget(self, thread: threading.Thread, host: str) -> None:
        with self._lock:
            self._serving.pop(thread, None)
            self._established.discard(thread)
            self._hosts[host] -= 1
            if self._hosts[host] <= 0:
                del self._hosts[host]

    def _serve(self, connection: Connection, host: str) -> None:
        association: Association | None = None
        try:
            association = Association.accept(
                connection, host, self._timeouts, self._limits.request_seconds, lambda a, b: self._admit(a, b, host)
            )
            if association is not None:
                _log.info("%s (%s) -> %s: open", association.calling, connection.who, association.called)
                Provider(
                    association, self._services, self._limits.idle_seconds, self._sub_association(association)
                ).run()
                connection.linger(1.0)
        except Violation as violation:
            _log.warning("%s: %s: aborted", connection.who, violation)
            (association or Association.unestablished(connection)).abort(2, violation.reason)
        except Unreachable as error:
            _log.info("%s: %s", connection.who, error)
            (association or Association.unestablished(connection)).abort(0, 0)
        except Exception:  # noqa: BLE001  one association's trouble must never end the listener
            _log.exception("%s: association ended by an error of ours", connection.who)
            (association or Association.unestablished(connection)).abort(0, 0)
        finally:
            connection.close()
            self._forget(threading.current_thread(), host)

    def _admit(self, calling: str, called: str, host: str) -> tuple[int, int, int] | None:
        with self._lock:
            # Only associations count: silent connections of one host must not shut out the others.
            crowded = len(self._established) >= self._limits.associations or self._hosts[host] > self._limits.per_host
            if not crowded:
                self._established.add(threading.current_thread())
        if crowded or self._closing.is_set():
            return _LOCAL_LIMIT
        admission = self._services.admit(calling, called, host)
        if admission.refusal is not None:
            _log.warning("%s from %s to %s rejected: reason %d", calling, host, called, admission.refusal)
            return 1, 1, admission.refusal
        return None

    def _sub_association(self, parent: Association) -> Connect:
        def connect(node: Node, proposals: Sequence[ctx.Proposal]) -> Association:
            who = f"{node.name} ({node.address})"
            made = Association.request(
                node.host, node.port, who, parent.called, node.ae_title, proposals, self._timeouts
            )
            with self._lock:
                self._subordinate = {one for one in self._subordinate if not one.closed} | {made.connection}
            return made

        return connect


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(128)
    except OSError as error:
        sock.close()
        raise StorageError(
            f"Cannot listen on {host}:{port}: {error.strerror}. Choose another port, or end the program that uses it."
        ) from None
    return sock


def _wake(sock: socket.socket) -> None:
    """End a blocking accept: closing alone does not."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
