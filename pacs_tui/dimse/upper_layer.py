"""The DICOM Upper Layer on one TCP connection (PS3.8): PDUs in and out, with deadlines and caps.

Blocking sockets, one owner thread, no queue and no polling. Type and length of a PDU are checked before anything is
allocated for it; the body is handed out as a view of the receive buffer.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator

from pacs_tui.errors import Cancelled, Unreachable

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA_TF, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)

_FIXED = frozenset((ASSOCIATE_RJ, RELEASE_RQ, RELEASE_RP, ABORT))
_HEADER = struct.Struct(">BBI")
_PDV = struct.Struct(">IBB")
_P_DATA_HEADER = struct.Struct(">BBIIBB")
_ASSOCIATE_CAP = 1 << 18
_BUFFER = 1 << 18
_SENDMSG_PARTS = 512
_CANCEL_SLICE = 0.1

_QUICKACK = getattr(socket, "TCP_QUICKACK", None)


class Violation(Exception):
    """The peer broke PS3.8; `reason` is the A-ABORT provider reason to send (PS3.8 9.3.8)."""

    def __init__(self, message: str, reason: int = 0) -> None:
        super().__init__(message)
        self.reason = reason


def header(kind: int, length: int) -> bytes:
    """The six bytes before every PDU's body."""
    return _HEADER.pack(kind, 0, length)


def p_data(context: int, control: int, data: bytes) -> bytes:
    """One P-DATA-TF PDU with one PDV; control bit 0: command, bit 1: last fragment (PS3.8 9.3.5, annex E)."""
    size = len(data)
    return _P_DATA_HEADER.pack(P_DATA_TF, 0, size + 6, size + 2, context, control) + data


def p_data_header(context: int, control: int, size: int) -> bytes:
    """The 12 bytes before a fragment of `size` bytes that is sent from where it lies."""
    return _P_DATA_HEADER.pack(P_DATA_TF, 0, size + 6, size + 2, context, control)


