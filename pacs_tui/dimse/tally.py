"""The sub-operations of a retrieve, counted, and the responses that tell the count (PS3.4 C.4.2.1.6, C.4.3.1.4)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from pacs_tui.dimse import command as cmd
from pacs_tui.dimse import contexts as ctx
from pacs_tui.dimse.answering import CANCEL, PENDING, SUCCESS
from pacs_tui.dimse.association import Association, Message
from pacs_tui.dimse.identifier import encode_keys
from pacs_tui.model.transfer import Held, Sent

SOME_FAILED, ALL_FAILED = 0xB000, 0xA702
LARGEST_COUNT = 0xFFFF
"""Counts are US; what lies beyond is told as this, and in the final response's Error Comment."""
_LARGEST_LIST = 0xFFFE
_SOONEST, _LATEST = 0.25, 1.0


class Tally:
    """Counts what came of each sub-operation, and paces the pending responses: four a second at most, one at least."""

    def __init__(self, association: Association, message: Message, field: int, total: int) -> None:
        self.remaining = self.total = total
        self.completed = self.warning = 0
        self.failed: list[str] = []
        self._association = association
        self._message = message
        self._field = field
        self._told = time.monotonic()
        self._changed = False

    def add(self, held: Held, sent: Sent) -> None:
        """Count one sub-operation."""
        self.remaining -= 1
        self._changed = True
        if sent.status == 0:
            self.completed += 1
        elif sent.kept:
            self.warning += 1
        else:
            self.failed.append(held.sop_instance)

    def add_all(self, results: Iterable[tuple[Held, Sent]]) -> None:
        """Count several."""
        for held, sent in results:
            self.add(held, sent)

    @property
    def due(self) -> float:
        """Seconds until a pending response is due, 0.0 when it is."""
        return max(0.0, self._told + (_SOONEST if self._changed else _LATEST) - time.monotonic())

    def tell(self) -> None:
        """Send a pending response where one is due, so that the requestor sees progress and never waits in vain."""
        if self.remaining and not self.due:
            self._told, self._changed = time.monotonic(), False
            self._send(PENDING, None, "")

    def finish(self, cancelled: bool) -> int:
        """Send the final response; its status."""
        status = SUCCESS
        if cancelled:
            status = CANCEL
        elif len(self.failed) == self.total and self.failed:
            status = ALL_FAILED
        elif self.failed or self.warning:
            status = SOME_FAILED
        explicit = self._association.contexts[self._message.context].transfer_syntax != ctx.IMPLICIT
        listed = _fitting(self.failed) if explicit else self.failed
        comment = ""
        if self.total > LARGEST_COUNT:
            comment = f"of {self.total}: {self.completed} completed, {len(self.failed)} failed"
        elif len(listed) < len(self.failed):
            comment = f"{len(listed)} of {len(self.failed)} failed instances are listed"
        data = encode_keys({"FailedSOPInstanceUIDList": "\\".join(listed)}, None, explicit) if listed else None
        self._send(status, data, comment)
        return status

    def _send(self, status: int, data: bytes | None, comment: str) -> None:
        command = self._message.command
        elements: list[tuple[int, cmd.Value]] = [
            (cmd.AFFECTED_CLASS, command.text(cmd.AFFECTED_CLASS)[:64]),
            (cmd.FIELD, self._field),
            (cmd.RESPONDED_ID, command.number(cmd.MESSAGE_ID)),
            (cmd.DATA_SET_TYPE, cmd.NO_DATA_SET if data is None else cmd.DATA_SET),
            (cmd.STATUS, status),
        ]
        if comment:
            elements.append((cmd.COMMENT, comment[:64]))
        if status in (PENDING, CANCEL):
            elements.append((cmd.REMAINING, min(self.remaining, LARGEST_COUNT)))
        for number, count in (
            (cmd.COMPLETED, self.completed),
            (cmd.FAILED, len(self.failed)),
            (cmd.WARNING, self.warning),
        ):
            elements.append((number, min(count, LARGEST_COUNT)))
        self._association.send(self._message.context, cmd.pack(*elements), data)


def _fitting(uids: Sequence[str]) -> Sequence[str]:
    """As many as an element of explicit VR UI holds, whose length has 16 bits (PS3.5 7.1.2)."""
    size = -1
    for count, uid in enumerate(uids):
        size += len(uid) + 1
        if size > _LARGEST_LIST:
            return uids[:count]
    return uids
