"""What every service of ours needs while it answers: a response, the identifier of a request, a look for C-CANCEL."""

from __future__ import annotations

import logging

from pacs_tui.dimse import command as cmd
from pacs_tui.dimse.association import Association, Message
from pacs_tui.dimse.identifier import decode_request
from pacs_tui.dimse.upper_layer import Violation
from pacs_tui.errors import Refused, Unreachable
from pacs_tui.model.level import Level
from pacs_tui.model.tag import Element

_log = logging.getLogger(__name__)
_SAID = 200
SUCCESS, PENDING, CANCEL = 0x0000, 0xFF00, 0xFE00
IDENTIFIER_MISMATCH, UNABLE, WRONG_CLASS = 0xA900, 0xC000, 0x0122


def respond(association: Association, message: Message, field: int, status: int, comment: str = "") -> None:
    """A response without a data set; one with a comment says no, and is logged."""
    command = message.command
    elements: list[tuple[int, cmd.Value]] = [
        (cmd.AFFECTED_CLASS, command.text(cmd.AFFECTED_CLASS)[:64]),
        (cmd.FIELD, field),
        (cmd.RESPONDED_ID, command.number(cmd.MESSAGE_ID)),
        (cmd.DATA_SET_TYPE, cmd.NO_DATA_SET),
        (cmd.STATUS, status),
    ]
    if comment:
        note_refusal(association, message, status, comment)
        elements.append((cmd.COMMENT, comment[:64]))
    association.send(message.context, cmd.pack(*elements))


def note_refusal(association: Association, message: Message, status: int, sentence: str) -> None:
    """One line of the log: who was denied what, and why."""
    field = message.command.number(cmd.FIELD)
    _log.warning(
        "%s (%s) -> %s: %s refused: %s (%04X)", association.calling, association.connection.who, association.called,
        cmd.NAMES.get(field, f"command {field:04X}"), sentence[:_SAID], status,
    )  # fmt: skip


def identifier(association: Association, message: Message) -> tuple[Level, tuple[Element, ...]]:
    """Level and keys of a request; Refused (A900) where they cannot be read."""
    context = association.contexts[message.context]
    try:
        return decode_request(association.collect(message), context.transfer_syntax)
    except ValueError as error:
        raise Refused(str(error), "", status=IDENTIFIER_MISMATCH) from None


def cancelled(association: Association, message: Message) -> bool:
    """True when a C-CANCEL for this message has come (PS3.7 9.3.2.3); anything else now breaks the protocol."""
    while association.connection.readable():
        got = association.receive_command(association.timeouts.message)
        if got is None:
            raise Unreachable("the peer released the association before the operation ended", "closed")
        if got.command.number(cmd.FIELD) != cmd.C_CANCEL_RQ:
            raise Violation("a second operation on an association without an asynchronous window", 2)
        if got.command.number(cmd.RESPONDED_ID) == message.command.number(cmd.MESSAGE_ID):
            return True
    return False
