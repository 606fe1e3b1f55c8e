"""What the console asks for a picture: fetch the instance, draw it, remember what was drawn."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from pacs_tui.errors import Cancelled
from pacs_tui.imaging.decoder import Decoder
from pacs_tui.model.picture import Canvas, Picture
from pacs_tui.model.transfer import Target

_KEPT = 24  # pictures; one with pixels takes up to some megabytes


class Viewer:
    """Pictures of instances and series at nodes. Thread-safe."""

    def __init__(self, fetch: Callable[[str, Target, threading.Event], Path], decoder: Decoder) -> None:
        self._fetch = fetch
        self._decoder = decoder
        self._guard = threading.Lock()
        self._drawn: OrderedDict[tuple[Path, Canvas], Picture] = OrderedDict()

    def picture(self, node: str, target: Target, canvas: Canvas, cancel: threading.Event) -> Picture:
        """The picture of an instance, or of the middle of a series; PictureError, NotFound, NetworkError, Cancelled."""
        path = self._fetch(node, target, cancel)
        if cancel.is_set():
            raise Cancelled("Cancelled: the picture was not drawn.")
        key = (path, canvas)
        with self._guard:
            if (picture := self._drawn.get(key)) is not None:
                self._drawn.move_to_end(key)
                return picture
        picture = self._decoder.draw(path, canvas)
        with self._guard:
            self._drawn[key] = picture
            while len(self._drawn) > _KEPT:
                self._drawn.popitem(last=False)
        return picture
