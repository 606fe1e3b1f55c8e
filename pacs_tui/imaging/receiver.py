"""The console's own storage SCP: takes the previews it asked for by C-MOVE, and nothing else."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from pacs_tui.errors import Refused
from pacs_tui.imaging.cache import CachedInstance, InstanceCache
from pacs_tui.model.admission import CALLED_TITLE, Admission, Right
from pacs_tui.model.find import FindAnswer, FindRequest
from pacs_tui.model.node import Node
from pacs_tui.model.transfer import Held, StoreRequest, Target

_UNRECOGNISED_OPERATION = 0x0211  # PS3.7 C.5


class Receiver:
    """The `Services` (dimse/services.py) behind the console's listener."""

    def __init__(self, cache: InstanceCache, title: str) -> None:
        self.title = title
        """Our AE title, the destination of a C-MOVE."""
        self._cache = cache
        self._guard = threading.Lock()
        self._wanted: Counter[str] = Counter()

    @contextmanager
    def expecting(self, uids: Iterable[str]) -> Iterator[None]:
        """Admit these instances while the block runs."""
        announced = list(uids)
        with self._guard:
            self._wanted.update(announced)
        try:
            yield
        finally:
            with self._guard:
                self._wanted.subtract(announced)
                self._wanted = +self._wanted

    def admit(self, calling: str, called: str, host: str) -> Admission:
        """Whoever calls us by our title: a C-STORE may come from another AE title or address than the query went to."""
        if called != self.title:
            return Admission(frozenset(), CALLED_TITLE)
        return Admission(frozenset((Right.ECHO, Right.STORE)))

    def store(self, request: StoreRequest) -> CachedInstance:
        """Begin to receive an announced instance; Refused (0x0124) for any other."""
        with self._guard:
            wanted = frozenset(self._wanted)
        return self._cache.receive(request, wanted)

    def find(self, request: FindRequest) -> FindAnswer:
        """Refused: there is nothing to be found here."""
        raise self._no_service("C-FIND")

    def retrieve(self, called: str, target: Target) -> Sequence[Held]:
        """Refused: nothing is given away."""
        raise self._no_service("a retrieve")

    def destination(self, called: str, title: str) -> Node | None:
        """None: nothing is sent from here."""
        return None

    def _no_service(self, what: str) -> Refused:
        return Refused(
            f"{self.title} only receives previews; it does not answer {what}.",
            f"status:{what}:{_UNRECOGNISED_OPERATION:04X}",
            status=_UNRECOGNISED_OPERATION,
        )
