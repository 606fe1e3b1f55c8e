"""The services of one accepted association: reads commands, asks `Services`, answers (PS3.4 annexes A, B, C)."""

from __future__ import annotations

import threading

from pacs_tui.dimse import command as cmd
from pacs_tui.dimse.answering import SUCCESS, respond
from pacs_tui.dimse.association import Association, Message
from pacs_tui.dimse.finding import Finding
from pacs_tui.dimse.receiving import receive_instance
from pacs_tui.dimse.retrieving import Outgoing, Retrieving
from pacs_tui.dimse.services import Services
from pacs_tui.dimse.watching import Watch
from pacs_tui.model.admission import Right
from pacs_tui.settings import Limits

_IDENTIFIER_CAP = 1 << 20
_UNRECOGNIZED, _NOT_AUTHORIZED = 0x0211, 0x0124
_RIGHTS = {
    cmd.C_ECHO_RQ: Right.ECHO, cmd.C_STORE_RQ: Right.STORE, cmd.C_FIND_RQ: Right.FIND,
    cmd.C_MOVE_RQ: Right.RETRIEVE, cmd.C_GET_RQ: Right.RETRIEVE,
}  # fmt: skip


class Provider:
    """Serves one association until it ends. Violations and broken lines are the caller's."""

    def __init__(
        self, association: Association, services: Services, limits: Limits, outgoing: Outgoing, watch: Watch,
        closing: threading.Event,
    ) -> None:  # fmt: skip
        """Once `closing` is set, the operation being served is the last."""
        self.operation = ""
        """What is being done now, as a listener's status tells it; empty between two operations."""
        self.instances = 0
        """Received and kept."""
        self._association = association
        association.identifier_cap = _IDENTIFIER_CAP
        self._services = services
        self._limits = limits
        self._closing = closing
        self._handlers = {
            cmd.C_ECHO_RQ: self._echo,
            cmd.C_STORE_RQ: self._store,
            cmd.C_FIND_RQ: Finding(association, services, watch).find,
        }
        retrieving = Retrieving(association, services, outgoing)
        self._handlers |= {cmd.C_MOVE_RQ: retrieving.move, cmd.C_GET_RQ: retrieving.get}

    def run(self) -> None:
        """Serve until the peer releases, or we close."""
        while (message := self._next()) is not None:
            field = message.command.number(cmd.FIELD)
            right = _RIGHTS.get(field)
            if right is None:
                if field != cmd.C_CANCEL_RQ:
                    self._refuse(message, field, _UNRECOGNIZED, "this service is not offered here")
            elif right not in self._association.rights:
                self._refuse(message, field, _NOT_AUTHORIZED, f"{self._association.calling} has no right to this here")
            else:
                self.operation = cmd.NAMES[field]
                self._handlers[field](message)

    def _next(self) -> Message | None:
        # Between two operations nothing is lost when the listener closes.
        self.operation = ""
        self._association.connection.idle = True
        if self._closing.is_set():
            # one that never pauses would keep us from ending
            return None
        message = self._association.receive_command(self._limits.idle_seconds)
        self._association.connection.idle = False
        return message

    def _echo(self, message: Message) -> None:
        self._association.skip(message)
        respond(self._association, message, cmd.C_ECHO_RSP, SUCCESS)

    def _store(self, message: Message) -> None:
        cap = self._limits.instance_megabytes << 20
        _, status = receive_instance(self._association, message, self._services.store, cap=cap)
        if status == SUCCESS or status >> 12 == 0xB:
            self.instances += 1

    def _refuse(self, message: Message, field: int, status: int, sentence: str) -> None:
        """Answer a command that is not served, after its data set was read past."""
        self._association.skip(message)
        respond(self._association, message, field | 0x8000, status, sentence)
