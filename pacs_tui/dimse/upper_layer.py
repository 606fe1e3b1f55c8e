"""The DICOM Upper Layer on one TCP connection (PS3.8): PDUs in and out, with deadlines and caps.

Blocking sockets, one owner thread, no queue and no polling. Type and length of a PDU are checked before anything is
made of it. Data sets are handed out as views of one receive buffer, as they come: no PDU is ever held whole for its own
sake, so that a connection costs 256 KiB whatever length of PDU was agreed.
"""

from __future__ import annotations

import contextlib
import math
import select
import socket
import struct
import threading
import time

from pacs_tui.errors import Cancelled, Unreachable

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA_TF, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)

_FIXED = frozenset((ASSOCIATE_RJ, RELEASE_RQ, RELEASE_RP, ABORT))
_HEADER = struct.Struct(">BBI")
_PDV = struct.Struct(">IBB")
_P_DATA_HEADER = struct.Struct(">BBIIBB")
_ASSOCIATE_CAP = 1 << 18
_BUFFER = 1 << 18
_ROOM = 1 << 16
_SENDMSG_PARTS = 512
_CANCEL_SLICE = 0.1
_PROGRESS = 4096
"""Bytes a peer has to send, or take, in the time a message may be silent."""
_TIMEVAL = struct.Struct("@ll")

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


