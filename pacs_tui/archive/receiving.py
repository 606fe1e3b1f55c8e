"""One instance being received into an area: what `dimse.services.Incoming` asks for.

The order that makes Success mean durable stands in `_keep` and nowhere else.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from pacs_tui.archive import values
from pacs_tui.archive.attributes import STORED
from pacs_tui.archive.files import Files, Partial, file_name
from pacs_tui.archive.index import Index
from pacs_tui.archive.writing import Arrival
from pacs_tui.errors import Refused
from pacs_tui.model.transfer import StoreRequest, is_uid

SUCCESS = 0x0000
DUPLICATE = 0x0111
INVALID_INSTANCE = 0x0117
OUT_OF_RESOURCES = 0xA700
DOES_NOT_MATCH = 0xA900

_log = logging.getLogger(__name__)


class Receiving:
    """Writes one instance to a file nobody sees, and makes it visible on commit."""

    def __init__(self, request: StoreRequest, area_id: int, files: Files, index: Index) -> None:
        """Refused (0117 invalid UID, A700 no file can be made) before anything is written."""
        self._request = request
        self._area_id = area_id
        self._files = files
        self._index = index
        self._content = hashlib.sha256()
        self._failure: Refused | None = None
        if not is_uid(request.sop_instance) or not is_uid(request.sop_class):
            raise self._refused(INVALID_INSTANCE, "the command names no valid UIDs")
        if not is_uid(request.transfer_syntax):
            raise self._refused(INVALID_INSTANCE, "the context has no valid transfer syntax")
        try:
            self._partial: Partial = files.receive()
        except OSError as error:
            raise self._no_room(error) from error
        try:
            self._partial.write([request.part10_header()])
        except OSError as error:
            self._partial.discard()
            raise self._no_room(error) from error

    def write(self, chunks: Sequence[bytes | memoryview]) -> None:
        """Append a piece of the data set; Refused (A700) where it cannot be written."""
        if self._failure:
            raise self._failure
        try:
            self._partial.write(chunks)
        except OSError as error:
            self._partial.discard()
            self._failure = self._no_room(error)
            raise self._failure from error
        for chunk in chunks:
            self._content.update(chunk)

    def commit(self, attributes: Mapping[str, str]) -> int:
        """Keep the instance for good and return Success (PS3.4 B.2.3); whatever else happens, nothing is left behind.

        An instance that is here already, bit for bit, is a success too. Refused: A900 for a data set that is not what
        the command announced, 0111 for other content under a known UID, A700 when disk or index fail.
        """
        try:
            if self._failure:
                raise self._failure
            return self._keep(Arrival(
                self._checked(attributes), self._request.transfer_syntax, self._content.digest(), self._partial.size
            ))  # fmt: skip
        except (OSError, SQLAlchemyError) as error:
            raise self._no_room(error) from error
        finally:
            self._partial.discard()

    def abort(self) -> None:
        """Leave nothing behind; may follow anything."""
        self._partial.discard()

    def _keep(self, arrival: Arrival) -> int:
        """Bytes on the disk, then the name, then the row, then the answer: a crash between two loses no promise."""
        self._partial.settle()
        with self._index.writing() as transaction:
            known = transaction.add(self._area_id, arrival)
            if known is not None and known != arrival.content:
                raise self._refused(DUPLICATE, "this SOP Instance UID is held with other content")
            path = self._files.path(file_name(self._request.sop_instance))
            if known is not None and self._whole(path):
                return SUCCESS
            try:
                self._partial.publish(path)
                transaction.commit()
            except BaseException:
                self._partial.withdraw()
                raise
        return SUCCESS

    def _whole(self, path: Path) -> bool:
        """True where the file that is known is there in full; else this copy takes its place."""
        try:
            return path.stat().st_size == self._partial.size
        except OSError:
            return False

    def _checked(self, attributes: Mapping[str, str]) -> dict[str, str]:
        """The attributes the index keeps; Refused (A900) where the data set does not belong to the request."""
        header = {a.keyword: attributes.get(a.keyword, "") for a in STORED}
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"):
            header[keyword] = values.clean(header[keyword])
            if not is_uid(header[keyword]):
                raise self._refused(DOES_NOT_MATCH, f"{keyword} is {'not a UID' if header[keyword] else 'missing'}")
        for keyword, announced in (
            ("SOPInstanceUID", self._request.sop_instance),
            ("SOPClassUID", self._request.sop_class),
        ):
            if header[keyword] != announced:
                raise self._refused(DOES_NOT_MATCH, f"{keyword} of data set and command differ")
        return header

    def _refused(self, status: int, problem: str) -> Refused:
        request = self._request
        _log.warning(
            "%s refused %r from %r at %s: %s (%04X)",
            request.called, request.sop_instance[:64], request.calling, request.host, problem, status,
        )  # fmt: skip
        return Refused(f"Not stored: {problem}.", f"status:C-STORE:{status:04X}", status=status)

    def _no_room(self, error: Exception) -> Refused:
        """The sender learns what failed, the log also where."""
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "the index failed"
        _log.error("storing %r for %s failed: %s", self._request.sop_instance[:64], self._request.called, error)
        return Refused(f"Not stored: {reason}.", f"status:C-STORE:{OUT_OF_RESOURCES:04X}", status=OUT_OF_RESOURCES)
