"""What a crash left: files that were received whole and visible, while their rows may not have been committed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from blake3 import blake3

from pacs_tui.archive import values
from pacs_tui.archive.arrival import Arrival, Fate
from pacs_tui.archive.files import Files, file_name
from pacs_tui.archive.index import Index
from pacs_tui.errors import StorageError
from pacs_tui.model.transfer import StoreRequest, is_uid

Reader = Callable[[Path], tuple[StoreRequest, Mapping[str, str], int]]
"""A Part 10 file as if it had just arrived: request, attributes, offset of its data set; StorageError."""

_log = logging.getLogger(__name__)
_PIECE = 1 << 20


def arrival_of(path: Path, area_id: int, reader: Reader) -> Arrival:
    """What the index would have written down about a file; StorageError where it is no instance of ours."""
    request, attributes, offset = reader(path)
    study, series, named, kind = (
        values.clean(attributes.get(keyword, ""))
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
    )
    if not all(map(is_uid, (study, series, named, kind, request.transfer_syntax))):
        raise StorageError(f"{path} lacks a UID that an instance has to have.")
    if (named, kind) != (request.sop_instance, request.sop_class):
        raise StorageError(f"{path}: File Meta Information and data set name different instances.")
    try:
        state = path.stat()
        content = _digest(path, offset)
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}.") from None
    return Arrival(
        area_id, study, series, named, kind, request.transfer_syntax, attributes, content, state.st_size,
        int(state.st_mtime), request.calling,
    )  # fmt: skip


def adopt(files: Files, area_id: int, index: Index, reader: Reader) -> int:
    """Write down what was visible and not committed; the number of instances that were. SQLAlchemyError, OSError."""
    adopted = 0
    for path in files.abandoned():
        try:
            arrival = arrival_of(path, area_id, reader)
        except StorageError as error:
            _log.warning("not adopted: %s", error)
            continue
        name = file_name(arrival.sop_instance, arrival.content)
        if not files.path(name).exists():
            # the visible name promises other bytes than these: a power cut took some
            _log.warning("%s is damaged and was not acknowledged: removed", path)
            continue
        [result] = index.add_all([arrival])
        adopted += result.fate is Fate.NEW
        if result.fate is Fate.DIFFERENT:
            files.quarantine(name)
    if adopted:
        _log.warning("%s: %d instances of an interrupted run were whole and are listed now", files.root, adopted)
    return adopted


def _digest(path: Path, offset: int) -> bytes:
    content = blake3()
    with path.open("rb") as file:
        file.seek(offset)
        while piece := file.read(_PIECE):
            content.update(piece)
    return content.digest()
