"""The sub-operations of a C-GET, over the association of the C-GET itself (PS3.4 C.4.3.3)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence

from pacs_tui.dimse import command as cmd
from pacs_tui.dimse.answering import cancelled
from pacs_tui.dimse.association import Association, Message
from pacs_tui.dimse.storing import Manner, Ready, Sender, answered
from pacs_tui.dimse.tally import Tally
from pacs_tui.errors import Unreachable
from pacs_tui.model.transfer import Held, Sent


class _Preparing(threading.Thread):
    """An instance being transcoded, which takes its time, while the association must not go silent."""

    def __init__(self, sender: Sender, held: Held) -> None:
        super().__init__(name="dimse-transcode", daemon=True)
        self._sender = sender
        self._held = held
        self._ready: Ready | Sent | None = None
        self._error: Exception | None = None

    def run(self) -> None:
        try:
            self._ready = self._sender.prepare(self._held)
        except Exception as error:  # noqa: BLE001  raised again where the result is asked for
            self._error = error

    def result(self) -> Ready | Sent:
        """What came of it, once the thread has ended."""
        if self._error is not None:
            raise self._error
        assert self._ready is not None
        return self._ready


class Returning:
    """`run` it, answer, `close` it on every path. One instance is prepared while the answer to the last is awaited."""

    def __init__(self, association: Association, manner: Manner, message: Message, tally: Tally) -> None:
        self._association = association
        self._sender = Sender(association, manner)
        self._message = message
        self._tally = tally
        self._cancelled = False
        self._next: Ready | Sent | _Preparing | None = None

    def run(self, instances: Sequence[Held]) -> bool:
        """Send everything back, counting; True when a C-CANCEL ended it."""
        upcoming = iter(instances)
        held = self._begin(upcoming)
        while held is not None:
            ready, this = self._prepared(), held
            if ready is None:
                break
            if isinstance(ready, Ready):
                self._sender.send(ready)
                held = self._begin(upcoming)
                sent = self._answer(this)
            else:
                sent = ready
                held = self._begin(upcoming)
            self._tally.add(this, sent)
            self._tally.tell()
            self._look()
            if self._cancelled:
                break
        return self._cancelled and self._tally.remaining > 0

    def close(self) -> None:
        """Give back what was prepared and not sent."""
        ahead, self._next = self._next, None
        if isinstance(ahead, _Preparing):
            ahead.join()
            ahead = ahead.result()
        if isinstance(ahead, Ready):
            ahead.done.close()

    def _begin(self, upcoming: Iterator[Held]) -> Held | None:
        """Prepare the next instance, in a thread where that is slow."""
        held = next(upcoming, None)
        if held is None:
            self._next = None
        elif self._sender.changes(held):
            self._next = _Preparing(self._sender, held)
            self._next.start()
        else:
            self._next = self._sender.prepare(held)
        return held

    def _prepared(self) -> Ready | Sent | None:
        """What was begun; None when a C-CANCEL came first."""
        ahead = self._next
        if isinstance(ahead, _Preparing):
            while ahead.is_alive() and not self._cancelled:
                ahead.join(min(0.25, self._tally.due))
                self._tally.tell()
                self._look()
            if self._cancelled:
                return None
            ahead = ahead.result()
        self._next = None
        return ahead

    def _look(self) -> None:
        """A C-CANCEL may stand between two sub-operations."""
        self._cancelled = self._cancelled or cancelled(self._association, self._message)

    def _answer(self, held: Held) -> Sent:
        """The C-STORE-RSP, before which a C-CANCEL may stand; pending responses while it does not come."""
        association = self._association
        deadline = time.monotonic() + association.timeouts.message
        while True:
            while not association.connection.readable(max(0.0, min(self._tally.due, deadline - time.monotonic()))):
                if time.monotonic() >= deadline:
                    raise Unreachable(f"{association.connection.who} is silent: no C-STORE-RSP.", "timeout:message")
                self._tally.tell()
            reply = association.receive().command
            if reply.number(cmd.FIELD) != cmd.C_CANCEL_RQ:
                return answered(reply, held)
            self._cancelled = reply.number(cmd.RESPONDED_ID) == self._message.command.number(cmd.MESSAGE_ID)
