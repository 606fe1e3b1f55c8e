"""All files of the areas in the order of their arrival: more than fit into memory, so they stand in a file.

It is SQLite's, private to one rebuild and made anew by each; nothing of it has to last.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pacs_tui.errors import StorageError

_NAME = re.compile(r"([0-9a-f]{32})-[0-9a-f]{16}")
_OURS = ("incoming", "quarantine")
_TABLE = """
CREATE TABLE file (area INTEGER, uid TEXT, name TEXT, aside INTEGER, modified INTEGER, done INTEGER DEFAULT 0,
PRIMARY KEY (area, uid, name, aside)) WITHOUT ROWID
"""
_ORDERED = """
SELECT area, name, aside, (SELECT count(*) FROM file AS other WHERE other.area = file.area AND other.uid = file.uid) > 1
FROM file WHERE NOT done ORDER BY modified, area, name, aside
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file that may be an instance of ours."""

    area: int
    """Which of the areas, by its place in the list."""
    name: str
    aside: bool
    """True where it lies in the quarantine."""
    contested: bool
    """True where another file claims the same SOP Instance UID."""

    def path(self, root: Path) -> Path:
        """Where it lies, below the folder of its area."""
        return root / "quarantine" / self.name if self.aside else root / self.name[:2] / self.name


class Listing:
    """The files below the folders of the areas; StorageError where they cannot be listed."""

    def __init__(self, path: Path, roots: Sequence[Path]) -> None:
        self._path = path
        self.foreign: list[Path] = []
        """What lies there and cannot be ours."""
        path.unlink(missing_ok=True)
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=OFF")
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.execute(_TABLE)
        try:
            for number, root in enumerate(roots):
                self._insert(number, self._scan(root))
        except OSError as error:
            self.close()
            raise StorageError(f"{error.filename or path} cannot be listed: {error.strerror}.") from error

    def _insert(self, area: int, rows: Iterable[tuple[str, bool, int]]) -> None:
        self._database.execute("BEGIN")
        self._database.executemany(
            "INSERT INTO file (area, uid, name, aside, modified) VALUES (?, ?, ?, ?, ?)",
            ((area, name[:32], name, aside, modified) for name, aside, modified in rows),
        )
        self._database.execute("COMMIT")

    def _scan(self, root: Path) -> Iterator[tuple[str, bool, int]]:
        """Name, whether it lies aside, and nanoseconds of its last change."""
        if not root.exists():
            return
        for folder in sorted(root.iterdir()):
            aside = folder.name == "quarantine"
            if not folder.is_dir() or not (aside or len(folder.name) == 2):
                self.foreign += [folder] if folder.name not in _OURS else []
                continue
            with os.scandir(folder) as entries:
                for entry in entries:
                    if _NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                        yield entry.name, aside, entry.stat().st_mtime_ns
                    else:
                        self.foreign.append(Path(entry.path))

    def leave_out(self, area: int, name: str, aside: bool) -> bool:
        """An earlier run has done this file; False where it is not there."""
        given = (area, name[:32], name, aside)
        return (
            self._database.execute(
                "UPDATE file SET done = 1 WHERE area = ? AND uid = ? AND name = ? AND aside = ?", given
            ).rowcount
            > 0
        )

    def count(self) -> tuple[int, int]:
        """Files that are done, and all of them."""
        done, total = self._database.execute("SELECT coalesce(sum(done), 0), count(*) FROM file").fetchone()
        return int(done), int(total)

    def entries(self) -> Iterator[Entry]:
        """What is still to be done, the oldest first."""
        for area, name, aside, contested in self._database.execute(_ORDERED):
            yield Entry(area, name, bool(aside), bool(contested))

    def aside(self, area: int) -> set[str]:
        """Names of the files in the quarantine of an area."""
        return {name for (name,) in self._database.execute("SELECT name FROM file WHERE area = ? AND aside", (area,))}

    def close(self) -> None:
        """Remove it; may be called twice."""
        self._database.close()
        self._path.unlink(missing_ok=True)
