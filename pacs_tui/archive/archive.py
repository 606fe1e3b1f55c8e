"""The archive: several AE titles, each with an area of its own, over one index.

It answers `dimse.services.Services` without naming it: bytes, paths and model values only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

from sqlalchemy.exc import SQLAlchemyError

from pacs_tui.archive.files import Files
from pacs_tui.archive.index import Counts, Index
from pacs_tui.archive.receiving import Receiving
from pacs_tui.errors import Refused, SettingsError, StorageError
from pacs_tui.model.admission import CALLED_TITLE, CALLING_TITLE, Admission, Right
from pacs_tui.model.find import FindAnswer, FindRequest
from pacs_tui.model.level import Level
from pacs_tui.model.node import Node
from pacs_tui.model.transfer import Held, StoreRequest, Target
from pacs_tui.settings import Area

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Holding:
    """One area as it is served."""

    number: int
    area: Area
    files: Files


class Archive:
    """What we hold. Open it before use; every method may be called from several threads at once."""

    def __init__(self, areas: Sequence[Area], index: str, destinations: Callable[[str], Node | None]) -> None:
        """Nothing is opened yet. SettingsError where two areas share a title or a folder, or `index` is no URL."""
        _check_apart(areas)
        self._areas = tuple(areas)
        self._url = index
        self._destinations = destinations
        self._index: Index | None = None
        self._holdings: dict[str, _Holding] = {}

    def open(self) -> None:
        """Make ready to serve: folders, tables, and no remains of a crash. StorageError where that fails."""
        index: Index | None = None
        opened: list[Files] = []
        try:
            index = Index(self._url)
            numbers = index.open(self._areas)
            for area in self._areas:
                files = Files(area.sta)
                files.open()
                opened.append(files)
        except (OSError, SQLAlchemyError) as error:
            raise StorageError(f"The archive cannot be opened: {error}") from error
        finally:
            if len(opened) < len(self._areas):
                _close(index, opened)
        self._index = index
        self._holdings = {
            area.ae_title: _Holding(numbers[area.ae_title], area, files)
            for area, files in zip(self._areas, opened, strict=True)
        }

    def close(self) -> None:
        """Let everything go; may be called twice, and without open."""
        _close(self._index, [holding.files for holding in self._holdings.values()])
        self._index, self._holdings = None, {}

    def counts(self) -> list[Counts]:
        """What each served area holds."""
        try:
            return [each for each in self._opened().counts() if each.ae_title in self._holdings]
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
        holding = self._holding(request.called, "C-STORE")
        return Receiving(request, holding.number, holding.files, self._opened())

    def find(self, request: FindRequest) -> FindAnswer:
        """Answer a query from the called title's area; Refused (A900) here, rows as they are asked for."""
        holding = self._holding(request.called, "C-FIND")
        return self._opened().find(request, holding.number)

    def retrieve(self, called: str, target: Target) -> Sequence[Held]:
        """The instances of a target by series and instance number, none where nothing matches.

        Refused: A900 for a target without the unique key of its level (PS3.4 C.4.2.2.1), C000 when the index fails.
        """
        holding = self._holding(called, "C-MOVE")
        if not _UNIQUE[target.level](target):
            raise Refused(f"No {target.level.key} was given.", "status:C-MOVE:A900", status=0xA900)
        try:
            found = self._opened().targets(target, holding.number)
        except SQLAlchemyError as error:
            _log.error("retrieve from %s failed: %s", called, error)
            raise Refused("The archive's index cannot be read.", "status:C-MOVE:C000", status=0xC000) from error
        path = holding.files.path
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
    for files in opened:
        files.close()
    if index is not None:
        index.close()
