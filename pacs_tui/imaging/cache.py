"""Instances fetched for previews: a bounded folder of Part 10 files, least recently used thrown out first."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from pacs_tui.errors import Refused, StorageError
from pacs_tui.model.transfer import StoreRequest, is_uid

_OUT_OF_RESOURCES, _INVALID_INSTANCE, _NOT_AUTHORISED = 0xA700, 0x0117, 0x0124  # PS3.4 B.2.3, PS3.7 C.5
_DOES_NOT_MATCH = 0xA900
_LEFT_BEHIND = 3600.0  # seconds after which a file that was never finished belongs to a process that died


class InstanceCache:
    """Files named by a digest of their SOP Instance UID; several processes may share the folder."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self._folder = folder
        self._budget = megabytes << 20
        self._evicting = threading.Lock()

    def path(self, uid: str) -> Path | None:
        """The file of an instance, now the most recently used one; None where it is not held."""
        path = self._place(uid)
        try:
            os.utime(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(f"The preview cache {self._folder} cannot be read: {error.strerror}.") from error
        return path

    def receive(self, request: StoreRequest, wanted: AbstractSet[str] | None) -> CachedInstance:
        """Begin to receive an instance; Refused with a status where it is not in `wanted` (None admits all)."""
        for uid in (request.sop_instance, request.sop_class, request.transfer_syntax):
            if not is_uid(uid):
                raise _refused("The C-STORE request names something that is not a UID.", _INVALID_INSTANCE)
        if wanted is not None and request.sop_instance not in wanted:
            raise _refused("This instance was not asked for.", _NOT_AUTHORISED)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix="incoming-", dir=self._folder)
        except OSError as error:
            raise _refused(f"The preview cache cannot be written: {error.strerror}.", _OUT_OF_RESOURCES) from error
        incoming = CachedInstance(
            self, descriptor, Path(name), self._place(request.sop_instance), self._budget, request
        )
        try:
            incoming.write([request.part10_header()])
        except Refused:
            incoming.abort()
            raise
        return incoming

    def make_room(self, keep: Path) -> None:
        """Throw out the least recently used files beyond the budget, but not `keep`; and what dead processes left."""
        with self._evicting:
            held: list[tuple[float, int, Path]] = []
            for entry in os.scandir(self._folder):
                try:
                    status = entry.stat(follow_symlinks=False)
                    if entry.name.endswith(".dcm"):
                        held.append((status.st_mtime, status.st_size, Path(entry.path)))
                    elif entry.name.startswith("incoming-") and status.st_mtime < time.time() - _LEFT_BEHIND:
                        os.unlink(entry.path)
                except FileNotFoundError:  # another process was faster
                    continue
            total = sum(size for _, size, _ in held)
            for _, size, path in sorted(held):
                if total <= self._budget:
                    return
                if path != keep:
                    path.unlink(missing_ok=True)
                    total -= size

    def _place(self, uid: str) -> Path:
        return self._folder / (hashlib.sha256(uid.encode("utf-8", "surrogatepass")).hexdigest()[:40] + ".dcm")


class CachedInstance:
    """An instance on its way into the cache (an `Incoming` of dimse/services.py): nobody sees it before commit."""

    def __init__(
        self, cache: InstanceCache, descriptor: int, temporary: Path, final: Path, most: int, request: StoreRequest
    ) -> None:
        self._request = request
        self._cache = cache
        self._file = os.fdopen(descriptor, "wb", buffering=0)
        self._temporary, self._final = temporary, final
        self._left = most

    def write(self, chunks: Sequence[bytes | memoryview]) -> None:
        """Append the next bytes; Refused (A700) where the disk or the cache's budget is too small."""
        try:
            for chunk in chunks:
                self._left -= len(chunk)
                if self._left < 0:
                    raise _refused("This instance is larger than the whole preview cache.", _OUT_OF_RESOURCES)
                view = memoryview(chunk)
                while view:
                    view = view[self._file.write(view) :]
        except OSError as error:
            raise _refused(f"The preview cache cannot be written: {error.strerror}.", _OUT_OF_RESOURCES) from error

    def commit(self, attributes: Mapping[str, str]) -> int:
        """Make the file visible under its name and return success, 0x0000; Refused (A900) for another's data set."""
        announced = {"SOPInstanceUID": self._request.sop_instance, "SOPClassUID": self._request.sop_class}
        for keyword, uid in announced.items():
            # under the announced name it would be shown as a picture of another patient
            if attributes.get(keyword, "").strip(" \0") != uid:
                self.abort()
                raise _refused(f"{keyword} of data set and command differ.", _DOES_NOT_MATCH)
        try:
            os.fsync(self._file.fileno())
            self._file.close()
            self._temporary.replace(self._final)
            self._cache.make_room(keep=self._final)
        except OSError as error:
            self.abort()
            raise _refused(f"The preview cache cannot be written: {error.strerror}.", _OUT_OF_RESOURCES) from error
        return 0x0000

    def abort(self) -> None:
        """Leave nothing behind."""
        self._file.close()
        self._temporary.unlink(missing_ok=True)


def _refused(sentence: str, status: int) -> Refused:
    return Refused(sentence, f"status:C-STORE:{status:04X}", status=status)
