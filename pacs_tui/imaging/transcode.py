"""Instances in another transfer syntax, made by child processes with memory and time limits.

A decoder that crashes, hangs or swallows all memory costs one instance and not the archive. This module imports none.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from msgspec.structs import replace

from pacs_tui.errors import PictureError, StorageError
from pacs_tui.imaging import wire
from pacs_tui.imaging.process import Broken, Child
from pacs_tui.imaging.transcode_scratch import Scratch
from pacs_tui.model.transfer import Held

TARGETS = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2")
"""What can be written: Explicit and Implicit VR Little Endian, deflated, Explicit VR Big Endian. All native."""

_IDLE_SECONDS = 60.0


class Transcoder:
    """Call it with an instance and the transfer syntaxes the other side takes. Thread-safe; `close` ends it.

    Nothing starts before the first call, and children that nobody needed for a minute end; so one may be made before
    a process forks.
    """

    def __init__(
        self, scratch: Path, *, processes: int = 2, megabytes: int = 4096, seconds: float = 30.0,
        scratch_megabytes: int = 8192,
    ) -> None:  # fmt: skip
        """`megabytes` of address space for each child; `seconds` for an instance, and two more for each megabyte."""
        self._scratch = Scratch(scratch, scratch_megabytes)
        self._megabytes = megabytes
        self._seconds = seconds
        self._turns = threading.BoundedSemaphore(processes)
        self._guard = threading.Lock()
        self._idle: list[Child] = []
        self._busy: set[Child] = set()
        self._timer: threading.Timer | None = None
        self._closed = False

    @contextmanager
    def __call__(self, held: Held, syntaxes: Sequence[str]) -> Iterator[Held]:
        """The instance in the first of `syntaxes` that can be written; its file is deleted on leaving.

        Nothing is lost: pixels that were compressed are the decoder's, header and text stay byte for byte. PictureError
        says in a sentence why it cannot be done, StorageError that there is no scratch folder.
        """
        syntax = next((one for one in syntaxes if one in TARGETS), None)
        if syntax is None:
            raise PictureError("Of the transfer syntaxes that are accepted, none can be written here.")
        with ExitStack() as stack:
            yield self._made(held, syntax, stack)

    def close(self) -> None:
        """End every child; what is being transcoded ends with PictureError."""
        with self._guard:
            self._closed = True
            children = [*self._idle, *self._busy]
            self._idle.clear()
            if self._timer is not None:
                self._timer.cancel()
        for child in children:
            child.kill()
        self._scratch.close()

    def _made(self, held: Held, syntax: str, stack: ExitStack) -> Held:
        seconds = self._seconds + 2.0 * (_size(held.path) >> 20)
        order: wire.Head = {
            "path": str(held.path), "sop_class": held.sop_class, "sop_instance": held.sop_instance,
            "syntax": syntax, "seconds": seconds,
        }  # fmt: skip
        with self._turns:
            child = self._taken()
            sound = False
            try:
                size = _number(_ask(child, order, seconds), "size")
                path = stack.enter_context(self._scratch.room(size, self._seconds))
                _number(_ask(child, {"write": str(path), "seconds": seconds}, seconds), "written")
                sound = True
            except _Said as said:
                sound = True
                raise PictureError(str(said)) from None
            except (PictureError, StorageError):
                # no room; the child knows nothing of that
                sound = True
                raise
            except Broken as broken:
                raise PictureError("The transcoder was closed." if self._closed else str(broken)) from None
            finally:
                self._given_back(child, sound)
        return replace(held, transfer_syntax=syntax, path=path)

    def _taken(self) -> Child:
        with self._guard:
            if self._closed:
                raise PictureError("The transcoder was closed.")
            while self._idle:
                child = self._idle.pop()
                if child.process.poll() is None:
                    break
                child.kill()
            else:
                child = Child("pacs_tui.imaging.transcode_child", "The transcoder", self._megabytes)
            self._busy.add(child)
            return child

    def _given_back(self, child: Child, sound: bool) -> None:
        with self._guard:
            self._busy.discard(child)
            if sound and not self._closed:
                self._idle.append(child)
                if self._timer is not None:
                    self._timer.cancel()
                self._timer = threading.Timer(_IDLE_SECONDS, self._retire)
                self._timer.daemon = True
                self._timer.start()
                return
        child.kill()

    def _retire(self) -> None:
        with self._guard:
            children, self._idle = self._idle, []
        for child in children:
            child.kill()


class _Said(Exception):
    """The child's own sentence; it is still sound."""


def _ask(child: Child, order: wire.Head, seconds: float) -> wire.Head:
    head, _ = child.ask(wire.pack(order), seconds)
    if "error" in head:
        raise _Said(wire.line(head["error"]))
    return head


def _number(head: wire.Head, key: str) -> int:
    value = head.get(key)
    if not isinstance(value, int) or value < 0:
        raise Broken("The transcoder answered nonsense.")
    return value


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise PictureError(f"{path} cannot be read: {error.strerror}.") from None
