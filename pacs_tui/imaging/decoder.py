"""Drawing in a child process, so that broken files, bombs and native crashes cost a sentence and not the console.

pydicom's decoders hold the interpreter lock for a whole frame and print to fd 2, which is the console's screen; a
thread would freeze and deface it. This module imports none of them.
"""

from __future__ import annotations

import threading
from pathlib import Path

from pacs_tui.errors import PictureError
from pacs_tui.imaging import wire
from pacs_tui.imaging.process import Broken, Child
from pacs_tui.model.picture import Canvas, Picture


class Decoder:
    """One child process that draws, replaced whenever it fails. Thread-safe: one picture at a time, others wait."""

    def __init__(self, megabytes: int = 2048, seconds: float = 10.0) -> None:
        """Limits of the child: address space, and wall time for one picture."""
        self._megabytes = megabytes
        self._seconds = seconds
        self._turn = threading.Lock()
        self._guard = threading.Lock()
        self._child: Child | None = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The child's process id, None while there is none."""
        child = self._child
        return child.process.pid if child is not None else None

    def warm(self) -> None:
        """Start the child now, without waiting until it is ready."""
        self._alive()

    def draw(self, path: Path, canvas: Canvas, frame: int | None = None) -> Picture:
        """The picture of a Part 10 file (`frame` from 1; None: the middle one); PictureError says why there is none."""
        with self._turn:
            child = self._alive()
            try:
                head, blobs = child.ask(wire.pack_request(str(path), canvas, frame, self._seconds), self._seconds)
                return wire.read_picture(head, blobs, canvas)
            except Broken as broken:
                self._drop(child)
                raise PictureError("The image decoder was closed." if self._closed else str(broken)) from broken

    def close(self) -> None:
        """End the child; a picture being drawn ends with PictureError."""
        with self._guard:
            self._closed = True
            child, self._child = self._child, None
        if child is not None:
            child.kill()

    def _alive(self) -> Child:
        """The child, started where there is none or it has died while nobody looked."""
        with self._guard:
            if self._closed:
                raise PictureError("The image decoder was closed.")
            if self._child is not None and self._child.process.poll() is not None:
                self._child.kill()
                self._child = None
            if self._child is None:
                self._child = Child("pacs_tui.imaging.child", "The image decoder", self._megabytes)
            return self._child

    def _drop(self, child: Child) -> None:
        child.kill()
        with self._guard:
            if self._child is child:
                self._child = None
