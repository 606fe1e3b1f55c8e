"""C-STORE as SCP: one instance from its command to its response (PS3.7 9.1.1, PS3.4 B.2)."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Mapping

from pacs_tui.dimse import command as cmd
from pacs_tui.dimse.association import Association, Message
from pacs_tui.dimse.dataset import Truncated
from pacs_tui.dimse.identifier import HEAD_CAP, Attributes, head
from pacs_tui.dimse.services import Incoming
from pacs_tui.errors import Refused
from pacs_tui.model.transfer import StoreRequest, is_uid

_log = logging.getLogger(__name__)
_CANNOT_UNDERSTAND = 0xC000
_INVALID_INSTANCE = 0x0117
_FAILURE = 0x0110
_NOT_SUPPORTED = 0x0122


def receive_instance(
    association: Association, message: Message, begin: Callable[[StoreRequest], Incoming],
    cancel: threading.Event | None = None,
) -> tuple[StoreRequest, int]:  # fmt: skip
    """Stream a data set to what `begin` opens and answer; the status that was answered.

    Nothing is decoded but the head of the data set, and no more than a receive buffer is held. A refusal still reads
    the data set to its end, so that the association stays in step.
    """
    command = message.command
    context = association.contexts[message.context]
    request = StoreRequest(
        association.calling, association.called, association.host, command.text(cmd.AFFECTED_CLASS),
        command.text(cmd.AFFECTED_INSTANCE), context.transfer_syntax, command.text(cmd.ORIGINATOR),
    )  # fmt: skip
    has_data = message.command.has_data
    reading = association.data(message.context, cancel=cancel) if has_data else iter(())
    status, comment = _take(reading, request, context.abstract_syntax, begin)
    elements: list[tuple[int, cmd.Value]] = [
        (cmd.AFFECTED_CLASS, request.sop_class),
        (cmd.FIELD, cmd.C_STORE_RSP),
        (cmd.RESPONDED_ID, command.number(cmd.MESSAGE_ID)),
        (cmd.DATA_SET_TYPE, cmd.NO_DATA_SET),
        (cmd.STATUS, status),
    ]
    if comment:
        elements.append((cmd.COMMENT, comment[:64]))
    elements.append((cmd.AFFECTED_INSTANCE, request.sop_instance[:64]))
    association.send(message.context, cmd.pack(*elements))
    return request, status


def _take(
    reading: Iterator[memoryview], request: StoreRequest, abstract_syntax: str,
    begin: Callable[[StoreRequest], Incoming],
) -> tuple[int, str]:  # fmt: skip
    incoming: Incoming | None = None
    try:
        if not is_uid(request.sop_instance) or not is_uid(request.sop_class):
            raise Refused("the command names no valid SOP class and instance", "", status=_INVALID_INSTANCE)
        if request.sop_class != abstract_syntax:
            raise Refused("the SOP class is not that of the context", "", status=_NOT_SUPPORTED)
        incoming = begin(request)
        attributes = _stream(reading, request, incoming)
        taken, incoming = incoming, None
        return taken.commit(attributes), ""
    except Refused as error:
        if incoming is not None:
            incoming.abort()
        _log.warning("%r from %s refused: %s", request.sop_instance[:64], request.calling, error)
        for _ in reading:
            pass
        return error.status or _FAILURE, str(error)
    except BaseException:
        if incoming is not None:
            incoming.abort()
        raise


def _stream(reading: Iterator[memoryview], request: StoreRequest, incoming: Incoming) -> Mapping[str, str]:
    scanned: Attributes | None = None
    kept = bytearray()
    size = look_at = 0
    for part in reading:
        size += len(part)
        if scanned is None and len(kept) < HEAD_CAP:
            kept += part
            # Looked at again only when it has doubled: tiny fragments must not cost their square.
            if len(kept) >= look_at:
                look_at = 2 * len(kept)
                with contextlib.suppress(Truncated):
                    scanned = head(bytes(kept), request.transfer_syntax, False)
        incoming.write([part])
    if not size:
        raise Refused("an empty data set", "", status=_CANNOT_UNDERSTAND)
    return scanned if scanned is not None else head(bytes(kept), request.transfer_syntax, size == len(kept))
