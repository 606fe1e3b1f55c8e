"""The services of one accepted association: reads commands, asks `Services`, answers (PS3.4 annexes A, B, C)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pacs_tui.dimse import command as cmd
from pacs_tui.dimse import contexts as ctx
from pacs_tui.dimse import storing
from pacs_tui.dimse.association import Association, Message
from pacs_tui.dimse.identifier import RowEncoder, decode_request, encode_keys
from pacs_tui.dimse.receiving import receive_instance
from pacs_tui.dimse.services import Services
from pacs_tui.dimse.upper_layer import Violation, p_data, p_data_header
from pacs_tui.errors import NetworkError, Refused, Unreachable, UsageError
from pacs_tui.model.find import FindRequest
from pacs_tui.model.level import Level, Root
from pacs_tui.model.node import Node
from pacs_tui.model.tag import Element
from pacs_tui.model.transfer import Held, Sent, Target

_log = logging.getLogger(__name__)
_SUCCESS, _PENDING, _CANCEL = 0x0000, 0xFF00, 0xFE00
_IDENTIFIER_MISMATCH, _UNABLE, _MOVE_DESTINATION, _UNRECOGNIZED = 0xA900, 0xC000, 0xA801, 0x0211
_SOME_FAILED, _ALL_FAILED = 0xB000, 0xA702
_FIRST_FLUSH, _FLUSH = 4096, 60_000
_PENDING_SECONDS = 0.25

Connect = Callable[[Node, Sequence[ctx.Proposal]], Association]
"""An association to a move destination, for the sub-operations."""


@dataclass
class _Tally:
    """Sub-operations of a retrieve (PS3.4 C.4.2.1.6)."""

    remaining: int
    completed: int = 0
    failed: int = 0
    warning: int = 0

    def add(self, sent: Sent) -> None:
        self.remaining -= 1
        if sent.status == 0:
            self.completed += 1
        elif sent.kept:
            self.warning += 1
        else:
            self.failed += 1


class Provider:
    """Serves one association until it ends. Violations and broken lines are the caller's."""

    def __init__(
        self, association: Association, services: Services, idle_seconds: float,
        connect: Connect,
    ) -> None:  # fmt: skip
        self._association = association
        self._services = services
        self._idle_seconds = idle_seconds
        self._connect = connect
        self._cancel_seen = False

    def run(self) -> None:
        """Serve until the peer releases."""
        handlers = {
            cmd.C_ECHO_RQ: self._echo, cmd.C_FIND_RQ: self._find, cmd.C_MOVE_RQ: self._move, cmd.C_GET_RQ: self._get,
        }  # fmt: skip
        while (message := self._next()) is not None:
            field = message.command.number(cmd.FIELD)
            if field == cmd.C_STORE_RQ:
                receive_instance(self._association, message, self._services.store)
            elif field in handlers:
                handlers[field](message)
            elif field != cmd.C_CANCEL_RQ:
                self._association.collect(message)
                self._respond(message, field | 0x8000, _UNRECOGNIZED, "this service is not offered here")

    def _next(self) -> Message | None:
        # Between two operations nothing is lost when the listener closes.
        self._association.connection.idle = True
        message = self._association.receive_command(self._idle_seconds)
        self._association.connection.idle = False
        return message

    def _echo(self, message: Message) -> None:
        self._respond(message, cmd.C_ECHO_RSP, _SUCCESS)

    # ------------------------------------------------------------------ C-FIND

    def _find(self, message: Message) -> None:
        association = self._association
        context = association.contexts[message.context]
        try:
            level, keys = self._identifier(message)
            if context.abstract_syntax not in ctx.FIND.values():
                raise Refused("C-FIND in a context of another service", "", status=0x0122)
            root = ctx.ROOT_OF[context.abstract_syntax]
            answer = self._services.find(FindRequest(association.called, root, level, keys))
            encoder = RowEncoder(answer.columns, level, context.transfer_syntax != ctx.IMPLICIT)
            status = self._stream(message, (encoder.encode(row) for row in answer.rows))
            self._respond(message, cmd.C_FIND_RSP, status)
        except Refused as error:
            self._respond(message, cmd.C_FIND_RSP, error.status or _UNABLE, str(error))

    def _stream(self, message: Message, rows: Iterator[bytes]) -> int:
        """Pending responses; the first leave at once, then in larger writes, between which a C-CANCEL is looked for."""
        association = self._association
        command = message.command
        pending = p_data(message.context, 3, cmd.pack(
            (cmd.AFFECTED_CLASS, command.text(cmd.AFFECTED_CLASS)), (cmd.FIELD, cmd.C_FIND_RSP),
            (cmd.RESPONDED_ID, command.number(cmd.MESSAGE_ID)), (cmd.DATA_SET_TYPE, cmd.DATA_SET),
            (cmd.STATUS, _PENDING)))  # fmt: skip
        out: list[bytes | memoryview] = []
        size, flush = 0, _FIRST_FLUSH
        for row in rows:
            out.append(pending)
            for at in range(0, len(row), association.fragment):
                part = row[at : at + association.fragment]
                last = at + association.fragment >= len(row)
                out += (p_data_header(message.context, 2 if last else 0, len(part)), part)
            size += len(row) + 100
            if size >= flush:
                association.connection.send([b"".join(out)], association.timeouts.message)
                out, size, flush = [], 0, _FLUSH
                if self._cancelled(message):
                    return _CANCEL
        if out:
            association.connection.send([b"".join(out)], association.timeouts.message)
        return _SUCCESS

    # ------------------------------------------------------------------ C-MOVE and C-GET

    def _move(self, message: Message) -> None:
        association = self._association
        try:
            targets = self._targets(message, ctx.MOVE)
            title = message.command.text(cmd.DESTINATION)
            node = self._services.destination(association.called, title)
            if node is None:
                raise Refused(f"the move destination {title} is not known here", "", status=_MOVE_DESTINATION)
            instances = [h for t in targets for h in self._services.retrieve(association.called, t)]
        except Refused as error:
            self._respond(message, cmd.C_MOVE_RSP, error.status or _UNABLE, str(error))
            return
        self._retrieve(message, cmd.C_MOVE_RSP, instances, self._sub_move(message, node, instances))

    def _sub_move(self, message: Message, node: Node, instances: Sequence[Held]) -> Iterator[tuple[Held, Sent]]:
        originator, number = self._association.calling, message.command.number(cmd.MESSAGE_ID)
        for batch in storing.batches(instances):
            wanted = ctx.for_storage((h.sop_class, h.transfer_syntax) for h in batch)
            sender: Association | None = None
            done = 0
            try:
                sender = self._connect(node, wanted)
                for held in batch:
                    sent = storing.store(sender, held, originator, number)
                    assert sent is not None
                    done += 1
                    yield held, sent
                sender.release()
            except (NetworkError, Violation) as error:
                _log.warning("C-MOVE to %s: %s", node.ae_title, error)
                for held in batch[done:]:
                    yield held, Sent(held.sop_instance, _ALL_FAILED, str(error))
            finally:
                if sender is not None:
                    sender.abort()

    def _get(self, message: Message) -> None:
        try:
            targets = self._targets(message, ctx.GET)
            instances = [h for t in targets for h in self._services.retrieve(self._association.called, t)]
        except Refused as error:
            self._respond(message, cmd.C_GET_RSP, error.status or _UNABLE, str(error))
            return
        self._retrieve(message, cmd.C_GET_RSP, instances, self._sub_get(message, instances))

    def _sub_get(self, message: Message, instances: Sequence[Held]) -> Iterator[tuple[Held, Sent]]:
        """Sub-operations on the association of the C-GET itself, where a C-CANCEL may stand before an answer."""
        association = self._association
        for held in instances:
            sent = storing.store(association, held, answer=False)
            while sent is None:
                reply = association.receive().command
                if reply.number(cmd.FIELD) == cmd.C_CANCEL_RQ:
                    self._cancel_seen = True
                    continue
                sent = storing.answered(reply, held)
            yield held, sent

    def _retrieve(
        self, message: Message, field: int, instances: Sequence[Held], results: Iterator[tuple[Held, Sent]]
    ) -> None:
        tally = _Tally(len(instances))
        failed: list[str] = []
        last = time.monotonic()
        self._cancel_seen = False
        status = _SUCCESS
        for held, sent in results:
            tally.add(sent)
            if not sent.kept:
                failed.append(held.sop_instance)
            if self._cancelled(message):
                status = _CANCEL
                break
            now = time.monotonic()
            if tally.remaining and now - last >= _PENDING_SECONDS:
                last = now
                self._count(message, field, _PENDING, tally, ())
        if status == _SUCCESS and (failed or tally.warning):
            status = _ALL_FAILED if len(failed) == len(instances) else _SOME_FAILED
        self._count(message, field, status, tally, failed)

    def _count(self, message: Message, field: int, status: int, tally: _Tally, failed: Sequence[str]) -> None:
        command = message.command
        explicit = self._association.contexts[message.context].transfer_syntax != ctx.IMPLICIT
        data = None
        if failed:
            listed = {"FailedSOPInstanceUIDList": "\\".join(failed)}
            # An element of explicit VR UI holds 65,534 bytes: what does not fit is counted all the same.
            while explicit and len(listed["FailedSOPInstanceUIDList"]) > 65_000:
                failed = failed[: len(failed) // 2]
                listed = {"FailedSOPInstanceUIDList": "\\".join(failed)}
            data = encode_keys(listed, None, explicit)
        elements: list[tuple[int, cmd.Value]] = [
            (cmd.AFFECTED_CLASS, command.text(cmd.AFFECTED_CLASS)),
            (cmd.FIELD, field),
            (cmd.RESPONDED_ID, command.number(cmd.MESSAGE_ID)),
            (cmd.DATA_SET_TYPE, cmd.NO_DATA_SET if data is None else cmd.DATA_SET),
            (cmd.STATUS, status),
        ]
        if status in (_PENDING, _CANCEL):
            elements.append((cmd.REMAINING, min(tally.remaining, 0xFFFF)))
        for number, count in (
            (cmd.COMPLETED, tally.completed),
            (cmd.FAILED, tally.failed),
            (cmd.WARNING, tally.warning),
        ):
            elements.append((number, min(count, 0xFFFF)))
        self._association.send(message.context, cmd.pack(*elements), data)

    # ------------------------------------------------------------------ pieces

    def _cancelled(self, message: Message) -> bool:
        """True when a C-CANCEL for this message has come (PS3.7 9.3.2.3); anything else now breaks the protocol."""
        association = self._association
        while not self._cancel_seen and association.connection.readable():
            got = association.receive_command(association.timeouts.message)
            if got is None:
                raise Unreachable("the peer released the association before the operation ended", "closed")
            if got.command.number(cmd.FIELD) != cmd.C_CANCEL_RQ:
                raise Violation("a second operation on an association without an asynchronous window", 2)
            self._cancel_seen = got.command.number(cmd.RESPONDED_ID) == message.command.number(cmd.MESSAGE_ID)
        seen, self._cancel_seen = self._cancel_seen, False
        return seen

    def _identifier(self, message: Message) -> tuple[Level, tuple[Element, ...]]:
        context = self._association.contexts[message.context]
        try:
            return decode_request(self._association.collect(message), context.transfer_syntax)
        except ValueError as error:
            raise Refused(str(error), "", status=_IDENTIFIER_MISMATCH) from None

    def _targets(self, message: Message, classes: Mapping[Root, str]) -> list[Target]:
        """One target for each UID of the identifier's level (PS3.4 C.4.2.2.1)."""
        context = self._association.contexts[message.context]
        level, keys = self._identifier(message)
        if context.abstract_syntax not in classes.values():
            raise Refused("a retrieve in a context of another service", "", status=0x0122)
        text = {key.tag: key.text for key in keys}
        patient = text.get(0x00100020, "")
        studies, series, images = (_uids(text, tag) for tag in (0x0020000D, 0x0020000E, 0x00080018))
        try:
            if level is Level.PATIENT:
                found = [Target(level, patient)] if patient else []
            elif level is Level.STUDY:
                found = [Target(level, patient, study) for study in studies]
            elif level is Level.SERIES:
                found = [Target(level, patient, studies[0], one) for one in series] if len(studies) == 1 else []
            else:
                whole = len(studies) == 1 and len(series) == 1 and images
                found = [Target(level, patient, studies[0], series[0], images)] if whole else []
        except UsageError as error:
            raise Refused(str(error), "", status=_IDENTIFIER_MISMATCH) from None
        if not found:
            raise Refused(f"the unique keys of level {level.value} are missing", "", status=_IDENTIFIER_MISMATCH)
        return found

    def _respond(self, message: Message, field: int, status: int, comment: str = "") -> None:
        command = message.command
        elements: list[tuple[int, cmd.Value]] = [
            (cmd.AFFECTED_CLASS, command.text(cmd.AFFECTED_CLASS)),
            (cmd.FIELD, field),
            (cmd.RESPONDED_ID, command.number(cmd.MESSAGE_ID)),
            (cmd.DATA_SET_TYPE, cmd.NO_DATA_SET),
            (cmd.STATUS, status),
        ]
        if comment:
            elements.append((cmd.COMMENT, comment[:64]))
        self._association.send(message.context, cmd.pack(*elements))


def _uids(text: Mapping[int, str], tag: int) -> tuple[str, ...]:
    return tuple(uid for uid in text.get(tag, "").split("\\") if uid)
