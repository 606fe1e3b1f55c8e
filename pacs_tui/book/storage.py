"""The file under the book: a TinyDB storage that survives a power cut, a second process and a slip in an editor."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from tinydb import Storage

from pacs_tui.errors import StorageError

Tables = dict[str, dict[str, Any]]

_LOCK_SECONDS = 10.0
_LOCK_POLL_SECONDS = 0.005


class BookStorage(Storage):
    """Tables in one JSON file, whole at every moment.

    Beside `book.json` stand `book.json.bak` (the good state before the last change), `book.json.lock`, and
    `book.json.damaged-<n>` for files that could not be read. Reading takes no lock, since a change is one rename;
    `write` wants the caller to hold `lock()` from before it read. Foreign errors become StorageError.
    """

    def __init__(self, path: Path) -> None:
        # A book that is a symbolic link stays one: the rename happens where it points to.
        self.path = Path(os.path.realpath(path))
        self.warnings: list[str] = []
        """What was repaired while reading, as sentences."""
        self._lock = FileLock(self._beside("lock"), timeout=_LOCK_SECONDS, poll_interval=_LOCK_POLL_SECONDS)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Excludes every other process and thread that wants to change the book; may be nested."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout:
            raise StorageError(
                f"{self.path}: another process has been changing the book for {_LOCK_SECONDS:g} seconds; try again."
            ) from None
        except OSError as error:
            raise self._failed("locked", error) from error
        try:
            yield
        finally:
            self._lock.release()

    def read(self) -> Tables | None:
        """All tables, None for a new book; the last good copy where the file is damaged."""
        try:
            return self._parsed(self.path)
        except ValueError:
            with self.lock():
                return self._recovered()

    def write(self, data: Tables) -> None:
        """Replace the book. After the return it survives a power cut; before it, the old one stands."""
        text = json.dumps(data, ensure_ascii=False, indent=1) + "\n"
        try:
            self._keep_previous()
            self._replace(self.path, text.encode("utf-8", "surrogatepass"))
        except OSError as error:
            raise self._failed("written", error) from error

    def _parsed(self, path: Path) -> Tables | None:
        """The tables in a file, None where there is none; ValueError says where it is damaged."""
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failed("read", error) from error
        if not content and not self._beside("bak").exists():
            return None  # made by hand, never written by us
        try:
            tables = json.loads(content.decode("utf-8", "surrogatepass"))
        except RecursionError:
            raise ValueError("nested too deeply") from None
        if not isinstance(tables, dict):
            raise ValueError("not a book: the outermost value is no object")
        for name, table in tables.items():
            numbered = isinstance(table, dict) and all(map(str.isdecimal, table))
            if not numbered or not all(isinstance(entry, dict) for entry in table.values()):
                raise ValueError(f"not a book: {name!r} is no table of numbered entries")
        return tables

    def _recovered(self) -> Tables | None:
        """The last good copy, put back in place of a damaged file; that file is kept under another name."""
        try:
            return self._parsed(self.path)  # somebody else may have repaired it while we waited for the lock
        except ValueError as error:
            damage = error
        backup = self._beside("bak")
        try:
            tables = self._parsed(backup)
        except ValueError as error:
            raise StorageError(
                f"{self.path} is damaged ({damage}), and so is its copy {backup.name} ({error}). Nothing was changed;"
                " repair one of them, or move both away to begin a new book."
            ) from None
        if tables is None:
            raise StorageError(
                f"{self.path} is damaged ({damage}), and there is no copy of it. Nothing was changed; repair it, or"
                " move it away to begin a new book."
            )
        try:
            kept = self._put_aside()
            self._replace(self.path, backup.read_bytes())
        except OSError as error:
            raise self._failed("repaired", error) from error
        self.warnings.append(
            f"{self.path} was damaged ({damage}); the last good copy is used instead, and the damaged file is kept as"
            f" {kept.name}."
        )
        return tables

    def _keep_previous(self) -> None:
        """Let `.bak` name the state that is about to be replaced; it exists and is whole at every moment."""
        if not self.path.exists():
            return
        fresh, backup = self._beside("bak.new"), self._beside("bak")
        with suppress(FileNotFoundError):
            fresh.unlink()
        _link_or_copy(self.path, fresh)
        os.replace(fresh, backup)

    def _put_aside(self) -> Path:
        number = 1
        while True:
            aside = self._beside(f"damaged-{number}")
            try:
                _link_or_copy(self.path, aside)
                return aside
            except FileExistsError:
                number += 1

    def _replace(self, path: Path, content: bytes) -> None:
        fresh = self._beside("new")
        try:
            with fresh.open("wb") as file:
                if path.exists():
                    os.fchmod(file.fileno(), path.stat().st_mode & 0o777)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(fresh, path)
        except OSError:
            with suppress(OSError):
                fresh.unlink()
            raise
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _beside(self, ending: str) -> Path:
        return self.path.with_name(f"{self.path.name}.{ending}")

    def _failed(self, done: str, error: OSError) -> StorageError:
        return StorageError(f"{self.path} cannot be {done}: {error.strerror or error}.")


def _link_or_copy(source: Path, target: Path) -> None:
    """A second name for a file; a copy on file systems without hard links. FileExistsError where the name is taken."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS):
            raise
        with target.open("xb") as copy, source.open("rb") as original:
            shutil.copyfileobj(original, copy)
            copy.flush()
            os.fsync(copy.fileno())
