"""One association kept open between queries."""

from __future__ import annotations

import threading
from collections.abc import Callable

from pacs_tui.dimse.association import Association

_IDLE_SECONDS = 30.0


class WarmAssociation:
    """Hands out the kept association, or opens another while it is in use; releases it after 30 idle seconds."""

    def __init__(self, connect: Callable[[], Association]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._kept: Association | None = None
        self._timer: threading.Timer | None = None
        self._closed = False

    def take(self) -> tuple[Association, bool]:
        """An open association and whether it was used before."""
        kept = self._remove()
        # Bytes that nobody asked for are an abort or the end of the line.
        if kept is not None and kept.open and not kept.connection.readable():
            return kept, True
        if kept is not None:
            kept.abort()
        return self._connect(), False

    def give_back(self, association: Association) -> None:
        """Keep it for the next query, unless it ended or another is kept already."""
        with self._lock:
            if association.open and self._kept is None and not self._closed:
                self._kept = association
                self._timer = threading.Timer(_IDLE_SECONDS, self._retire)
                self._timer.daemon = True
                self._timer.start()
                return
        association.release()

    def close(self) -> None:
        """Release what is kept; later ones are released as they come back."""
        self._closed = True
        self._retire()

    def _retire(self) -> None:
        kept = self._remove()
        if kept is not None:
            kept.release()

    def _remove(self) -> Association | None:
        with self._lock:
            kept, self._kept = self._kept, None
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            return kept
