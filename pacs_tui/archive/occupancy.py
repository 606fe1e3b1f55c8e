"""Who may have the index open: serving processes share it, a rebuild has it for itself.

The lock is a file beside the index and goes with the process, however it ends.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from pacs_tui.errors import StorageError


class Occupancy:
    """A hold on the index at a path; take it with `share` or `seize`, let it go with `release`."""

    def __init__(self, index: Path) -> None:
        self._path = index.with_name(f"{index.name}.lock")
        self._file = -1

    def share(self) -> None:
        """Be one of those that serve; StorageError while it is rebuilt."""
        if not self._take(fcntl.LOCK_SH):
            raise StorageError("The archive's index is being rebuilt: start the archive when that is done.")

    def seize(self) -> None:
        """Be the only one; StorageError while somebody serves or rebuilds."""
        if not self._take(fcntl.LOCK_EX):
            raise StorageError(
                "The archive is running, or another rebuild is: end it first (`systemctl stop pacs-tui-archive`)."
            )

    def release(self) -> None:
        """May be called twice, and without a hold."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _take(self, kind: int) -> bool:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._file < 0:
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            fcntl.flock(self._file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            return False
        except OSError as error:
            self.release()
            raise StorageError(f"{self._path} cannot be locked: {error.strerror}.") from error
        return True