class Connection:
    """A TCP connection that speaks the Upper Layer; errors come out as Unreachable or Violation.

    The socket blocks; the kernel's own timers (SO_RCVTIMEO, SO_SNDTIMEO) wake it, and are set again only when a
    deadline asks for less than they give. Within a message a peer has to go on: 4 kB of progress put a deadline off.
    """

    def __init__(self, sock: socket.socket, who: str, pdu_length: int) -> None:
        self.who = who
        self.pdu_length = pdu_length
        self.idle = False
        """True while nobody waits for anything but the peer's next wish."""
        self.carried = 0
        """Bytes, both ways."""
        self._socket = sock
        self._buffer = bytearray(_BUFFER)
        self._view = memoryview(self._buffer)
        self._start = self._end = 0
        self._pdu_left = self._pdv_left = self._context = self._control = 0
        self._in_pdv = self._holding = self._unacknowledged = self._closed = False
        self._deadline = self._seconds = 0.0
        self._owed: float = 0
        self._armed = {socket.SO_RCVTIMEO: math.inf, socket.SO_SNDTIMEO: math.inf}
        self._poller: select.poll | None = None
        sock.settimeout(None)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._quick = True
        except OSError:
            self._quick = False  # no TCP
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

    # ------------------------------------------------------------------ writing

    def send(self, chunks: list[bytes | memoryview], seconds: float) -> None:
        """Write everything in as few system calls as can be; `seconds` is how long the peer may take next to none."""
        deadline, owed = time.monotonic() + seconds, _PROGRESS
        at, left = 0, seconds
        try:
            while at < len(chunks):
                self._arm(socket.SO_SNDTIMEO, left)
                try:
                    sent = self._socket.sendmsg(chunks[at : at + _SENDMSG_PARTS])
                except BlockingIOError:
                    sent = 0
                self.carried += sent
                owed -= sent
                while at < len(chunks) and sent >= len(chunks[at]):
                    sent -= len(chunks[at])
                    at += 1
                if at == len(chunks):
                    break
                if sent:
                    chunks[at] = memoryview(chunks[at])[sent:]
                now = time.monotonic()
                if owed <= 0:
                    # The limit is on silence: a slow line may take as long as it takes.
                    deadline, owed = now + seconds, _PROGRESS
                left = deadline - now
                if left <= 0:
                    raise Unreachable(f"{self.who} takes no data: silent for {seconds:g} s.", "timeout:message")
        except OSError as error:
            raise self._broken(error) from None
        # What we send carries the acknowledgement of what we read.
        self._unacknowledged = False
        self._quick_ack()

    # ------------------------------------------------------------------ reading

    def patience(self, seconds: float, whole: bool = False) -> None:
        """From now on a read may wait `seconds`, again and again while the peer makes progress; `whole`: in all."""
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._owed = math.inf if whole else self.carried + _PROGRESS

    def read(self, seconds: float, cancel: threading.Event | None = None) -> tuple[int, memoryview]:
        """The next whole PDU within `seconds` as (type, body); the body is valid until the next read.

        Cancelled when `cancel` is set before it is complete. Unreachable on silence and on a broken line, Violation for
        an unknown type or a length over the cap of its type.
        """
        self.patience(seconds, whole=True)
        while self._in_pdv or self._pdu_left:
            self.piece(cancel)
        self._need(6, cancel)
        kind, _, length = _HEADER.unpack_from(self._buffer, self._start)
        self._check(kind, length)
        self._need(6 + length, cancel)
        start = self._start + 6
        self._start = start + length
        return kind, self._view[start : start + length]

    def piece(self, cancel: threading.Event | None = None) -> tuple[int, int, memoryview] | None:
        """What has come of the next PDV: presentation context, control byte, bytes; None before a PDU of another type.

        A fragment may come in several pieces; only the last one of a last fragment has bit 1 of the control byte (PS3.8
        annex E.2). The bytes are valid until the next call. Raises as `read` does, within what `patience` allowed.
        """
        if not self._in_pdv and not self._open_pdv(cancel):
            return None
        left = self._pdv_left
        if left and self._start == self._end:
            self._fill(cancel)
        start, have = self._start, self._end - self._start
        if have < left:
            self._start, self._pdv_left = self._end, left - have
            return self._context, self._control & 1, self._view[start : self._end]
        self._start = start + left
        self._in_pdv = False
        return self._context, self._control, self._view[start : start + left]

    def keep(self, more: bool) -> bool:
        """Keep the pieces handed out valid over the next one, until `drop`; false where that cannot be.

        Without `more` it is also false where the next piece would have to be waited for.
        """
        self._holding = True
        return self._end - self._start > 12 or (more and len(self._buffer) - self._end >= _ROOM)

    def drop(self) -> None:
        """The pieces handed out are used."""
        self._holding = False

    def follower(self, command: bytes, context: int) -> bytes | None:
        """The data set behind a repeated command, where both lie in the buffer as one PDU each; else nothing is read.

        `command` is the whole P-DATA-TF PDU that is expected. For answers of many rows, whose commands are all alike.
        """
        at = self._start + len(command)
        if self._in_pdv or self._pdu_left or at + 12 > self._end or not self._buffer.startswith(command, self._start):
            return None
        kind, _, length, pdv, where, control = _P_DATA_HEADER.unpack_from(self._buffer, at)
        stop = at + 6 + length
        if kind != P_DATA_TF or pdv + 4 != length or where != context or control != 2 or stop > self._end:
            return None
        self._start = stop
        return bytes(self._view[at + 12 : stop])

    @property
    def buffered(self) -> bool:
        """True when bytes wait in our own buffer."""
        return self._end > self._start

    def readable(self, seconds: float = 0.0) -> bool:
        """True when a read would find something: data, or the end of the line."""
        if self.buffered or self._closed:
            return True
        try:
            if self._poller is None:
                self._poller = select.poll()
                self._poller.register(self._socket, select.POLLIN)
            return bool(self._poller.poll(seconds * 1000))
        except (OSError, ValueError):
            return True

    # ------------------------------------------------------------------ ending

    def close(self) -> None:
        """Close the socket; safe to call twice."""
        if not self._closed:
            self._closed = True
            self._socket.close()
            # who holds us may be part of a cycle: the buffer must not wait for the garbage collector
            self._buffer, self._view = bytearray(), memoryview(b"")
            self._start = self._end = 0

    def fileno(self) -> int:
        """The socket's number, -1 once it is closed."""
        return self._socket.fileno()

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
                self._arm(socket.SO_RCVTIMEO, left)
                if not self._socket.recv_into(self._view):
                    return

    # ------------------------------------------------------------------ pieces

    def _open_pdv(self, cancel: threading.Event | None) -> bool:
        """Read the head of the next PDV, and of its PDU where one begins; false before a PDU of another type."""
        if not self._pdu_left and self._end - self._start >= 12:
            # Nearly always both heads are there, and one PDV fills its PDU.
            head = _P_DATA_HEADER.unpack_from(self._buffer, self._start)
            kind, _, length, pdv, self._context, self._control = head
            if kind == P_DATA_TF and 6 <= pdv + 4 == length <= self.pdu_length:
                self._start += 12
                self._pdv_left = pdv - 2
                self._in_pdv = True
                return True
        if not self._pdu_left:
            self._need(6, cancel)
            kind, _, length = _HEADER.unpack_from(self._buffer, self._start)
            if kind != P_DATA_TF:
                return False
            self._check(kind, length)
            if length < 6:
                raise Violation(f"a P-DATA-TF PDU of {length} bytes, too short for a PDV", 6)
            self._start += 6
            self._pdu_left = length
        if self._pdu_left < 6:
            raise Violation("a truncated PDV item", 6)
        self._need(6, cancel)
        length, self._context, self._control = _PDV.unpack_from(self._buffer, self._start)
        if length < 2 or length + 4 > self._pdu_left:
            raise Violation(f"a PDV of {length} bytes with {self._pdu_left} left in its PDU", 6)
        self._start += 6
        self._pdu_left -= length + 4
        self._pdv_left = length - 2
        self._in_pdv = True
        return True

    def _check(self, kind: int, length: int) -> None:
        """Violation for a length over the cap of its type, before anything is made of it."""
        if kind == P_DATA_TF:
            cap = self.pdu_length
        elif kind in (ASSOCIATE_RQ, ASSOCIATE_AC):
            cap = _ASSOCIATE_CAP
        elif kind in _FIXED:
            cap = 4
        else:
            raise Violation(f"a PDU of the unknown type {kind:#04x}", 1)
        if length > cap or (kind in _FIXED and length != 4):
            raise Violation(f"a PDU of type {kind:#04x} with {length} bytes", 6)

    def _need(self, count: int, cancel: threading.Event | None) -> None:
        if self._end - self._start >= count:
            return
        kept = self._end - self._start
        if self._start + count > len(self._buffer):
            if count > len(self._buffer):
                grown = bytearray(count)
                grown[:kept] = self._view[self._start : self._end]
                self._buffer, self._view = grown, memoryview(grown)
            else:
                self._buffer[:kept] = self._buffer[self._start : self._end]
            self._start, self._end = 0, kept
        while self._end - self._start < count:
            self._fill(cancel)

    def _fill(self, cancel: threading.Event | None) -> None:
        """One read of the socket, behind what is buffered; waits for it."""
        if self._start == self._end and not self._holding:
            self._start = self._end = 0
        if self._unacknowledged:
            # A sender with Nagle's algorithm waits for our ACK; a delayed one costs it 40 ms a message.
            self._unacknowledged = False
            self._quick_ack()
        got = self._receive(cancel)
        self._unacknowledged = True
        self._end += got
        self.carried += got
        if self.carried >= self._owed:
            self._deadline = time.monotonic() + self._seconds
            self._owed = self.carried + _PROGRESS

    def _receive(self, cancel: threading.Event | None) -> int:
        while True:
            left = self._deadline - time.monotonic()
            if cancel is not None:
                # An Event cannot wake a socket: only a wait that may be cancelled is cut into slices.
                if cancel.is_set():
                    raise Cancelled("Cancelled.")
                left = min(left, _CANCEL_SLICE)
            if left <= 0:
                raise Unreachable(f"{self.who} is silent: no answer in time.", "timeout:message")
            self._arm(socket.SO_RCVTIMEO, left)
            try:
                got = self._socket.recv_into(self._view[self._end :])
            except BlockingIOError:
                # The timer may be shorter than the deadline; it is never longer.
                self._armed[socket.SO_RCVTIMEO] = math.inf
                continue
            except OSError as error:
                raise self._broken(error) from None
            if not got:
                raise Unreachable(f"{self.who} closed the connection without a release.", "closed")
            return got

    def _arm(self, option: int, seconds: float) -> None:
        """Let the kernel's timer ring after `seconds` at the latest; a shorter one that is set already will do."""
        if self._armed[option] > seconds * 1.1:
            # Zero would mean for ever.
            seconds = max(seconds, 0.001)
            self._armed[option] = seconds
            self._socket.setsockopt(socket.SOL_SOCKET, option, _TIMEVAL.pack(int(seconds), int(seconds % 1 * 1e6)))

    def _quick_ack(self) -> None:
        if self._quick and _QUICKACK is not None:
            try:
                self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
            except OSError:
                self._quick = False

    def _broken(self, error: OSError) -> Unreachable:
        return Unreachable(f"{self.who} broke the connection: {error.strerror or error}.", "tcp:reset")
