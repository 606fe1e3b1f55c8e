"""A Part 10 file as if it had just arrived: who sent it, what it is, and its attributes (PS3.10 7.1)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pacs_tui.dimse.identifier import HEAD_CAP, head
from pacs_tui.dimse.part10 import read_meta
from pacs_tui.errors import StorageError
from pacs_tui.model.transfer import StoreRequest


def read_arrival(path: Path) -> tuple[StoreRequest, Mapping[str, str], int]:
    """The request that would have brought the file, its attributes, and where its data set begins (bytes).

    StorageError for a file that is none of DICOM's, or cannot be read.
    """
    meta, offset = read_meta(path)
    sop_class, sop_instance, syntax, calling = (
        meta.get(number, b"").decode("ascii", "replace").strip(" \0") for number in (0x02, 0x03, 0x10, 0x16)
    )
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read(HEAD_CAP)
            complete = not file.read(1)
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}.") from None
    return StoreRequest(calling, "", "", sop_class, sop_instance, syntax), head(data, syntax, complete), offset
