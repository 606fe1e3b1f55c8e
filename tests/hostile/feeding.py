"""An association on which bytes have come, and nothing more will."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pacs_tui.dimse.association import Association
from pacs_tui.dimse.contexts import EXPLICIT, IMPLICIT, VERIFICATION, Context
from pacs_tui.dimse.upper_layer import Connection
from pacs_tui.settings import Timeouts

CONTEXTS = (Context(1, VERIFICATION, IMPLICIT, True), Context(3, "1.2.3", EXPLICIT, True))


@contextmanager
def fed(data: bytes, contexts: Sequence[Context] = CONTEXTS) -> Iterator[Association]:
    """Less than a socket's buffer of them."""
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.setblocking(False)
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        connection = Connection(ours, "the test", 16384)
        try:
            yield Association(connection, "ME", "YOU", contexts, 16384, "127.0.0.1", Timeouts(message=5.0))
        finally:
            connection.close()
