"""The index as an administrator's tools look at it, while others serve it or nobody does."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from pacs_tui.archive import soundness, swapping
from pacs_tui.archive.database import file_of
from pacs_tui.archive.files import file_name
from pacs_tui.archive.index import Index
from pacs_tui.archive.removing import remove
from pacs_tui.archive.schema import area, conflict, instance
from pacs_tui.errors import StorageError


@dataclass(frozen=True, slots=True)
class Quarantine:
    """What lies aside in one area."""

    files: int
    bytes: int


class Inspection(Index):
    """An index that answers what only its administrator asks; `inspecting` opens nothing and writes nothing."""

    def conflict_counts(self) -> Mapping[str, int]:
        """Contradictions of every AE title that has any."""
        query = select(area.c.ae_title, func.count(conflict.c.id)).join(area).group_by(area.c.ae_title)
        with self._engine.connect() as connection:
            return {str(title): int(number) for title, number in connection.execute(query)}

    def held(self, area_id: int, sop_instance: str) -> str | None:
        """The name of the file that is held under a UID."""
        query = select(instance.c.content).where(
            instance.c.sop_instance_uid == sop_instance, instance.c.area_id == area_id
        )
        with self._engine.connect() as connection:
            content = connection.scalar(query)
        return None if content is None else file_name(sop_instance, content)

    def set_aside(self, area_id: int) -> list[tuple[str, str]]:
        """SOP Instance UID and file of everything that lies in quarantine for a conflict."""
        query = select(conflict.c.subject, conflict.c.file).where(conflict.c.area_id == area_id, conflict.c.file != "")
        with self._engine.connect() as connection:
            return [(str(uid), str(file)) for uid, file in connection.execute(query)]

    def remove(self, area_id: int, sop_instance: str) -> None:
        """Take an instance out; its file is the caller's."""
        query = select(instance.c.id).where(instance.c.sop_instance_uid == sop_instance, instance.c.area_id == area_id)
        with self._writer.transaction() as connection:
            remove(connection, connection.execute(query).scalar_one())
            connection.commit()


@contextmanager
def inspecting(url: str) -> Iterator[Inspection | None]:
    """The index at a URL, None where there is none yet; StorageError where it cannot be read, inside the block too."""
    file = file_of(url)
    if file is not None and swapping.pending(file):
        raise StorageError(f"{file}: the last step of a rebuild is not done: start the archive, or rebuild again.")
    if file is not None and not soundness.check(file):
        yield None
        return
    index = Inspection(url)
    try:
        yield index
    except SQLAlchemyError as error:
        if file is not None and soundness.tells_of_damage(error):
            raise soundness.damaged(file) from error
        raise StorageError(f"The archive's index cannot be read: {error}") from error
    finally:
        index.close()


def quarantine(sta: Path) -> Quarantine:
    """How much lies in the quarantine of an area."""
    sizes: list[int] = []
    try:
        with os.scandir(sta / "quarantine") as entries:
            sizes = [entry.stat(follow_symlinks=False).st_size for entry in entries]
    except OSError:
        pass  # an area that was never served has none
    return Quarantine(len(sizes), sum(sizes))
