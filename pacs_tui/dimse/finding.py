"""C-FIND as SCP (PS3.4 C.4.1): rows out as they come, C-CANCEL in between, and a status that says how it ended."""

from __future__ import annotations

import contextlib
import logging
import struct
import time
from collections.abc import Generator, Iterator, Sequence

from pacs_tui.dimse import command as cmd
from pacs_tui.dimse import contexts as ctx
from pacs_tui.dimse.answering import (
    CANCEL,
    IDENTIFIER_MISMATCH,
    PENDING,
    SUCCESS,
    UNABLE,
    WRONG_CLASS,
    cancelled,
    identifier,
    note_refusal,
)
from pacs_tui.dimse.association import Association, Message
from pacs_tui.dimse.rows import RowEncoder
from pacs_tui.dimse.services import Services
from pacs_tui.dimse.upper_layer import Violation, p_data, p_data_header
from pacs_tui.dimse.watching import Watch
from pacs_tui.errors import Refused, Unreachable
from pacs_tui.model.find import FindAnswer, FindRequest
from pacs_tui.model.level import Level, Root

_log = logging.getLogger(__name__)
PENDING_WARNING = 0xFF01
_OUR_FAULT = "the query failed here; the log of the archive says why"
_FIRST_FLUSH, _FLUSH = 4096, 60_000
_FLUSH_SECONDS = 0.05
"""Rows that come slowly are not kept waiting, and a C-CANCEL is looked for as often."""


class Finding:
    """The queries of one association, one at a time."""

    def __init__(self, association: Association, services: Services, watch: Watch) -> None:
        self._association = association
        self._services = services
        self._watch = watch

    def find(self, message: Message) -> None:
        """Answer a C-FIND-RQ."""
        try:
            request = self._request(message)
            answer = self._services.find(request)
        except Refused as error:
            self._end(message, error.status or UNABLE, error)
        else:
            self._stream(message, request.level, answer)

    def _request(self, message: Message) -> FindRequest:
        association = self._association
        level, keys = identifier(association, message)
        abstract = association.contexts[message.context].abstract_syntax
        if abstract not in ctx.FIND.values():
            raise Refused("C-FIND in a context of another service", "", status=WRONG_CLASS)
        root = ctx.ROOT_OF[abstract]
        if level not in root.levels:
            sentence = f"level {level.value} is not one of the {root.value} model"
            raise Refused(sentence, "", status=IDENTIFIER_MISMATCH, element="00080052")
        agreed = association.extended.get(abstract, ctx.Extended())
        return FindRequest(
            association.called, Root.PATIENT if root is Root.PATIENT_STUDY else root, level, keys,
            agreed.relational, agreed.combined, agreed.fuzzy, association.calling,
        )  # fmt: skip

    def _stream(self, message: Message, level: Level, answer: FindAnswer) -> None:
        """Pending responses and the final one; whatever ends the rows, those encoded until then leave before it."""
        association = self._association
        explicit = association.contexts[message.context].transfer_syntax != ctx.IMPLICIT
        outgoing = _Outgoing(association, message, PENDING_WARNING if answer.unsupported else PENDING)
        encode = RowEncoder(answer.columns, level, explicit).encode
        watched = self._watch.add(association.connection, answer.interrupt) if answer.interrupt else None
        rows = iter(answer.rows)
        status, error = SUCCESS, None
        try:
            for row in rows:
                if watched is not None:
                    watched.rows += 1
                if outgoing.add(encode(row)) and cancelled(association, message):
                    status = CANCEL
                    break
        except (Unreachable, Violation):
            raise
        except Exception as failure:  # noqa: BLE001  a query that fails must not cost the association
            error = failure
        finally:
            if watched is not None:
                self._watch.remove(watched)
            _close(rows)
        if error is not None:
            interrupted = watched is not None and watched.interrupted and cancelled(association, message)
            status = CANCEL if interrupted else _status(error)
            if status != CANCEL and isinstance(error, Refused):
                note_refusal(association, message, status, str(error))
        outgoing.end(final(message, status, None if status == CANCEL else error))

    def _end(self, message: Message, status: int, error: Exception) -> None:
        note_refusal(self._association, message, status, str(error))
        self._association.send(message.context, final(message, status, error))


class _Outgoing:
    """Pending responses on their way: the first leave soon, then many in one write."""

    def __init__(self, association: Association, message: Message, status: int) -> None:
        self._association = association
        self._context, self._fragment = message.context, association.fragment
        self._pending = p_data(message.context, 3, cmd.pack(
            (cmd.AFFECTED_CLASS, message.command.text(cmd.AFFECTED_CLASS)[:64]), (cmd.FIELD, cmd.C_FIND_RSP),
            (cmd.RESPONDED_ID, message.command.number(cmd.MESSAGE_ID)), (cmd.DATA_SET_TYPE, cmd.DATA_SET),
            (cmd.STATUS, status)))  # fmt: skip
        self._out: list[bytes] = []
        self._size, self._full = 0, _FIRST_FLUSH
        self._flushed = time.monotonic()

    def add(self, row: bytes) -> bool:
        """Take one identifier; True when it and those before it left."""
        size = len(row)
        if size <= self._fragment:
            self._out += (self._pending, p_data_header(self._context, 2, size), row)
        else:
            self._out.append(self._pending)
            for at in range(0, size, self._fragment):
                part = row[at : at + self._fragment]
                self._out.append(p_data(self._context, 2 if at + self._fragment >= size else 0, part))
        self._size += size + 100
        if self._size < self._full and time.monotonic() - self._flushed < _FLUSH_SECONDS:
            return False
        self._flush()
        return True

    def end(self, command: bytes) -> None:
        """The final response, and what has not left yet before it."""
        self._out.append(p_data(self._context, 3, command))
        self._flush()

    def _flush(self) -> None:
        data = b"".join(self._out)
        self._out, self._size, self._full = [], 0, _FLUSH
        self._association.connection.send([data], self._association.timeouts.message)
        self._flushed = time.monotonic()


def final(message: Message, status: int, error: Exception | None = None) -> bytes:
    """The command set of the last C-FIND-RSP; a failure says why, and about which attribute (PS3.7 C.4)."""
    command = message.command
    elements: list[tuple[int, cmd.Value]] = [
        (cmd.AFFECTED_CLASS, command.text(cmd.AFFECTED_CLASS)[:64]),
        (cmd.FIELD, cmd.C_FIND_RSP),
        (cmd.RESPONDED_ID, command.number(cmd.MESSAGE_ID)),
        (cmd.DATA_SET_TYPE, cmd.NO_DATA_SET),
        (cmd.STATUS, status),
    ]
    if isinstance(error, Refused):
        with contextlib.suppress(ValueError, struct.error):
            group, element = struct.unpack(">HH", bytes.fromhex(error.facts.get("element", "")))
            elements.append((cmd.OFFENDING, struct.pack("<HH", group, element)))
    if error is not None:
        elements.append((cmd.COMMENT, (str(error) if isinstance(error, Refused) else _OUR_FAULT)[:64]))
    return cmd.pack(*elements)


def _status(error: Exception) -> int:
    if isinstance(error, Refused):
        return error.status or UNABLE
    _log.error("a query failed", exc_info=error)
    return UNABLE


def _close(rows: Iterator[Sequence[str]]) -> None:
    """End a generator here, in the thread that read it."""
    if isinstance(rows, Generator):
        try:
            rows.close()
        except Exception:  # noqa: BLE001  what was sent stands
            _log.exception("a query did not end cleanly")
