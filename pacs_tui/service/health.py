"""Does a serving process serve: a C-ECHO over the network to its own port, and a question to its index."""

from __future__ import annotations

import logging
import secrets

from pacs_tui.archive.archive import Archive
from pacs_tui.dimse.listener import Listener
from pacs_tui.dimse.peer import Peer
from pacs_tui.dimse.services import Services
from pacs_tui.errors import PacsError, Refused
from pacs_tui.model.admission import Admission, Right
from pacs_tui.model.node import Node
from pacs_tui.settings import Timeouts

_TIMEOUTS = Timeouts(connect=5.0, association=5.0, message=5.0)
_TRANSIENT = "rj:2:"
"""A-ASSOCIATE-RJ, rejected transient (PS3.8 9.3.4)."""
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def password() -> str:
    """A calling AE title that nobody else knows; processes that share a port share it too."""
    return secrets.token_hex(8).upper()


class Watched:
    """The services of an archive, and a back door for our own echo, whoever may call otherwise."""

    def __init__(self, services: Services, title: str) -> None:
        self._services = services
        self._title = title
        self.store = services.store
        self.find = services.find
        self.retrieve = services.retrieve
        self.destination = services.destination

    def admit(self, calling: str, called: str, host: str) -> Admission:
        """As the archive does; our own echo always."""
        if calling.strip(" ") == self._title:
            return Admission(frozenset({Right.ECHO}))
        return self._services.admit(calling, called, host)


class Unsaid(logging.Filter):
    """Keeps our own echoes out of the log."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title

    def filter(self, record: logging.LogRecord) -> bool:
        return not (isinstance(record.args, tuple) and self._title in record.args)


class Check:
    """Asks the process it runs in; may block for some seconds."""

    def __init__(self, archive: Archive, listener: Listener, host: str, called: str, port: int, title: str) -> None:
        node = Node("self", called, _ANYWHERE.get(host, host), port)
        self._archive = archive
        self._listener = listener
        self._peer = Peer(node, title, _TIMEOUTS)

    def trouble(self) -> str:
        """Why it does not serve; empty where it does."""
        if not self._listener.accepting:
            return "Nobody accepts associations any more."
        try:
            list(self._peer.echo())
        except Refused as error:
            # who refuses because there are too many is busy, and well
            if not error.code.startswith(_TRANSIENT):
                return str(error)
        except PacsError as error:
            return str(error)
        try:
            self._archive.check()
        except PacsError as error:
            return str(error)
        return ""
