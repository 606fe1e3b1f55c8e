"""Reading many files for the index, in processes: heads and digests cost more than the index itself."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from pacs_tui.archive.arrival import Arrival
from pacs_tui.archive.attributes import STORED
from pacs_tui.archive.recovery import Reader, arrival_of
from pacs_tui.errors import StorageError

_BATCH = 32
_AHEAD = 2
"""Batches each process has before it: with them memory is bounded, and nobody waits."""
_KEYWORDS = ("StudyInstanceUID", "SeriesInstanceUID", *(attribute.keyword for attribute in STORED))

File = tuple[int, Path]
"""Area number and path."""


class Digesters:
    """Processes that turn files into arrivals. They end with us, however we end: their pipes do."""

    def __init__(self, reader: Reader, processes: int) -> None:
        """`reader` is found by its name in another process. Without any, we read ourselves."""
        self._reader = reader
        self._workers = [_Worker(reader) for _ in range(processes)]

    def read(self, files: Iterable[File]) -> Iterator[Arrival | StorageError]:
        """Each file in turn: what the index would write down, or why it is none of ours."""
        if not self._workers:
            for area_id, path in files:
                yield _answer(_read(area_id, path, self._reader))
            return
        waiting: deque[tuple[_Worker, list[File]]] = deque()
        rest = iter(files)
        turn = 0
        while True:
            while len(waiting) < _AHEAD * len(self._workers) and (batch := list(islice(rest, _BATCH))):
                worker = self._workers[turn % len(self._workers)]
                turn += 1
                worker.ask(batch)
                waiting.append((worker, batch))
            if not waiting:
                return
            worker, batch = waiting.popleft()
            answer = worker.answer()
            if answer is None:
                # it died of one of its files: find out which, and give the others another one
                lost = [batch, *(other for who, other in waiting if who is worker)]
                mine = [entry for entry in waiting if entry[0] is worker]
                worker.restart()
                answer = self._singly(lost[0])
                for _, other in mine:
                    worker.ask(other)
            yield from answer

    def _singly(self, batch: Sequence[File]) -> list[Arrival | StorageError]:
        answers: list[Arrival | StorageError] = []
        for file in batch:
            single = _Worker(self._reader)
            single.ask([file])
            answer = single.answer()
            single.close()
            answers += answer or [StorageError(f"{file[1]}: reading it ended the process that read.")]
        return answers

    def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            worker.close()


class _Worker:
    """One process and the pipe to it."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._pipe: Connection
        self._process: BaseProcess
        self.restart()

    def restart(self) -> None:
        """Another process takes the place of one that has died."""
        if hasattr(self, "_process"):
            self.close()
        # not forked: a pipe that a sibling has inherited would not end with us
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, self._reader), daemon=True)
        self._process.start()
        self._begun = False
        theirs.close()

    def ask(self, batch: Sequence[File]) -> None:
        try:
            self._pipe.send(batch)
        except (OSError, ValueError):
            pass  # it has died, as the answer will tell

    def answer(self) -> list[Arrival | StorageError] | None:
        """None where it has died of a file; StorageError where it has not even begun."""
        if not self._begun:
            try:
                self._begun = self._pipe.recv()
            except (EOFError, OSError):
                raise StorageError("The processes that read the files cannot be started.") from None
        try:
            answer: list[Arrival | str] = self._pipe.recv()
        except (EOFError, OSError):
            return None
        return [_answer(one) for one in answer]

    def close(self) -> None:
        self._pipe.close()
        self._process.join(1.0)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _work(pipe: Connection, reader: Reader) -> None:
    """Answer until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    pipe.send(True)
    while True:
        try:
            batch: Sequence[File] = pipe.recv()
        except (EOFError, OSError):
            return
        pipe.send([_read(area_id, path, reader) for area_id, path in batch])


def _read(area_id: int, path: Path, reader: Reader) -> Arrival | str:
    try:
        arrival = arrival_of(path, area_id, reader)
    except StorageError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001  whatever a file does to its reader, the others are read
        return f"{path} cannot be read: {error!r}"
    header = {keyword: text for keyword in _KEYWORDS if (text := arrival.header.get(keyword, ""))}
    return replace(arrival, header=header)


def _answer(one: Arrival | str) -> Arrival | StorageError:
    return StorageError(one) if isinstance(one, str) else one
