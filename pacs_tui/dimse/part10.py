"""Part 10 files as a sender needs them: File Meta Information, and where the data set begins (PS3.10 7.1)."""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
from collections.abc import Mapping
from pathlib import Path

from pacs_tui.dimse.dataset import LONG_VRS
from pacs_tui.dimse.identifier import head
from pacs_tui.errors import StorageError
from pacs_tui.model.transfer import Held, is_uid

_META_CAP = 1 << 16
_FIRST_LOOK = 1 << 12
_HEAD_BYTES = 1 << 18
_SMALL = 1 << 20


def read_held(path: Path) -> Held:
    """The instance in a Part 10 file; StorageError in a sentence when it is none."""
    meta, _ = read_meta(path)
    values = [_uid(meta, number) for number in (0x02, 0x03, 0x10)]
    if not all(map(is_uid, values)):
        raise StorageError(f"{path}: its File Meta Information names no valid SOP class, instance and transfer syntax.")
    return Held(values[0], values[1], values[2], path)


def read_meta(path: Path) -> tuple[dict[int, bytes], int]:
    """File Meta Information by element number, and the offset of the data set; StorageError where there is none."""
    try:
        descriptor = _open(path)
        try:
            return _read(descriptor, path)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _unreadable(path, error) from None


class MappedDataSet:
    """The data set of a Part 10 file as a view of mapped pages; use as a context manager."""

    def __init__(self, path: Path, held: Held | None = None) -> None:
        """StorageError when the file cannot be read or is no Part 10 file, or not that of `held`."""
        try:
            descriptor = _open(path)
            try:
                # Read, not looked at in the mapped pages: there a failing disk would end the process, not the call.
                meta, self._offset = _read(descriptor, path)
                if held is not None:
                    _check(meta, held)
                self._map = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
            finally:
                os.close(descriptor)
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from None
        self._view = memoryview(self._map)
        self._slice = self._view[self._offset :]

    def will_need(self) -> None:
        """Let the kernel read ahead."""
        with contextlib.suppress(OSError, AttributeError):
            self._map.madvise(mmap.MADV_WILLNEED)

    def __enter__(self) -> memoryview:
        return self._slice

    def __exit__(self, *_: object) -> None:
        self._slice.release()
        self._view.release()
        try:
            self._map.close()
        except BufferError:
            # A fragment still held by a traceback keeps the pages; they go with it.
            pass


class Reader:
    """Opens one instance after the other for a sender; small files go through one buffer, which is used again."""

    def __init__(self) -> None:
        # Whole pages: into a bytearray, which begins 16 bytes after one, the kernel copies at a third of the speed.
        self._buffer = memoryview(mmap.mmap(-1, _SMALL))

    def data_set(self, held: Held, done: contextlib.ExitStack) -> memoryview:
        """The data set of an instance, valid until `done` closes or the next one is asked for.

        StorageError, which names the path, when the file cannot be read, is damaged, or holds another instance. A small
        file has been read when this returns, so that a failing disk costs one instance and not the association.
        """
        path = held.path
        try:
            descriptor = _open(path)
            try:
                size = os.fstat(descriptor).st_size
                if size > _SMALL:
                    mapped = MappedDataSet(path, held)
                    mapped.will_need()
                    return done.enter_context(mapped)
                whole = self._buffer[:size]
                _fill(descriptor, whole)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise _unreadable(path, error) from None
        meta, offset = _parse(whole, path)
        _check(meta, held)
        if offset >= size:
            raise StorageError(f"{path} is damaged: it ends before its data set.")
        return whole[offset:]


def _open(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _fill(descriptor: int, whole: memoryview) -> None:
    at = 0
    while at < len(whole):
        got = os.preadv(descriptor, [whole[at:]], at)
        if not got:
            raise OSError(0, "it became shorter while it was read")
        at += got


def _unreadable(path: Path, error: OSError | ValueError) -> StorageError:
    return StorageError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.")


def _check(meta: Mapping[int, bytes], held: Held) -> None:
    """Refuse a file that is not what the index says: nobody must receive one instance under another's UID."""
    if _uid(meta, 0x03) != held.sop_instance or _uid(meta, 0x10) != held.transfer_syntax:
        raise StorageError(f"{held.path} is damaged: its File Meta Information is not that of {held.sop_instance}.")


def _uid(meta: Mapping[int, bytes], number: int) -> str:
    return meta.get(number, b"").decode("ascii", "replace").strip(" \0")


def _read(descriptor: int, path: Path) -> tuple[dict[int, bytes], int]:
    """File Meta Information and the offset of the data set."""
    first = os.pread(descriptor, _FIRST_LOOK, 0)
    if len(first) == _FIRST_LOOK:
        with contextlib.suppress(StorageError):
            meta, offset = _parse(first, path)
            if offset + 8 <= len(first):
                return meta, offset
        first = os.pread(descriptor, _META_CAP, 0)
    return _parse(first, path)


def _parse(data: bytes | memoryview, path: Path) -> tuple[dict[int, bytes], int]:
    if bytes(data[128:132]) != b"DICM":
        raise StorageError(f"{path} is not a DICOM file: no DICM after the preamble.")
    try:
        return _meta(data)
    except (struct.error, IndexError):
        raise StorageError(f"{path}: its File Meta Information is damaged.") from None


def _meta(data: bytes | memoryview) -> tuple[dict[int, bytes], int]:
    found: dict[int, bytes] = {}
    at = 132
    while at + 8 <= len(data):
        group, number, vr, length = struct.unpack_from("<HH2sH", data, at)
        if group != 2:
            break
        value = at + 8
        if vr in LONG_VRS:
            (length,) = struct.unpack_from("<I", data, at + 8)
            value = at + 12
        at = value + length
        if at > len(data):
            raise IndexError
        found[number] = bytes(data[value:at])
    return found, at


def study_and_series(path: Path) -> tuple[str, str]:
    """StudyInstanceUID and SeriesInstanceUID of a Part 10 file, empty where it names none."""
    held = read_held(path)
    with MappedDataSet(path) as data:
        attributes = head(bytes(data[:_HEAD_BYTES]), held.transfer_syntax, True)
    return attributes.get("StudyInstanceUID", ""), attributes.get("SeriesInstanceUID", "")
