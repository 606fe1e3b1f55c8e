"""C-STORE as SCP: one instance from its command to its response (PS3.7 9.1.1, PS3.4 B.2)."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from collections.abc import Callable, Iterator, Mapping

from pacs_tui.dimse import command as cmd
from pacs_tui.dimse.association import Association, Message
from pacs_tui.dimse.dataset import Truncated
from pacs_tui.dimse.identifier import HEAD_CAP, Attributes, head
from pacs_tui.dimse.services import Incoming
from pacs_tui.dimse.upper_layer import Violation
from pacs_tui.errors import Refused
from pacs_tui.model.transfer import StoreRequest, is_uid

_log = logging.getLogger(__name__)
_OUT_OF_RESOURCES = 0xA700
_CANNOT_UNDERSTAND = 0xC000
_INVALID_INSTANCE = 0x0117
_FAILURE = 0x0110
_NOT_SUPPORTED = 0x0122
_FIRST_LOOK = 1 << 13


def receive_instance(
    association: Association, message: Message, begin: Callable[[StoreRequest], Incoming],
    cancel: threading.Event | None = None, cap: int = sys.maxsize,
) -> tuple[StoreRequest, int]:  # fmt: skip
    """Stream a data set of at most `cap` bytes to what `begin` opens and answer; the status that was answered.

    Nothing is decoded but the head of the data set, and no more than a receive buffer is held. A refusal still reads
    the data set to its end, so that the association stays in step; Violation where that end does not come.
    """
    command = message.command
    context = association.contexts[message.context]
    request = StoreRequest(
        association.calling, association.called, association.host, command.text(cmd.AFFECTED_CLASS),
        command.text(cmd.AFFECTED_INSTANCE), context.transfer_syntax, command.text(cmd.ORIGINATOR),
    )  # fmt: skip
    has_data = message.command.has_data
    reading = association.data(message.context, cancel=cancel) if has_data else iter(())
    status, comment = _take(reading, request, context.abstract_syntax, begin, cap)
    elements: list[tuple[int, cmd.Value]] = [
        (cmd.AFFECTED_CLASS, request.sop_class[:64]),
        (cmd.FIELD, cmd.C_STORE_RSP),
        (cmd.RESPONDED_ID, command.number(cmd.MESSAGE_ID)),
        (cmd.DATA_SET_TYPE, cmd.NO_DATA_SET),
        (cmd.STATUS, status),
    ]
    if comment:
        who = association.connection.who
        _log.warning("%s (%s): %r refused: %s", request.calling, who, request.sop_instance[:64], comment)
        elements.append((cmd.COMMENT, comment[:64]))
    elements.append((cmd.AFFECTED_INSTANCE, request.sop_instance[:64]))
    association.send(message.context, cmd.pack(*elements))
    return request, status


def _take(
    reading: Iterator[list[memoryview]], request: StoreRequest, abstract_syntax: str,
    begin: Callable[[StoreRequest], Incoming], cap: int,
) -> tuple[int, str]:  # fmt: skip
    incoming: Incoming | None = None
    try:
        if not is_uid(request.sop_instance) or not is_uid(request.sop_class):
            raise Refused("the command names no valid SOP class and instance", "", status=_INVALID_INSTANCE)
        if request.sop_class != abstract_syntax:
            raise Refused("the SOP class is not that of the context", "", status=_NOT_SUPPORTED)
        incoming = begin(request)
        attributes = _stream(reading, request, incoming, cap)
        taken, incoming = incoming, None
        return taken.commit(attributes), ""
    except Refused as error:
        if incoming is not None:
            incoming.abort()
        _drain(reading, cap)
        return error.status or _FAILURE, str(error)
    except BaseException:
        if incoming is not None:
            incoming.abort()
        raise


def _drain(reading: Iterator[list[memoryview]], cap: int) -> None:
    """Read on to the end of a refused data set, but not for ever."""
    size = 0
    for parts in reading:
        size += sum(map(len, parts))
        if size > cap:
            raise Violation(f"a refused data set that does not end within {cap} bytes", 0)


def _stream(
    reading: Iterator[list[memoryview]], request: StoreRequest, incoming: Incoming, cap: int
) -> Mapping[str, str]:
    found = _Head(request.transfer_syntax)
    size = 0
    for parts in reading:
        size += sum(map(len, parts))
        if size > cap:
            raise Refused(f"larger than the {cap >> 20} MiB taken here", "", status=_OUT_OF_RESOURCES)
        if found.attributes is None:
            found.feed(parts)
        incoming.write(parts)
    if not size:
        raise Refused("an empty data set", "", status=_CANNOT_UNDERSTAND)
    return found.end(size)


class _Head:
    """The head of a data set, scanned in as few of its first bytes as hold it."""

    def __init__(self, transfer_syntax: str) -> None:
        self.attributes: Attributes | None = None
        self._syntax = transfer_syntax
        self._kept = bytearray()
        self._look_at = 0

    def feed(self, parts: list[memoryview]) -> None:
        """The next bytes; looked at again only when they have doubled: tiny fragments must not cost their square."""
        kept = self._kept
        for part in parts:
            at = 0
            while at < len(part) and len(kept) < HEAD_CAP:
                step = part[at : at + max(_FIRST_LOOK, len(kept))]
                at += len(step)
                kept += step
                if len(kept) >= self._look_at:
                    self._look_at = 2 * len(kept)
                    with contextlib.suppress(Truncated):
                        self.attributes = head(bytes(kept), self._syntax, False)
                        return

    def end(self, size: int) -> Attributes:
        """What was found, after a data set of `size` bytes."""
        if self.attributes is None:
            self.attributes = head(bytes(self._kept), self._syntax, size == len(self._kept))
        return self.attributes