def pdvs(body: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """(presentation context, control byte, fragment) of each PDV of a P-DATA-TF body; Violation for a bad length."""
    at, end = 0, len(body)
    if not end:
        raise Violation("a P-DATA-TF PDU without a PDV", 6)
    while at < end:
        if end - at < 6:
            raise Violation("a truncated PDV item", 6)
        length, context, control = _PDV.unpack_from(body, at)
        stop = at + 4 + length
        if length < 2 or stop > end:
            raise Violation(f"a PDV of {length} bytes in a PDU of {end}", 6)
        yield context, control, body[at + 6 : stop]
        at = stop


class Connection:
    """A TCP connection that speaks the Upper Layer; errors come out as Unreachable or Violation."""

    def __init__(self, sock: socket.socket, who: str, pdu_length: int) -> None:
        self.who = who
        self.pdu_length = pdu_length
        self.idle = False
        """True while nobody waits for anything but the peer's next wish."""
        self._socket = sock
        self._buffer = bytearray(_BUFFER)
        self._view = memoryview(self._buffer)
        self._start = self._end = 0
        self._closed = False
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._quick_ack()

    @classmethod
    def open(cls, host: str, port: int, who: str, seconds: float, pdu_length: int) -> Connection:
        """Connect, or Unreachable with a code that names the cause."""
        try:
            return cls(socket.create_connection((host, port), seconds), who, pdu_length)
        except TimeoutError:
            raise Unreachable(
                f"{who} does not answer: no connection within {seconds:g} s.", "timeout:connect"
            ) from None
        except ConnectionRefusedError:
            raise Unreachable(f"{who} refuses the connection: nothing listens there.", "tcp:refused") from None
        except (socket.gaierror, UnicodeError):
            raise Unreachable(f"{who}: the host name {host!r} is not known.", "dns") from None
        except OSError as error:
            raise Unreachable(f"{who} cannot be reached: {error.strerror or error}.", "tcp:unreachable") from None

    def send(self, chunks: list[bytes | memoryview], seconds: float) -> None:
        """Write everything, in as few system calls as can be; `seconds` is how long the peer may take nothing."""
        deadline = time.monotonic() + seconds
        parts = chunks
        at = 0
        try:
            while at < len(parts):
                self._socket.settimeout(max(0.001, deadline - time.monotonic()))
                sent = self._socket.sendmsg(parts[at : at + _SENDMSG_PARTS])
                # The limit is on silence: a slow line may take as long as it takes.
                deadline = time.monotonic() + seconds
                while at < len(parts) and sent >= len(parts[at]):
                    sent -= len(parts[at])
                    at += 1
                if sent:
                    parts[at] = memoryview(parts[at])[sent:]
        except TimeoutError:
            raise Unreachable(f"{self.who} takes no data: silent for {seconds:g} s.", "timeout:message") from None
        except OSError as error:
            raise self._broken(error) from None
        self._quick_ack()

    def read(self, seconds: float, cancel: threading.Event | None = None) -> tuple[int, memoryview] | None:
        """The next PDU as (type, body); the body is valid until the next read.

        None when `cancel` is set while nothing has arrived, Cancelled when it is set in the middle of a PDU: the
        association can only be aborted then. Unreachable on silence and on a broken line, Violation for an unknown type
        or a length over the cap of its type.
        """
        deadline = time.monotonic() + seconds
        if not self.buffered and not self._await(deadline, cancel):
            return None
        self._need(6, deadline, cancel)
        kind, _, length = _HEADER.unpack_from(self._buffer, self._start)
        if length > self._cap(kind) or (kind in _FIXED and length != 4):
            raise Violation(f"a PDU of type {kind:#04x} with {length} bytes", 6)
        self._need(6 + length, deadline, cancel)
        start = self._start + 6
        self._start = start + length
        return kind, self._view[start : start + length]

    @property
    def buffered(self) -> bool:
        """True when bytes wait in our own buffer."""
        return self._end > self._start

    def readable(self, seconds: float = 0.0) -> bool:
        """True when a read would find something: data, or the end of the line."""
        return self.buffered or self._poll(seconds)

    def _poll(self, seconds: float) -> bool:
        if self._closed:
            return True
        try:
            poll = select.poll()
            poll.register(self._socket, select.POLLIN)
            return bool(poll.poll(seconds * 1000))
        except (OSError, ValueError):
            return True

    def close(self) -> None:
        """Close the socket; safe to call twice."""
        if not self._closed:
            self._closed = True
            self._socket.close()

    @property
    def closed(self) -> bool:
        return self._closed

    def interrupt(self) -> None:
        """Wake the owner thread out of a blocking call; it then sees a broken line."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def linger(self, seconds: float) -> None:
        """After our last PDU, give the peer time to close first (ARTIM, PS3.8 9.1.5), so that it can read that PDU."""
        deadline = time.monotonic() + seconds
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            while (left := deadline - time.monotonic()) > 0:
                self._socket.settimeout(left)
                if not self._socket.recv(65536):
                    return

    def _cap(self, kind: int) -> int:
        if kind == P_DATA_TF:
            return self.pdu_length
        if kind in (ASSOCIATE_RQ, ASSOCIATE_AC):
            return _ASSOCIATE_CAP
        if kind in _FIXED:
            return 4
        raise Violation(f"a PDU of the unknown type {kind:#04x}", 1)

    def _await(self, deadline: float, cancel: threading.Event | None) -> bool:
        """Wait for bytes on the socket; False when cancelled. Reading on finds out about silence."""
        # A plain Event cannot wake a socket: only a cancellable wait is cut into slices, and only while nothing comes.
        while cancel is not None:
            if cancel.is_set():
                return False
            left = deadline - time.monotonic()
            if left <= 0 or self._poll(min(left, _CANCEL_SLICE)):
                return True
        return True

    def _need(self, count: int, deadline: float, cancel: threading.Event | None) -> None:
        if self._end - self._start >= count:
            return
        self._make_room(count)
        while self._end - self._start < count:
            if not self._await(deadline, cancel):
                raise Cancelled("Cancelled.")
            left = deadline - time.monotonic()
            if left <= 0:
                raise Unreachable(f"{self.who} is silent: no answer in time.", "timeout:message")
            try:
                self._socket.settimeout(left)
                got = self._socket.recv_into(self._view[self._end :])
            except TimeoutError:
                raise Unreachable(f"{self.who} is silent: no answer in time.", "timeout:message") from None
            except OSError as error:
                raise self._broken(error) from None
            if not got:
                raise Unreachable(f"{self.who} closed the connection without a release.", "closed")
            self._quick_ack()
            self._end += got

    def _make_room(self, count: int) -> None:
        kept = self._end - self._start
        if self._start + count <= len(self._buffer) and kept:
            return
        if count > len(self._buffer):
            grown = bytearray(count + 4096)
            grown[:kept] = self._view[self._start : self._end]
            self._buffer, self._view = grown, memoryview(grown)
        elif kept:
            self._buffer[:kept] = self._buffer[self._start : self._end]
        self._start, self._end = 0, kept

    def _quick_ack(self) -> None:
        # A sender with Nagle's algorithm waits for our ACK; a delayed one costs it 40 ms a message.
        if _QUICKACK is not None:
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)

    def _broken(self, error: OSError) -> Unreachable:
        return Unreachable(f"{self.who} broke the connection: {error.strerror or error}.", "tcp:reset")
