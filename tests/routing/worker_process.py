"""A worker between scripted nodes, as a process of its own that a test may kill.

python -m tests.routing.worker_process FOLDER NAME LEASE [HOLD]: with HOLD the source stops for ever before that
instance (counted from 0), so that the process is surely in mid-job.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from threading import Event

from pacs_tui.routing.jobs import JobQueue
from pacs_tui.routing.worker import Worker
from tests.routing.fakes import FakePeer, Shelves, node


def main(folder: Path, name: str, lease: float, hold: int | None) -> None:
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    shelves = Shelves(folder / "shelves.db")

    def between(sent: int, cancel: Event | None) -> None:
        if sent == hold:
            (cancel or Event()).wait()

    peers = {"SOURCE": FakePeer("SOURCE", shelves, between=between), "DEST": FakePeer("DEST", shelves)}
    queue = JobQueue(f"sqlite:///{folder / 'pacs.db'}")
    Worker(queue, peers.__getitem__, node, lease=lease, verify_seconds=5.0, name=name).run(stop, idle=1.0)
    queue.close()
    shelves.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4]) if sys.argv[4:] else None)
