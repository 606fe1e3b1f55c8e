"""One worker for each state folder: whether it lives, and starting it so that it outlives the terminal."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedWriter
from pathlib import Path
from threading import Event, Thread

from pacs_tui.errors import StorageError

LOCK = "worker.lock"
LOG = "worker.log"
_LOG_BYTES = 1_000_000
"""A longer log is kept once, as worker.log.1, when the next worker starts."""
_PAUSE = 0.02
_PATIENCE = 1.0


def alive(state: Path) -> int | None:
    """The process id of the worker that holds this state folder, None where there is none.

    The lock goes with the process, however it ends, so the answer is never about a dead one.
    """
    try:
        descriptor = os.open(state / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"{state / LOCK} cannot be read: {error.strerror}.") from error
    try:
        if _locked(descriptor, fcntl.LOCK_SH):
            return None
        for _ in _tries():
            if (text := os.pread(descriptor, 32, 0).strip()).isdigit():
                return int(text)
            if _locked(descriptor, fcntl.LOCK_SH):
                return None
    finally:
        os.close(descriptor)
    raise StorageError(f"{state / LOCK} is held, but not by a worker of ours.")


@contextmanager
def hold(state: Path) -> Iterator[bool]:
    """Makes this process the worker of the state folder for the length of the block; yields False where another is."""
    try:
        state.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(state / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageError(f"{state / LOCK} cannot be written: {error.strerror}.") from error
    try:
        # Whoever asks `alive` holds the lock for a moment; only a worker holds it longer.
        held = any(_locked(descriptor, fcntl.LOCK_EX) for _ in _tries())
        if held:
            os.pwrite(descriptor, f"{os.getpid():<31}\n".encode(), 0)
        yield held
    finally:
        os.close(descriptor)


def ensure(state: Path, command: Sequence[str]) -> bool:
    """Starts `command` as a detached worker if none is alive; True where it did.

    It gets its own session (setsid), so it hears nothing of the terminal's end; what it says on stderr goes to
    worker.log in the state folder. If two callers start one at a time, the second worker finds the folder held and
    leaves. Raises StorageError where it cannot be started.
    """
    if alive(state) is not None:
        return False
    try:
        state.mkdir(parents=True, exist_ok=True)
        with _open_log(state) as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, start_new_session=True
            )
    except OSError as error:
        raise StorageError(f"The worker cannot be started ({command[0]}): {error}.") from error
    # A long-lived console would otherwise keep a zombie for every worker that left.
    Thread(target=process.wait, name="worker exit", daemon=True).start()
    return True


def _open_log(state: Path) -> BufferedWriter:
    log = state / LOG
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        log.replace(state / f"{LOG}.1")
    return log.open("ab")


def _locked(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _tries() -> Iterator[int]:
    """Some attempts, with a pause between two."""
    never = Event()
    for attempt in range(round(_PATIENCE / _PAUSE)):
        yield attempt
        never.wait(_PAUSE)
