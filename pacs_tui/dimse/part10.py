"""Part 10 files as a sender needs them: File Meta Information, and where the data set begins (PS3.10 7.1)."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

from pacs_tui.dimse.dataset import LONG_VRS
from pacs_tui.dimse.identifier import head
from pacs_tui.errors import StorageError
from pacs_tui.model.transfer import Held, is_uid

_META_CAP = 1 << 16
_HEAD_BYTES = 1 << 18


def read_held(path: Path) -> Held:
    """The instance in a Part 10 file; StorageError in a sentence when it is none."""
    meta, _ = _read(path)
    values = [meta.get(number, b"").decode("ascii", "replace").strip(" \0") for number in (0x02, 0x03, 0x10)]
    if not all(map(is_uid, values)):
        raise StorageError(f"{path}: its File Meta Information names no valid SOP class, instance and transfer syntax.")
    return Held(values[0], values[1], values[2], path)


class MappedDataSet:
    """The data set of a Part 10 file as a view of mapped pages; use as a context manager."""

    def __init__(self, path: Path) -> None:
        _, self._offset = _read(path)
        self._path = path

    def __enter__(self) -> memoryview:
        try:
            with self._path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise StorageError(f"{self._path} cannot be read: {error}.") from None
        self._view = memoryview(self._map)
        self._slice = self._view[self._offset :]
        return self._slice

    def __exit__(self, *_: object) -> None:
        self._slice.release()
        self._view.release()
        try:
            self._map.close()
        except BufferError:
            # A fragment still held by a traceback keeps the pages; they go with it.
            pass


def _read(path: Path) -> tuple[dict[int, bytes], int]:
    try:
        with path.open("rb") as file:
            head = file.read(_META_CAP)
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}.") from None
    if head[128:132] != b"DICM":
        raise StorageError(f"{path} is not a DICOM file: no DICM after the preamble.")
    try:
        return _meta(head)
    except (struct.error, IndexError):
        raise StorageError(f"{path}: its File Meta Information is damaged.") from None


def _meta(head: bytes) -> tuple[dict[int, bytes], int]:
    found: dict[int, bytes] = {}
    at = 132
    while at + 8 <= len(head):
        group, number, vr, length = struct.unpack_from("<HH2sH", head, at)
        if group != 2:
            break
        value = at + 8
        if vr in LONG_VRS:
            (length,) = struct.unpack_from("<I", head, at + 8)
            value = at + 12
        at = value + length
        if at > len(head):
            raise IndexError
        found[number] = head[value:at]
    return found, at


def study_and_series(path: Path) -> tuple[str, str]:
    """StudyInstanceUID and SeriesInstanceUID of a Part 10 file, empty where it names none."""
    held = read_held(path)
    with MappedDataSet(path) as data:
        attributes = head(bytes(data[:_HEAD_BYTES]), held.transfer_syntax, True)
    return attributes.get("StudyInstanceUID", ""), attributes.get("SeriesInstanceUID", "")
