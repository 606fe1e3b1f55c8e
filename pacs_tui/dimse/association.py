"""One association, owned by one thread (PS3.8 9.2).

    requestor   Connection.open -> A-ASSOCIATE-RQ -> AC: established | RJ: Refused | ABORT, silence: Unreachable
    acceptor    A-ASSOCIATE-RQ within its time -> AC: established | RJ, then linger until the peer closes
    established P-DATA both ways -> A-RELEASE-RQ/RP: closed | A-ABORT from either side, broken line: closed
    collision   both ask for release: the requestor answers and waits for its RP, the acceptor the other way round

Negotiation goes through pynetdicom's PDU, primitive and presentation classes; data never does.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pacs_tui.dimse import command as cmd
from pacs_tui.dimse import negotiation as neg
from pacs_tui.dimse import upper_layer as ul
from pacs_tui.dimse.contexts import Context, Extended, Proposal
from pacs_tui.errors import Refused, Unreachable, UsageError
from pacs_tui.model.admission import EVERY_RIGHT, Right
from pacs_tui.settings import Timeouts

_log = logging.getLogger(__name__)
_IDENTIFIER_CAP = 16 << 20
_AT_A_TIME = 1 << 16
"""Bytes of a data set worth a write of their own."""
_OUR_PDU_CAP = 1 << 20
_CHUNKS = 512
_RELEASE_SECONDS = 2.0

Rejection = tuple[int, int, int]
"""Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 9.3.4)."""
_BAD_TITLE: Rejection = (1, 1, 1)
_BAD_VERSION: Rejection = (1, 2, 2)
_BAD_APPLICATION: Rejection = (1, 1, 2)


@dataclass(frozen=True, slots=True)
class Message:
    """A DIMSE message: presentation context, command set, and its data set where it was collected."""

    context: int
    command: cmd.Command
    data: bytes | None


class Association:
    """An established association; leave it through `release` or `abort`. Use it from one thread."""

    def __init__(
        self, connection: ul.Connection, calling: str, called: str, contexts: Sequence[Context], peer_pdu: int,
        host: str, timeouts: Timeouts, rights: frozenset[Right] = EVERY_RIGHT,
        extended: Mapping[str, Extended] | None = None,
    ) -> None:  # fmt: skip
        self.connection = connection
        self.calling, self.called, self.host = calling, called, host
        self.contexts = {context.id: context for context in contexts}
        self.timeouts = timeouts
        self.rights = rights
        """What the peer may ask of us."""
        self.extended = extended or {}
        """By SOP class, what extended negotiation agreed."""
        # 0 means no limit (PS3.8 D.1.1); a fragment never needs more than a megabyte.
        self.fragment = min(peer_pdu or _OUR_PDU_CAP, _OUR_PDU_CAP) - 6
        self.open = True
        self._message_id = 0
        self.command = b""
        """The command set that was received last, as it came."""
        self.identifier_cap = _IDENTIFIER_CAP

    @classmethod
    def unestablished(cls, connection: ul.Connection) -> Association:
        """For a connection on which no association came about: all it can do is abort."""
        return cls(connection, "", "", (), 0, "", Timeouts())

    # ------------------------------------------------------------------ opening

    @classmethod
    def request(
        cls, host: str, port: int, who: str, calling: str, called: str, proposals: Sequence[Proposal],
        timeouts: Timeouts, pdu_length: int = 131072, opened: Callable[[ul.Connection], None] | None = None,
    ) -> Association:  # fmt: skip
        """Connect and negotiate; Refused with `rj:result:source:reason`, Unreachable otherwise.

        `opened` is told the connection before the negotiation, so that another thread can interrupt that too.
        """
        connection = ul.Connection.open(host, port, who, timeouts.connect, pdu_length)
        try:
            if opened is not None:
                opened(connection)
            asked = tuple(proposals)
            connection.send([neg.associate_rq(calling, called, asked, pdu_length)], timeouts.association)
            kind, body = _expect(connection, timeouts.association, "timeout:association")
            if kind == ul.ASSOCIATE_RJ:
                result, source, reason = body[1], body[2], body[3]
                raise Refused(f"{who} rejects the association.", f"rj:{result}:{source}:{reason}")
            if kind == ul.ABORT:
                raise _aborted(who, body)
            if kind != ul.ASSOCIATE_AC:
                raise ul.Violation(f"a PDU of type {kind:#04x} in answer to A-ASSOCIATE-RQ", 2)
            contexts, peer_pdu = neg.accepted(body, asked)
            return cls(connection, calling, called, contexts, peer_pdu, host, timeouts)
        except ul.Violation as violation:
            _send_abort(connection, 2, violation.reason)
            connection.close()
            raise Unreachable(f"{who} does not speak DICOM as the standard says: {violation}.", "protocol") from None
        except BaseException:
            connection.close()
            raise

    @classmethod
    def accept(
        cls, connection: ul.Connection, host: str, timeouts: Timeouts, request_seconds: float,
        admit: Callable[[str, str], frozenset[Right] | Rejection],
    ) -> Association | None:  # fmt: skip
        """Answer an A-ASSOCIATE-RQ; `admit(calling, called)` gives the rights or a rejection. None: rejected."""
        kind, body = _expect(connection, request_seconds, "timeout:association")
        if kind != ul.ASSOCIATE_RQ:
            raise ul.Violation(f"a PDU of type {kind:#04x} before A-ASSOCIATE-RQ", 2)
        try:
            calling, called = neg.titles(body)
        except UsageError as error:
            _log.warning("%s rejected: %s", connection.who, error)
            _reject(connection, _BAD_TITLE, request_seconds)
            return None
        # Strangers are turned away before their contexts are worth any work to us.
        rights = admit(calling, called) if body[1] & 1 else _BAD_VERSION
        if rights == _BAD_VERSION:
            _log.warning("%s rejected: protocol version %d", connection.who, body[0] << 8 | body[1])
        if isinstance(rights, tuple):
            _reject(connection, rights, request_seconds)
            return None
        answer = neg.answer(body, rights, connection.pdu_length)
        if answer is None:
            _log.warning("%s rejected: its application context is not that of DICOM", connection.who)
            _reject(connection, _BAD_APPLICATION, request_seconds)
            return None
        connection.send([neg.associate_ac(body, answer)], request_seconds)
        return cls(
            connection, calling, called, answer.contexts, answer.peer_pdu, host, timeouts, rights, answer.extended
        )

    # ------------------------------------------------------------------ messages

    def next_message_id(self) -> int:
        """1 to 65535, then again."""
        self._message_id = self._message_id % 65535 + 1
        return self._message_id

    def context_for(self, abstract_syntax: str, transfer_syntax: str | None = None) -> Context | None:
        """The first accepted context for this class (and syntax) in which the peer is the SCP."""
        for context in self.contexts.values():
            if (
                context.peer_takes
                and context.abstract_syntax == abstract_syntax
                and transfer_syntax in (None, context.transfer_syntax)
            ):
                return context
        return None

    def send(self, context: int, command: bytes, data: bytes | memoryview | None = None) -> None:
        """One message, in one write wherever the kernel takes it."""
        chunks: list[bytes | memoryview] = [ul.p_data(context, 3, command)]
        if data is not None:
            view, size, step = memoryview(data), len(data), self.fragment
            last = max(0, size - 1) // step * step
            # Nearly all fragments have the same head.
            head = ul.p_data_header(context, 0, step)
            for at in range(0, last, step):
                chunks += (head, view[at : at + step])
                if len(chunks) > _CHUNKS:
                    # A peer with tiny PDUs must not make us list a gigabyte in pieces.
                    self.connection.send(chunks, self.timeouts.message)
                    chunks = []
            chunks += (ul.p_data_header(context, 2, size - last), view[last:])
        self.connection.send(chunks, self.timeouts.message)

    def receive(self, seconds: float | None = None, cancel: threading.Event | None = None) -> Message:
        """The next message with its whole data set; Cancelled when `cancel` is set while the peer is silent."""
        message = self.receive_command(seconds, cancel)
        if message is None:
            raise Unreachable(f"{self.connection.who} released the association before it answered.", "closed")
        if not message.command.has_data:
            return message
        return Message(message.context, message.command, self.collect(message, seconds, cancel))

    def receive_command(self, seconds: float | None = None, cancel: threading.Event | None = None) -> Message | None:
        """The next command set, its data set still to be read through `data`; None when the peer asked for release."""
        self.connection.drop()
        self.connection.patience(self.timeouts.message if seconds is None else seconds)
        piece = self._piece(cancel)
        if piece is None:
            return None
        context, control, data = piece
        if control == 3:
            self.command = bytes(data)
            return Message(context, cmd.unpack(self.command), None)
        # What has begun goes on without the patience for a beginning.
        self.connection.patience(self.timeouts.message)
        collected = bytearray()
        while control & 1:
            collected += data
            if len(collected) > cmd.COMMAND_CAP:
                raise ul.Violation("a command set of more than 64 KiB", 6)
            if control & 2:
                self.command = bytes(collected)
                return Message(context, cmd.unpack(self.command), None)
            _, control, data = self._rest(context, cancel)
        raise ul.Violation("a data set fragment where a command set belongs", 2)

    def collect(self, message: Message, seconds: float | None = None, cancel: threading.Event | None = None) -> bytes:
        """The whole identifier that follows a command, empty where the command has none; Violation over the cap."""
        if not message.command.has_data:
            return b""
        found, size = [], 0
        for parts in self.data(message.context, seconds, cancel):
            found.append(b"".join(parts))
            size += len(found[-1])
            if size > self.identifier_cap:
                raise ul.Violation(f"a data set of more than {self.identifier_cap >> 20} MiB for an identifier", 0)
        return found[0] if len(found) == 1 else b"".join(found)

    def skip(self, message: Message) -> None:
        """Read past the data set of a command, where there is one."""
        if message.command.has_data:
            for _ in self.data(message.context):
                pass

    def data(
        self, context: int, seconds: float | None = None, cancel: threading.Event | None = None
    ) -> Iterator[list[memoryview]]:
        """The data set that follows a command, in lists of what came at a time, each valid until the next.

        Cancelled in its middle leaves the association fit only for an abort.
        """
        connection = self.connection
        connection.patience(self.timeouts.message if seconds is None else seconds)
        control = 0
        while not control & 2:
            parts: list[memoryview] = []
            size = 0
            while not control & 2 and (not parts or connection.keep(size < _AT_A_TIME)):
                where, control, data = connection.piece(cancel) or self._rest(context, cancel)
                if control & 1 or where != context:
                    raise ul.Violation("a fragment that does not belong to the data set being sent", 2)
                parts.append(data)
                size += len(data)
            connection.drop()
            yield parts

    def _rest(self, context: int, cancel: threading.Event | None) -> tuple[int, int, memoryview]:
        """The next piece of a message that has begun."""
        piece = self._piece(cancel)
        if piece is None:
            raise ul.Violation("A-RELEASE-RQ inside a message", 2)
        if piece[0] != context:
            raise ul.Violation("a fragment that does not belong to the message being sent", 2)
        return piece

    def _piece(self, cancel: threading.Event | None) -> tuple[int, int, memoryview] | None:
        piece = self.connection.piece(cancel)
        if piece is not None:
            if piece[0] not in self.contexts:
                raise ul.Violation(f"presentation context {piece[0]}, which was not accepted", 6)
            return piece
        kind, body = self.connection.read(self.timeouts.message, cancel)
        if kind == ul.RELEASE_RQ:
            with contextlib.suppress(Unreachable):
                self.connection.send([_release(ul.RELEASE_RP)], self.timeouts.association)
            self.open = False
            return None
        if kind == ul.ABORT:
            self.open = False
            raise _aborted(self.connection.who, body)
        raise ul.Violation(f"a PDU of type {kind:#04x} on an open association", 2)

    # ------------------------------------------------------------------ closing

    def release(self) -> None:
        """Ask for release, wait two seconds for the answer, close; never raises (the work is done by then)."""
        deadline = time.monotonic() + _RELEASE_SECONDS
        try:
            if self.open:
                self.open = False
                self.connection.send([_release(ul.RELEASE_RQ)], _RELEASE_SECONDS)
                while (left := deadline - time.monotonic()) > 0:
                    kind, _ = _expect(self.connection, left, "timeout:association")
                    if kind in (ul.RELEASE_RP, ul.ABORT):
                        break
                    if kind == ul.RELEASE_RQ:
                        self.connection.send([_release(ul.RELEASE_RP)], left)
        except (Unreachable, ul.Violation):
            pass
        finally:
            self.connection.close()

    def abort(self, source: int = 0, reason: int = 0) -> None:
        """A-ABORT (source 0: the user, 2: the provider) and close; never raises."""
        if self.open:
            self.open = False
            _send_abort(self.connection, source, reason)
        self.connection.close()


# ---------------------------------------------------------------------- PDUs


def _reject(connection: ul.Connection, rejection: Rejection, seconds: float) -> None:
    connection.send([bytes((ul.ASSOCIATE_RJ, 0, 0, 0, 0, 4, 0, *rejection))], seconds)
    connection.linger(1.0)


def _release(kind: int) -> bytes:
    return bytes((kind, 0, 0, 0, 0, 4, 0, 0, 0, 0))


def _send_abort(connection: ul.Connection, source: int, reason: int) -> None:
    with contextlib.suppress(Unreachable):
        connection.send([bytes((ul.ABORT, 0, 0, 0, 0, 4, 0, 0, source, reason))], 1.0)


def _aborted(who: str, body: memoryview) -> Unreachable:
    source, reason = body[2], body[3]
    return Unreachable(f"{who} aborted the association.", f"abort:{source}:{reason}")


def _expect(connection: ul.Connection, seconds: float, code: str) -> tuple[int, memoryview]:
    try:
        return connection.read(seconds)
    except Unreachable as error:
        if error.code == "timeout:message":
            raise Unreachable(f"{connection.who} connects but says nothing for {seconds:g} s.", code) from None
        raise
