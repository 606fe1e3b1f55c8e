"""The archive: several AE titles, each with an area of its own, over one index.

It answers `dimse.services.Services` without naming it: bytes, paths and model values only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

from msgspec.structs import replace
from sqlalchemy.exc import SQLAlchemyError

from pacs_tui.archive import soundness, swapping, values
from pacs_tui.archive.arrival import Conflict
from pacs_tui.archive.database import file_of
from pacs_tui.archive.files import Files
from pacs_tui.archive.index import Counts, Index
from pacs_tui.archive.occupancy import Occupancy
from pacs_tui.archive.receiving import Place, Receiving
from pacs_tui.archive.recovery import Reader, adopt
from pacs_tui.archive.room import Room
from pacs_tui.errors import Refused, SettingsError, StorageError
from pacs_tui.model.admission import CALLED_TITLE, CALLING_TITLE, Admission, Right
from pacs_tui.model.find import FindAnswer, FindRequest
from pacs_tui.model.level import Level
from pacs_tui.model.node import Node
from pacs_tui.model.transfer import Held, StoreRequest, Target
from pacs_tui.settings import ArchiveSettings, Area

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Holding:
    """One area as it is served."""

    area: Area
    place: Place


class Archive:
    """What we hold. Open it before use; every method may be called from several threads at once."""

    def __init__(
        self,
        areas: Sequence[Area],
        index: str,
        destinations: Callable[[str], Node | None],
        reader: Reader | None = None,
        options: ArchiveSettings = ArchiveSettings(),  # noqa: B008  frozen
    ) -> None:
        """Nothing is opened yet. SettingsError where two areas share a title or a folder, or `index` is no URL.

        `reader` reads what a crash left (recovery.py); without one it is left alone. Of `options` the areas are not
        looked at.
        """
        _check_apart(areas)
        self._areas = tuple(areas)
        self._url = index
        self._destinations = destinations
        self._reader = reader
        self._options = options
        self._index: Index | None = None
        self._holdings: dict[str, _Holding] = {}
        self._file = file_of(index)
        self._occupancy = Occupancy(self._file) if self._file else None
        self._inode = 0

    def open(self) -> None:
        """Make ready to serve: folders, tables, and no remains of a crash.

        StorageError where that fails, above all for a damaged index and while it is rebuilt.
        """
        durable = self._options.durability == "full"
        index: Index | None = None
        opened: list[Files] = []
        try:
            self._occupy()
            index = Index(self._url, durable, self._options.index_wait_seconds)
            numbers = index.open(self._areas)
            self._inode = self._file.stat().st_ino if self._file else 0
            for area in self._areas:
                files = Files(area.sta, durable)
                opened.append(files)
                files.open()
                if self._reader is not None:
                    adopt(files, numbers[area.ae_title], index, self._reader)
        except BaseException as error:
            _close(index, opened)
            self._leave()
            if self._file and soundness.tells_of_damage(error):
                raise soundness.damaged(self._file) from error
            if isinstance(error, (OSError, SQLAlchemyError)):
                raise StorageError(f"The archive cannot be opened: {error}") from error
            raise
        self._index = index
        self._holdings = {
            area.ae_title: _Holding(area, self._place(numbers[area.ae_title], area, files, index))
            for area, files in zip(self._areas, opened, strict=True)
        }

    def _occupy(self) -> None:
        """Be one of the processes that serve this index, which is sound as far as one can see from outside."""
        if self._file is None or self._occupancy is None:
            return
        if swapping.pending(self._file):
            # the power went at the last step of a rebuild
            self._occupancy.seize()
            swapping.finish(self._file)
        self._occupancy.share()
        if not soundness.check(self._file):
            for area in self._areas:
                if area.sta.is_dir() and next(Files(area.sta).names(), None):
                    raise soundness.lost(self._file, area.ae_title)

    def _leave(self) -> None:
        if self._occupancy is not None:
            self._occupancy.release()

    def _place(self, number: int, area: Area, files: Files, index: Index) -> Place:
        room = Room(
            files.root, area.quota_gigabytes, self._options.low_water_megabytes, lambda: index.held_bytes(number)
        )
        return Place(number, files, index, room, area.duplicates == "replace")

    def close(self) -> None:
        """Let everything go; may be called twice, and without open."""
        _close(self._index, [holding.place.files for holding in self._holdings.values()])
        self._index, self._holdings = None, {}
        self._leave()

    def reload(self, areas: Sequence[Area], options: ArchiveSettings) -> None:
        """Serve the areas by other rules from the next request on: callers, quotas, duplicates, limits of space, caps.

        Titles, folders and durability stay as they were; an area that is not among the `areas` keeps its rules.
        """
        index = self._opened()
        self._options = options
        told = {area.ae_title: area for area in areas}
        holdings = {}
        for title, holding in self._holdings.items():
            area = told.get(title, holding.area)
            holdings[title] = _Holding(area, self._place(holding.place.area_id, area, holding.place.files, index))
        self._holdings = holdings

    @property
    def waiting(self) -> int:
        """Arrivals whose rows are not committed yet."""
        return 0 if self._index is None else self._index.waiting

    def check(self) -> None:
        """Ask the index something small; StorageError where it does not answer, or is not the file that was opened."""
        index = self._opened()
        try:
            for holding in self._holdings.values():
                index.held_bytes(holding.place.area_id)
            if self._file and self._file.stat().st_ino != self._inode:
                raise StorageError(f"{self._file} has been replaced while it was served: start the archive again.")
        except (OSError, SQLAlchemyError) as error:
            raise StorageError(f"The archive's index cannot be read: {error}") from error

    def counts(self) -> list[Counts]:
        """What each served area holds."""
        try:
            return [each for each in self._opened().counts() if each.ae_title in self._holdings]
        except SQLAlchemyError as error:
            raise StorageError(f"The archive's index cannot be read: {error}") from error

    def conflicts(self, limit: int = 1000) -> list[tuple[str, Conflict]]:
        """AE title and contradiction, youngest first."""
        try:
            return [(title, found) for title, found in self._opened().conflicts(limit) if title in self._holdings]
        except SQLAlchemyError as error:
            raise StorageError(f"The archive's index cannot be read: {error}") from error

    def admit(self, calling: str, called: str, host: str) -> Admission:
        """All rights of the area's callers that fit; refused for a title not ours, or a caller nobody named."""
        holding = self._holdings.get(called.strip(" "))
        if holding is None:
            return Admission(frozenset(), CALLED_TITLE)
        if not holding.area.peers:
            return Admission()
        calling = calling.strip(" ")
        fitting = [c for c in holding.area.peers if c.ae_title in (calling, "*") and _from(c.hosts, host)]
        if not fitting:
            return Admission(frozenset(), CALLING_TITLE)
        return Admission(frozenset(Right(right) for caller in fitting for right in caller.rights))

    def store(self, request: StoreRequest) -> Receiving:
        """Begin to receive an instance into the area of the called title; Refused (0117, A700, C000)."""
        return Receiving(request, self._holding(request.called, "C-STORE").place)

    def find(self, request: FindRequest) -> FindAnswer:
        """Answer a query from the called title's area; Refused (A900) here, rows as they are asked for."""
        holding = self._holding(request.called, "C-FIND")
        options = self._options
        return self._opened().find(
            request, holding.place.area_id, options.result_cap, options.unsupported_keys == "refuse",
            options.fuzzy == "always",
        )  # fmt: skip

    def retrieve(self, called: str, target: Target) -> Sequence[Held]:
        """The instances of a target by series and instance number, none where nothing matches.

        Refused: A900 for a target without the unique key of its level (PS3.4 C.4.2.2.1), C000 when the index fails.
        """
        holding = self._holding(called, "C-MOVE")
        # as the index has it: an ID of nothing else would be no condition at all
        target = replace(target, patient_id=values.clean(target.patient_id))
        if not _UNIQUE[target.level](target):
            raise Refused(f"No {target.level.key} was given.", "status:C-MOVE:A900", status=0xA900)
        try:
            found = self._opened().targets(target, holding.place.area_id)
        except SQLAlchemyError as error:
            _log.error("retrieve from %s failed: %s", called, error)
            raise Refused("The archive's index cannot be read.", "status:C-MOVE:C000", status=0xC000) from error
        path = holding.place.files.path
        return [Held(f.sop_class, f.sop_instance, f.transfer_syntax, path(f.file), f.study_uid) for f in found]

    def destination(self, called: str, title: str) -> Node | None:
        """Where a C-MOVE destination lives, None when it is unknown (A801)."""
        return self._destinations(title.strip(" "))

    def _holding(self, called: str, command: str) -> _Holding:
        holding = self._holdings.get(called.strip(" "))
        if holding is None:
            raise Refused(f"{called!r} is not served here.", f"status:{command}:C000", status=0xC000)
        return holding

    def _opened(self) -> Index:
        if self._index is None:
            raise StorageError("The archive is not open.")
        return self._index


