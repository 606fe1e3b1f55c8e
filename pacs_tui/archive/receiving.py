"""One instance being received into an area: what `dimse.services.Incoming` asks for.

The order that makes Success mean durable stands in `_keep` and nowhere else.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from blake3 import blake3
from sqlalchemy.exc import SQLAlchemyError

from pacs_tui.archive import values
from pacs_tui.archive.arrival import Arrival, Fate, Result
from pacs_tui.archive.files import Files, Partial, file_name
from pacs_tui.archive.index import Index
from pacs_tui.archive.room import Room
from pacs_tui.errors import Refused
from pacs_tui.model.transfer import StoreRequest, is_uid

SUCCESS = 0x0000
DUPLICATE = 0x0111
INVALID_INSTANCE = 0x0117
OUT_OF_RESOURCES = 0xA700
DOES_NOT_MATCH = 0xA900

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an area's instances go."""

    area_id: int
    files: Files
    index: Index
    room: Room
    replace: bool
    """Other content under a known UID takes its place; else it goes to the quarantine."""


class Receiving:
    """Writes one instance to a file nobody sees, and makes it visible on commit."""

    __slots__ = ("_content", "_failure", "_header", "_partial", "_place", "_request")

    def __init__(self, request: StoreRequest, place: Place) -> None:
        """Refused (0117 invalid UID, A700 no room, or no file can be made) before anything is written."""
        self._request = request
        self._place = place
        self._content = blake3()
        self._failure: Refused | None = None
        if not is_uid(request.sop_instance) or not is_uid(request.sop_class):
            raise self._refused(INVALID_INSTANCE, "the command names no valid UIDs")
        if not is_uid(request.transfer_syntax):
            raise self._refused(INVALID_INSTANCE, "the context has no valid transfer syntax")
        try:
            lacking = place.room.lacking()
            if lacking:
                raise self._refused(OUT_OF_RESOURCES, lacking)
            self._partial: Partial = place.files.receive()
        except (OSError, SQLAlchemyError) as error:
            raise self._no_room(error) from error
        self._header: bytes | None = request.part10_header()

    def write(self, chunks: Sequence[bytes | memoryview]) -> None:
        """Append a piece of the data set; Refused (A700) where it cannot be written."""
        if self._failure:
            raise self._failure
        for chunk in chunks:
            self._content.update(chunk)
        if self._header is not None:
            chunks, self._header = [self._header, *chunks], None
        try:
            self._partial.write(chunks)
        except OSError as error:
            self._partial.discard()
            self._failure = self._no_room(error)
            raise self._failure from error

    def commit(self, attributes: Mapping[str, str]) -> int:
        """Keep the instance for good and return Success (PS3.4 B.2.3); whatever else happens, nothing is left behind.

        An instance that is here already, bit for bit, is a success too. Refused: A900 for a data set that is not what
        the command announced, 0111 for other content under a known UID, A700 when disk or index fail.
        """
        try:
            if self._failure:
                raise self._failure
            uids = self._checked(attributes)
            self._partial.settle()
            return self._keep(self._arrival(uids, attributes))
        except OSError as error:
            self._partial.discard()
            raise self._no_room(error) from error
        except BaseException:
            self._partial.discard()
            raise

    def abort(self) -> None:
        """Leave nothing behind; may follow anything."""
        self._partial.discard()

    def _keep(self, arrival: Arrival) -> int:
        """The bytes are on the disk; then the name, the row, the answer: a crash between two loses no promise."""
        partial, place = self._partial, self._place
        name = file_name(arrival.sop_instance, arrival.content)
        try:
            partial.publish(name)
            result = place.index.add(arrival, lambda result: self._settle(name, result))
        except (OSError, SQLAlchemyError) as error:
            # Another association may count on the name by now: what became visible stays, for the next start to list.
            partial.settled(False)
            raise self._no_room(error) from error
        if result.fate is Fate.DIFFERENT:
            raise self._refused(DUPLICATE, "this SOP Instance UID is held with other content")
        return SUCCESS

    def _settle(self, name: str, result: Result | None) -> None:
        """What the commit means for the files, while nobody else commits."""
        files = self._place.files
        if result is not None and result.fate is Fate.DIFFERENT:
            files.quarantine(name)
            self._partial.discard()
            return
        if result is not None and result.fate is Fate.REPLACED:
            files.quarantine(file_name(self._request.sop_instance, result.before))
        self._partial.settled(result is not None)

    def _checked(self, attributes: Mapping[str, str]) -> dict[str, str]:
        """The UIDs of the data set; Refused (A900) where it does not belong to the request."""
        request = self._request
        uids = {}
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"):
            uids[keyword] = uid = values.clean(attributes.get(keyword, ""))
            if not is_uid(uid):
                raise self._refused(DOES_NOT_MATCH, f"{keyword} is {'not a UID' if uid else 'missing'}")
        announced = (("SOPInstanceUID", request.sop_instance), ("SOPClassUID", request.sop_class))
        for keyword, uid in announced:
            if uids[keyword] != uid:
                raise self._refused(DOES_NOT_MATCH, f"{keyword} of data set and command differ")
        return uids

    def _arrival(self, uids: Mapping[str, str], attributes: Mapping[str, str]) -> Arrival:
        request = self._request
        return Arrival(
            self._place.area_id, uids["StudyInstanceUID"], uids["SeriesInstanceUID"], request.sop_instance,
            request.sop_class, request.transfer_syntax, attributes, self._content.digest(), self._partial.size,
            self._partial.modified, request.calling, self._place.replace,
        )  # fmt: skip

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
