"""The index from the files: what `pacs-tui archive rebuild` does.

Files come in the order in which they arrived, so that the index becomes what it was. Those in quarantine come in their
turn too: they are what the list of conflicts is made of. What an interrupted run has done stays done.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from pacs_tui.archive import soundness, swapping
from pacs_tui.archive.arrival import Arrival, Fate, Result
from pacs_tui.archive.digesting import Digesters, File
from pacs_tui.archive.files import Files, file_name
from pacs_tui.archive.inspection import Inspection
from pacs_tui.archive.listing import Entry, Listing
from pacs_tui.archive.occupancy import Occupancy
from pacs_tui.archive.recovery import Reader
from pacs_tui.errors import StorageError
from pacs_tui.settings import Area

_BATCH = 256
"""Instances of one transaction."""
_FEW = 500
"""Files that are read sooner than processes start."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is."""

    done: int
    total: int
    """Files, those of an earlier run included."""


@dataclass(slots=True)
class Outcome:
    """What came of it."""

    instances: int = 0
    """Listed in the new index."""
    resumed: int = 0
    """Of these, by an earlier run that was interrupted."""
    quarantined: int = 0
    """Files that went to the quarantine now."""
    left: list[str] = field(default_factory=list)
    """Why files are not listed; they stay where they are."""
    finished_before: bool = False
    """An earlier run was complete but for its last step, which is done now."""


class Rebuild:
    """One rebuild of the index at a path; `outcome` once `run` has ended."""

    def __init__(self, areas: Sequence[Area], index: Path, reader: Reader, processes: int, keep: bool = True) -> None:
        """`keep`: the old index stays, as index.db.before."""
        self._areas = tuple(areas)
        self._index = index
        self._reader = reader
        self._processes = processes
        self._keep = keep
        self._files = [Files(area.sta) for area in areas]
        self._left: list[str] = []
        self.outcome = Outcome(left=self._left)

    def run(self) -> Iterator[Progress]:
        """Do it, and tell how far it is after every piece; leaving it early is an interruption that the next run mends.

        StorageError while the archive runs, and where disk or database fail.
        """
        occupancy = Occupancy(self._index)
        occupancy.seize()
        try:
            if swapping.pending(self._index):
                self.outcome.finished_before = True
            else:
                yield from self._build(swapping.named(self._index, swapping.REBUILDING))
            swapping.finish(self._index, self._keep)
        except (OSError, SQLAlchemyError) as error:
            if soundness.tells_of_damage(error):
                swapping.discard(swapping.named(self._index, swapping.REBUILDING))
            raise StorageError(
                f"The index cannot be rebuilt: {error}. Run it again: it goes on where it can."
            ) from error
        finally:
            occupancy.release()

    def _build(self, path: Path) -> Iterator[Progress]:
        index = _begun(path)
        digesters: Digesters | None = None
        listing = Listing(swapping.named(self._index, ".listing"), [files.root for files in self._files])
        try:
            ids = index.open(self._areas)
            numbers = [ids[area.ae_title] for area in self._areas]
            self._left += [f"{path} is no file of the archive's." for path in listing.foreign]
            self._resume(index, listing, numbers)
            done, total = listing.count()
            self.outcome.resumed = done
            yield Progress(done, total)
            if done < total:
                digesters = Digesters(self._reader, self._processes if total - done > _FEW else 0)
                for written in self._fill(index, listing, numbers, digesters):
                    yield Progress(done + written, total)
            self._remove_homeless(index, listing, numbers)
            self.outcome.instances = sum(counts.instances for counts in index.counts())
        finally:
            if digesters is not None:
                digesters.close()
            listing.close()
            index.close()
        swapping.sync(path)
        os.replace(path, swapping.named(self._index, swapping.REBUILT))
        swapping.named(path, ".turn").unlink(missing_ok=True)
        swapping.sync(path.parent)

    def _resume(self, index: Inspection, listing: Listing, numbers: Sequence[int]) -> None:
        """Leave out what an earlier run has written down, and end what it had begun."""
        for place, (number, files) in enumerate(zip(numbers, self._files, strict=True)):
            for uid, name in index.set_aside(number):
                if index.held(number, uid) != name and files.path(name).exists():
                    files.quarantine(name)
                listing.leave_out(place, name, False)
                listing.leave_out(place, name, True)
            gone = [
                uid
                for uid, name, _ in index.contents(number)
                if not listing.leave_out(place, name, False) and not listing.leave_out(place, name, True)
            ]
            for uid in gone:
                index.remove(number, uid)

    def _fill(self, index: Inspection, listing: Listing, numbers: Sequence[int], digesters: Digesters) -> Iterator[int]:
        """Write down what is still to be done; the number of files after each transaction."""
        asked: deque[Entry] = deque()

        def files() -> Iterator[File]:
            for entry in listing.entries():
                asked.append(entry)
                yield numbers[entry.area], entry.path(self._files[entry.area].root)

        batch: list[Arrival] = []
        written = 0
        for arrival in digesters.read(files()):
            entry = asked.popleft()
            written += 1
            root = self._files[entry.area].root
            if isinstance(arrival, StorageError):
                self._left.append(str(arrival))
            elif file_name(arrival.sop_instance, arrival.content) != entry.name:
                self._left.append(f"{entry.path(root)} is damaged or foreign: its name belongs to other content.")
            elif entry.contested or entry.aside:
                index.add_all(batch)
                batch.clear()
                self._settle(index, entry, arrival)
            else:
                batch.append(arrival)
            if len(batch) >= _BATCH:
                index.add_all(batch)
                batch.clear()
                yield written
        index.add_all(batch)
        yield written

    def _settle(self, index: Inspection, entry: Entry, arrival: Arrival) -> None:
        """One of several files under a SOP Instance UID, or one from the quarantine: who is held, who goes aside.

        Whoever lies in quarantine lost against somebody; of two that lie in the open the area's rule decides.
        """
        files = self._files[entry.area]
        held = index.held(arrival.area_id, arrival.sop_instance)
        if held is not None:
            open_now = files.path(held).exists()
            gives_way = not open_now or (not entry.aside and self._areas[entry.area].duplicates == "replace")
            arrival = replace(arrival, replace=gives_way)
        result: Result = index.add_all([arrival])[0]
        loser = entry.name if result.fate is Fate.DIFFERENT else held if result.fate is Fate.REPLACED else None
        if loser is not None and files.path(loser).exists():
            (files.root / "quarantine").mkdir(mode=0o750, exist_ok=True)
            files.quarantine(loser)
            self.outcome.quarantined += 1

    def _remove_homeless(self, index: Inspection, listing: Listing, numbers: Sequence[int]) -> None:
        """An instance of which only a file in quarantine is left is not held."""
        for place, (number, files) in enumerate(zip(numbers, self._files, strict=True)):
            aside = listing.aside(place)
            if not aside:
                continue
            homeless = [
                uid for uid, name, _ in index.contents(number) if name in aside and not files.path(name).exists()
            ]
            for uid in homeless:
                index.remove(number, uid)
                self._left.append(f"Instance {uid} of {self._areas[place].ae_title} lies in quarantine only.")


def _begun(path: Path) -> Inspection:
    """The index that an earlier run began, or a new one where it left none that can be used."""
    try:
        usable = soundness.check(path)
    except StorageError:
        usable = False
    if not usable:
        swapping.discard(path)
    return Inspection(f"sqlite:///{path}", durable=False)
