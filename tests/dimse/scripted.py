"""A peer that follows a script: real sockets, real associations, and then whatever the test wants it to do."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from pacs_tui.dimse import command as cmd
from pacs_tui.dimse.association import Association
from pacs_tui.dimse.identifier import encode_keys
from pacs_tui.dimse.upper_layer import Connection, Violation
from pacs_tui.errors import PacsError
from pacs_tui.model.admission import EVERY_RIGHT
from pacs_tui.model.level import Level
from pacs_tui.model.node import Node
from pacs_tui.settings import Timeouts

QUICK = Timeouts(connect=2.0, association=1.0, message=1.0, transfer=1.0, cancel_grace=0.3)


class ScriptedPeer:
    """Accepts connections and runs the script on each; counts them, and keeps what the script left to say."""

    def __init__(self, script: Callable[[Association], None], raw: bool = False) -> None:
        self.accepted = 0
        self.ended = threading.Event()
        self._script = script
        self._raw = raw
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._open: list[socket.socket] = []

    @property
    def node(self) -> Node:
        return Node("SCRIPT", "SCRIPT", "127.0.0.1", self._socket.getsockname()[1])

    def _serve(self) -> None:
        while True:
            try:
                accepted, _ = self._socket.accept()
            except OSError:
                return
            self.accepted += 1
            self._open.append(accepted)
            threading.Thread(target=self._one, args=(accepted,), daemon=True).start()

    def _one(self, accepted: socket.socket) -> None:
        connection = Connection(accepted, "the test", 131072)
        with suppress(PacsError, Violation, OSError):
            if self._raw:
                self._script(Association.unestablished(connection))
            else:
                association = Association.accept(connection, "127.0.0.1", Timeouts(), 10.0, lambda *_: EVERY_RIGHT)
                assert association is not None
                self._script(association)
        connection.close()
        self.ended.set()

    @contextmanager
    def running(self) -> Iterator[ScriptedPeer]:
        self._thread.start()
        try:
            yield self
        finally:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
            for accepted in self._open:
                with suppress(OSError):
                    accepted.shutdown(socket.SHUT_RDWR)


def row(association: Association, context: int, message_id: int, name: str) -> None:
    """One pending C-FIND-RSP."""
    explicit = association.contexts[context].transfer_syntax != "1.2.840.10008.1.2"
    command = cmd.pack(
        (cmd.FIELD, cmd.C_FIND_RSP), (cmd.RESPONDED_ID, message_id), (cmd.DATA_SET_TYPE, 1), (cmd.STATUS, 0xFF00)
    )
    association.send(context, command, encode_keys({"PatientName": name}, Level.STUDY, explicit))


def final(association: Association, context: int, message_id: int, field: int, status: int, comment: str = "") -> None:
    """A response without a data set."""
    elements: list[tuple[int, cmd.Value]] = [
        (cmd.FIELD, field), (cmd.RESPONDED_ID, message_id), (cmd.DATA_SET_TYPE, 0x0101), (cmd.STATUS, status),
    ]  # fmt: skip
    association.send(context, cmd.pack(*elements, *([(cmd.COMMENT, comment)] if comment else [])))
