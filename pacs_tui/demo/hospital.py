"""The embedded hospital: one archive process with seven AE titles, one worker, and a home of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from filelock import FileLock, Timeout
from msgspec.structs import replace

from pacs_tui.demo.corpus import arrange, plan
from pacs_tui.errors import StorageError
from pacs_tui.model.node import Node
from pacs_tui.model.transfer import Held
from pacs_tui.routing.launch import alive
from pacs_tui.settings import ArchiveSettings, Area, Settings, load, render
from pacs_tui.station import Station

AE_TITLES = ("IMAGECTN", "MED1", "MED2", "ORTHO1", "ORTHO2", "EMERGENCY", "OT")
_COMMENTS = {
    "IMAGECTN": "the hospital's archive", "MED1": "internal medicine, ward 1", "MED2": "internal medicine, ward 2",
    "ORTHO1": "orthopaedics, ward 1", "ORTHO2": "orthopaedics, ward 2", "EMERGENCY": "emergency room",
    "OT": "operating theatre",
}  # fmt: skip
_MARKER = "hospital.json"
_BIRTH = "hospital.making"
_MAKING = "making-"
_BATCH = 200
_STOP_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Filling:
    """How far the hospital is made."""

    done: int
    total: int


class Hospital:
    """Lives under one folder, which is a PACS_TUI_HOME. Enter it as a context manager; only one process may."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environ = {**os.environ, "PACS_TUI_HOME": str(home)}
        self._archive: subprocess.Popen[str] | None = None
        self._worker: subprocess.Popen[str] | None = None
        self._started = False

    @property
    def settings(self) -> Settings:
        """The settings every process of the hospital reads."""
        return load(self.environ)

    @property
    def made(self) -> bool:
        """True when an earlier start has filled it completely."""
        return (self.home / _MARKER).is_file()

    @contextmanager
    def occupied(self) -> Iterator[None]:
        """Keep other demos out; StorageError when one is running."""
        self.home.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.home.with_name(self.home.name + ".lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise StorageError(
                f"A demo is running in {self.home} already. Leave it first, or choose another folder with --home."
            ) from None
        try:
            yield
        finally:
            lock.release()

    def reset(self) -> None:
        """Delete what earlier starts made; refuses a folder that is no hospital of ours."""
        if not self.home.exists():
            return
        names = [path.name for path in self.home.iterdir()]
        strangers = [name for name in names if name not in _OURS and not name.startswith(_MAKING)]
        if strangers:
            raise StorageError(f"{self.home} holds {strangers[0]!r}, which no demo made: it is not deleted.")
        if names and not {_MARKER, _BIRTH} & set(names):
            # a real home of ours has the same folders
            raise StorageError(f"{self.home} was not made by a demo: it is not deleted. Choose another with --home.")
        shutil.rmtree(self.home)

    def start(self) -> Iterator[Filling]:
        """Start archive and worker; on the first start make the content, telling how far it is."""
        if not self.made:
            self.reset()
            self.home.mkdir(parents=True, exist_ok=True)
            (self.home / _BIRTH).write_text("A demo makes this hospital; `pacs-tui demo --reset` deletes it.\n")
        self._started = True
        self._configure()
        nodes = self._start_archive()
        station = Station(self.settings)
        try:
            known = {node.name for node in station.book.nodes()}
            for node in nodes:
                # Ports are chosen anew at every start; what the administrator changed besides stays.
                station.book.save_node(
                    replace(station.book.node(node.name), host=node.host, port=node.port)
                    if node.name in known
                    else node
                )
            if not self.made:
                yield from self._fill(station)
        finally:
            station.close()
        self._worker = self._spawn("worker", "--forever", "--tether", log="worker.log")

    def stop(self) -> None:
        """End what was started, the worker first; a process that does not end in time is killed."""
        for process in (self._worker, self._archive):
            if process is None or process.poll() is not None:
                continue
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._worker = self._archive = None
        if not self._started:
            return
        # The console starts another worker when ours was killed; that one is the demo's too.
        if (left := alive(self.settings.state)) is not None:
            with suppress(ProcessLookupError):
                os.kill(left, signal.SIGTERM)

    # ------------------------------------------------------------------ pieces

    def _configure(self) -> None:
        settings = self.settings
        if settings.archive.areas:
            return
        areas = tuple(
            Area(title, 0, settings.data / title / "STA_STORE", settings.data / title / "LTA_STORE")
            for title in AE_TITLES
        )
        settings.config.parent.mkdir(parents=True, exist_ok=True)
        settings.config.write_text(
            "# Written by `pacs-tui demo`.\n" + render(replace(settings, archive=ArchiveSettings(areas=areas))),
            encoding="utf-8",
        )

    def _start_archive(self) -> list[Node]:
        """The archive process, once it listens: it prints one line of JSON for each AE title."""
        self._archive = self._spawn("archive", "serve", "--json", "--tether", log="archive.log", stdout=subprocess.PIPE)
        assert self._archive.stdout is not None
        nodes = []
        for _ in self.settings.archive.areas:
            line = self._archive.stdout.readline()
            try:
                ready = json.loads(line)
            except ValueError:
                ready = {"error": "The archive did not start."}
            if "error" in ready:
                raise StorageError(f"{ready['error']} Its log: {self.settings.state / 'archive.log'}.")
            nodes.append(_node(ready))
        return nodes

    def _spawn(self, *words: str, log: str, stdout: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        state = self.settings.state
        state.mkdir(parents=True, exist_ok=True)
        with (state / log).open("ab") as errors:
            # A session of its own: Ctrl-C in the console's terminal is the console's alone. The pipe ties them to us.
            return subprocess.Popen(
                [sys.executable, "-m", "pacs_tui", *words], env=self.environ, stdin=subprocess.PIPE, stdout=stdout,
                stderr=errors, text=True, start_new_session=True,
            )  # fmt: skip

    def _fill(self, station: Station) -> Iterator[Filling]:
        today = date.today()
        total = plan(today).placements
        done = 0
        yield Filling(0, total)
        waiting: dict[str, list[Held]] = {}
        with tempfile.TemporaryDirectory(prefix=_MAKING, dir=self.home) as folder:
            for placement in arrange(Path(folder), today):
                batch = waiting.setdefault(placement.ae_title, [])
                batch.append(placement.held)
                if len(batch) >= _BATCH:
                    _send(station, placement.ae_title, batch)
                    done += len(batch)
                    batch.clear()
                    yield Filling(done, total)
            for title, batch in waiting.items():
                _send(station, title, batch)
                done += len(batch)
                yield Filling(done, total)
        (self.home / _MARKER).write_text(json.dumps({"made": today.isoformat(), "instances": total}), encoding="utf-8")


_OURS = frozenset((_MARKER, _BIRTH, "config.toml", "state", "cache", "data"))


def _node(ready: Mapping[str, object]) -> Node:
    title = str(ready["ae_title"])
    return Node(title, title, str(ready["host"]), int(str(ready["port"])), comment=_COMMENTS.get(title, ""))


def _send(station: Station, title: str, batch: list[Held]) -> None:
    for sent in station.peer(title).send(batch):
        if not sent.kept:
            raise StorageError(f"{title} refused {sent.sop_instance}: status {sent.status:04X} {sent.comment}")
