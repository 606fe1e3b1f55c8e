"""One association, owned by one thread (PS3.8 9.2).

    requestor   Connection.open -> A-ASSOCIATE-RQ -> AC: established | RJ: Refused | ABORT, silence: Unreachable
    acceptor    A-ASSOCIATE-RQ within its time -> AC: established | RJ, then linger until the peer closes
    established P-DATA both ways -> A-RELEASE-RQ/RP: closed | A-ABORT from either side, broken line: closed
    collision   both ask for release: the requestor answers and waits for its RP, the acceptor the other way round

Negotiation goes through pynetdicom's PDU, primitive and presentation classes; data never does.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pacs_tui.dimse import command as cmd
from pacs_tui.dimse import negotiation as neg
from pacs_tui.dimse import upper_layer as ul
from pacs_tui.dimse.contexts import Context, Proposal
from pacs_tui.errors import Cancelled, Refused, Unreachable
from pacs_tui.settings import Timeouts

_DATA_CAP = 16 << 20
_OUR_PDU_CAP = 1 << 20
_CHUNKS = 512
_RELEASE_SECONDS = 2.0


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
        host: str, timeouts: Timeouts,
    ) -> None:  # fmt: skip
        self.connection = connection
        self.calling, self.called, self.host = calling, called, host
        self.contexts = {context.id: context for context in contexts}
        self.timeouts = timeouts
        # 0 means no limit (PS3.8 D.1.1); a fragment never needs more than a megabyte.
        self.fragment = min(peer_pdu or _OUR_PDU_CAP, _OUR_PDU_CAP) - 6
        self.open = True
        self._message_id = 0
        self._pending: Iterator[tuple[int, int, memoryview]] = iter(())

    @classmethod
    def unestablished(cls, connection: ul.Connection) -> Association:
        """For a connection on which no association came about: all it can do is abort."""
        return cls(connection, "", "", (), 0, "", Timeouts())

    # ------------------------------------------------------------------ opening

    @classmethod
    def request(
        cls, host: str, port: int, who: str, calling: str, called: str, proposals: Sequence[Proposal],
        timeouts: Timeouts, pdu_length: int = 131072,
    ) -> Association:  # fmt: skip
        """Connect and negotiate; Refused with `rj:result:source:reason`, Unreachable otherwise."""
        connection = ul.Connection.open(host, port, who, timeouts.connect, pdu_length)
        try:
            asked = [neg.requested(number, proposal) for number, proposal in enumerate(proposals)]
            request = neg.associate_rq(calling, called, asked, proposals, pdu_length)
            connection.send([request], timeouts.association)
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
        admit: Callable[[str, str], tuple[int, int, int] | None],
    ) -> Association | None:  # fmt: skip
        """Answer an A-ASSOCIATE-RQ; `admit(calling, called)` gives None or (result, source, reason). None: rejected."""
        kind, body = _expect(connection, request_seconds, "timeout:association")
        if kind != ul.ASSOCIATE_RQ:
            raise ul.Violation(f"a PDU of type {kind:#04x} before A-ASSOCIATE-RQ", 2)
        calling, called = neg.titles(body)
        # Strangers are turned away before their contexts are worth any work to us.
        refusal = admit(calling, called) if body[1] & 1 else (1, 2, 2)
        if refusal is None:
            primitive = neg.read_request(body)
            if str(primitive.application_context_name) != neg.APPLICATION_CONTEXT:
                refusal = (1, 1, 2)
        if refusal is not None:
            connection.send([bytes((3, 0, 0, 0, 0, 4, 0, *refusal))], request_seconds)
            connection.linger(1.0)
            return None
        contexts, answer, peer_pdu = neg.answer(primitive, connection.pdu_length)
        connection.send([answer], request_seconds)
        return cls(connection, calling, called, contexts, peer_pdu, host, timeouts)

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
            view, size, at = memoryview(data), len(data), 0
            while True:
                part = min(self.fragment, size - at)
                last = at + part >= size
                chunks += (ul.p_data_header(context, 2 if last else 0, part), view[at : at + part])
                at += part
                if last:
                    break
                if len(chunks) > _CHUNKS:
                    # A peer with tiny PDUs must not make us list a gigabyte in pieces.
                    self.connection.send(chunks, self.timeouts.message)
                    chunks = []
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
        collected = b""
        while True:
            fragment = self._fragment(self.timeouts.message if seconds is None else seconds, cancel)
            if fragment is None:
                return None
            context, control, data = fragment
            if not control & 1:
                raise ul.Violation("a data set fragment where a command set belongs", 2)
            if len(collected) + len(data) > cmd.COMMAND_CAP:
                raise ul.Violation("a command set of more than 64 KiB", 6)
            if control & 2 and not collected:
                return Message(context, cmd.unpack(data), None)
            collected += data
            if control & 2:
                return Message(context, cmd.unpack(collected), None)

    def collect(self, message: Message, seconds: float | None = None, cancel: threading.Event | None = None) -> bytes:
        """The whole identifier that follows a command, at most 16 MiB; empty where the command has none."""
        if not message.command.has_data:
            return b""
        parts, size = [], 0
        for part in self.data(message.context, seconds, cancel):
            size += len(part)
            if size > _DATA_CAP:
                raise ul.Violation(f"a data set of more than {_DATA_CAP >> 20} MiB where an identifier belongs", 0)
            parts.append(bytes(part))
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def data(
        self, context: int, seconds: float | None = None, cancel: threading.Event | None = None
    ) -> Iterator[memoryview]:
        """The fragments of the data set that follows a command; each view is valid until the next.

        Cancelled in its middle leaves the association fit only for an abort.
        """
        while True:
            fragment = self._fragment(self.timeouts.message if seconds is None else seconds, cancel)
            if fragment is None:
                raise ul.Violation("A-RELEASE-RQ inside a message", 2)
            where, control, data = fragment
            if control & 1 or where != context:
                raise ul.Violation("a fragment that does not belong to the message being sent", 2)
            yield data
            if control & 2:
                return

    def _fragment(self, seconds: float, cancel: threading.Event | None) -> tuple[int, int, memoryview] | None:
        for fragment in self._pending:
            if fragment[0] not in self.contexts:
                raise ul.Violation(f"presentation context {fragment[0]}, which was not accepted", 6)
            return fragment
        got = self.connection.read(seconds, cancel)
        if got is None:
            raise Cancelled("Cancelled.")
        kind, body = got
        if kind == ul.P_DATA_TF:
            self._pending = ul.pdvs(body)
            return self._fragment(seconds, cancel)
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
        got = connection.read(seconds)
    except Unreachable as error:
        if error.code == "timeout:message":
            raise Unreachable(f"{connection.who} connects but says nothing for {seconds:g} s.", code) from None
        raise
    if got is None:
        raise Cancelled("Cancelled.")
    kind, body = got
    if kind in (ul.ASSOCIATE_RJ, ul.ABORT) and len(body) < 4:
        raise ul.Violation("a short PDU", 6)
    return kind, body
