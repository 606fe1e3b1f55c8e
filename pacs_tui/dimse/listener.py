"""Our SCP door: accepts associations on any number of addresses and dispatches by called AE title."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pacs_tui.dimse import contexts as ctx
from pacs_tui.dimse.accepting import Acceptor, listening
from pacs_tui.dimse.association import Association, Rejection
from pacs_tui.dimse.provider import Provider
from pacs_tui.dimse.retrieving import Connect, Outgoing
from pacs_tui.dimse.services import Services
from pacs_tui.dimse.storing import Transcode
from pacs_tui.dimse.upper_layer import Connection, Violation
from pacs_tui.dimse.watching import Watch
from pacs_tui.errors import Unreachable
from pacs_tui.model.activity import Activity, Snapshot, Totals
from pacs_tui.model.admission import Right
from pacs_tui.model.node import Node
from pacs_tui.settings import Limits, Timeouts

_log = logging.getLogger(__name__)
_WAITING = 50
"""Connections beyond the limits that are heard out and rejected."""
_BREAK_SECONDS = 2.0
_LOCAL_LIMIT: Rejection = (2, 3, 2)
"""A-ASSOCIATE-RJ: rejected transient, presentation-related provider, local limit exceeded (PS3.8 9.3.4)."""


@dataclass(eq=False, slots=True)
class _Serving:
    """One connection and what became of it; written by its own thread, read by others."""

    connection: Connection
    host: str
    limits: Limits
    opened: float = field(default_factory=time.monotonic)
    admitted: bool = False
    provider: Provider | None = None
    association: Association | None = None
    rejected: bool = False
    aborted: bool = False

    def abort(self, source: int = 0, reason: int = 0) -> None:
        """End it with an A-ABORT."""
        self.aborted = True
        (self.association or Association.unestablished(self.connection)).abort(source, reason)

    def totals(self) -> tuple[int, int, int, int, int]:
        """In the order of Totals."""
        instances = self.provider.instances if self.provider else 0
        return self.provider is not None, self.rejected, self.aborted, instances, self.connection.carried


class Listener:
    """Threads that accept and serve; open it, read `ports`, close it. Port 0 lets the kernel choose.

    Whatever its peer sends, an association costs a thread, the 256 KiB of its receive buffer, at most twice as much for
    the head of an instance, 1 MiB for the identifier of a request, and 64 KiB of answers on their way.
    """

    def __init__(
        self, services: Services, addresses: Sequence[tuple[str, int]], limits: Limits,
        timeouts: Timeouts | None = None, transcode: Transcode | None = None,
    ) -> None:  # fmt: skip
        self._services = services
        self._addresses = tuple(addresses)
        self._limits = limits
        self._timeouts = timeouts or Timeouts()
        self._transcode = transcode
        self._ports: tuple[int, ...] = ()
        self._acceptor: Acceptor | None = None
        self._watch = Watch()
        self._lock = threading.Lock()
        self._serving: dict[threading.Thread, _Serving] = {}
        self._hosts: Counter[str] = Counter()
        self._admitted = 0
        self._ended = (0, 0, 0, 0, 0)
        self._closing = threading.Event()

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports as bound, in the order of the addresses."""
        return self._ports

    @property
    def associations(self) -> int:
        """Connections being served now."""
        with self._lock:
            return len(self._serving)

    @property
    def accepting(self) -> bool:
        """True while the thread that accepts lives."""
        return self._acceptor is not None and self._acceptor.alive

    def snapshot(self) -> Snapshot:
        """What is open now, and the totals since `open`."""
        now = time.monotonic()
        with self._lock:
            serving = list(self._serving.values())
            ended = self._ended
        open_now = [
            Activity(
                one.association.calling, one.association.called, one.host, now - one.opened, one.provider.operation,
                one.provider.instances, one.connection.carried,
            )
            for one in serving
            if one.association is not None and one.provider is not None
        ]  # fmt: skip
        return Snapshot(tuple(open_now), Totals(*map(sum, zip(ended, *(one.totals() for one in serving), strict=True))))

    def open(self, sockets: Sequence[socket.socket] | None = None) -> None:
        """Accept on every address, or on sockets that `listening` bound, which several processes may share over a fork.

        StorageError names the address that cannot be bound. The sockets are ours from then on; `close` closes them
        without disturbing the other processes.
        """
        mine = listening(self._addresses) if sockets is None else list(sockets)
        self._ports = tuple(sock.getsockname()[1] for sock in mine)
        self._acceptor = Acceptor(mine, self._begin)

    def reload(self, limits: Limits) -> None:
        """Use other limits for the associations that are still to come."""
        self._limits = limits

    def close(self, grace: float = 10.0) -> None:
        """Stop accepting, break what is idle, let operations end within `grace` seconds, then break the rest."""
        self._closing.set()
        acceptor, self._acceptor = self._acceptor, None
        if acceptor is not None:
            acceptor.stop()
        deadline = time.monotonic() + grace
        while (left := self._left()) and time.monotonic() < deadline:
            for _, one in left:
                if one.connection.idle:
                    one.connection.interrupt()
            left[0][0].join(min(0.1, grace))
        left = self._left()
        for _, one in left:
            one.connection.interrupt()
        deadline = time.monotonic() + _BREAK_SECONDS
        for thread, _ in left:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._watch.close()

    def _left(self) -> list[tuple[threading.Thread, _Serving]]:
        with self._lock:
            return list(self._serving.items())

    def _begin(self, accepted: socket.socket, host: str, who: str) -> None:
        """Serve a connection in a thread of its own, unless there are too many."""
        limits = self._limits
        with self._lock:
            # Association limits answer with an A-ASSOCIATE-RJ; far beyond them a caller is not worth a thread.
            crowd = len(self._serving) >= limits.associations + _WAITING
            if crowd or self._hosts[host] >= limits.per_host + _WAITING:
                _log.warning("%s: too many connections: closed", who)
                accepted.close()
                return
            one = _Serving(Connection(accepted, who, limits.pdu_length), host, limits)
            thread = threading.Thread(target=self._serve, args=(one,), name=f"dimse-{host}", daemon=True)
            self._serving[thread] = one
            self._hosts[host] += 1
        try:
            thread.start()
        except RuntimeError as error:
            # out of threads or memory; those that end make room
            _log.error("%s cannot be served: %s", who, error)
            one.connection.close()
            self._forget(thread)

    def _forget(self, thread: threading.Thread) -> None:
        with self._lock:
            one = self._serving.pop(thread)
            self._ended = tuple(map(sum, zip(self._ended, one.totals(), strict=True)))  # type: ignore[assignment]
            self._admitted -= one.admitted
            self._hosts[one.host] -= 1
            if self._hosts[one.host] <= 0:
                del self._hosts[one.host]

    def _serve(self, one: _Serving) -> None:
        who = one.connection.who
        try:
            self._associate(one)
        except Violation as violation:
            _log.warning("%s: %s: aborted", who, violation)
            one.abort(2, violation.reason)
        except Unreachable as error:
            _log.info("%s: %s", who, error)
            one.abort()
        except Exception:  # noqa: BLE001  one association's trouble must never end the listener
            _log.exception("%s: association ended by an error of ours", who)
            one.abort()
        finally:
            one.connection.close()
            self._forget(threading.current_thread())

    def _associate(self, one: _Serving) -> None:
        """From the A-ASSOCIATE-RQ to the release."""
        association = Association.accept(
            one.connection, one.host, self._timeouts, one.limits.request_seconds,
            lambda calling, called: self._admit(one, calling, called),
        )  # fmt: skip
        if association is None:
            one.rejected = True
            return
        _log.info("%s (%s) -> %s: open", association.calling, one.connection.who, association.called)
        one.association = association
        outgoing = Outgoing(self._sub_association(association), self._transcode, one.limits.move_associations)
        one.provider = Provider(association, self._services, one.limits, outgoing, self._watch, self._closing)
        one.provider.run()
        one.connection.linger(1.0)

    def _admit(self, one: _Serving, calling: str, called: str) -> frozenset[Right] | Rejection:
        limits = self._limits
        with self._lock:
            # Only associations count: silent connections of one host must not shut out the others.
            one.admitted = self._admitted < limits.associations and self._hosts[one.host] <= limits.per_host
            self._admitted += one.admitted
        if not one.admitted or self._closing.is_set():
            _log.warning("%s from %s to %s rejected: local limit", calling, one.connection.who, called)
            return _LOCAL_LIMIT
        admission = self._services.admit(calling, called, one.host)
        if admission.refusal is not None:
            _log.warning("%s from %s to %s rejected: reason %d", calling, one.connection.who, called, admission.refusal)
            return 1, 1, admission.refusal
        return admission.rights

    def _sub_association(self, parent: Association) -> Connect:
        def connect(
            node: Node, proposals: Sequence[ctx.Proposal], opened: Callable[[Connection], None]
        ) -> Association:  # fmt: skip
            return Association.request(
                node.host, node.port, f"{node.name} ({node.address})", parent.called, node.ae_title, proposals,
                self._timeouts, opened=opened,
            )  # fmt: skip

        return connect