_UNIQUE: dict[Level, Callable[[Target], object]] = {
    Level.PATIENT: lambda target: target.patient_id,
    Level.STUDY: lambda target: target.study_uid,
    Level.SERIES: lambda target: target.series_uid,
    Level.IMAGE: lambda target: target.instance_uids,
}


def _from(networks: Sequence[str], host: str) -> bool:
    """True when the address lies in one of the networks, or none is named."""
    if not networks:
        return True
    address = ip_address(host)
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in ip_network(network) for network in networks)


def _check_apart(areas: Sequence[Area]) -> None:
    """Areas hold the same instance independently, so neither title nor folder may be shared."""
    titles: dict[str, Area] = {}
    folders: dict[str, Area] = {}
    for area in areas:
        if titles.setdefault(area.ae_title, area) is not area:
            raise SettingsError(f"Two areas are called {area.ae_title}: give each its own AE title.")
        other = folders.setdefault(str(area.sta.resolve()), area)
        if other is not area:
            raise SettingsError(f"Areas {other.ae_title} and {area.ae_title} share {area.sta}: give each its own.")


def _close(index: Index | None, opened: Sequence[Files]) -> None:
    # rows that are owed are committed while the second names of their files still stand
    if index is not None:
        index.close()
    for files in opened:
        files.close()
