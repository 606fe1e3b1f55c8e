"""The servers that are compared, each in a folder of its own, on loopback ports the kernel chose."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from bench.process import Cost, cost
from pacs_tui.book.book import Book
from pacs_tui.dimse.peer import Peer
from pacs_tui.model.level import Level, Root
from pacs_tui.model.node import Node
from pacs_tui.model.query import Query
from pacs_tui.settings import Timeouts

TITLE = "PEER"
_START_SECONDS = 60.0
_AGREE_SECONDS = 5.0
_TIMEOUTS = Timeouts(message=600.0, transfer=600.0)
_CONFIG = """\
[archive]
host = "127.0.0.1"
durability = "{durability}"
processes = {processes}
[[archive.area]]
ae_title = "{title}"
port = {port}
sta = "sta"
"""


@dataclass(frozen=True)
class Server:
    """A server that listens."""

    node: Node
    process: subprocess.Popen[bytes]
    count: Callable[[Server], int]

    def cost(self) -> Cost:
        """What it has cost since its start."""
        return cost(self.process.pid)

    def kept(self) -> int:
        """Instances it really has."""
        return self.count(self)

    def peer(self) -> closing[Peer]:
        """Our client for it. Orthanc serves four associations at a time: what stays open stands in the way."""
        return closing(Peer(self.node, "BENCH", _TIMEOUTS))


class Start(Protocol):
    """Starts a server whose files lie in a folder nobody has used; a port of 0 means that any will do."""

    def __call__(self, folder: Path, port: int = 0) -> AbstractContextManager[Server]: ...


def program(name: str) -> str:
    """The path of a foreign program; those of the same name that pynetdicom installs beside Python are not meant."""
    own = str(Path(sys.executable).parent)
    folders = [folder for folder in os.environ.get("PATH", "").split(":") if folder and folder != own]
    found = shutil.which(name, path=":".join([*folders, "/usr/sbin", "/usr/local/sbin"]))
    if found is None:
        sys.exit(f"{name} is not installed: run `make peers`")
    return found


def environ(nodelay: bool) -> dict[str, str]:
    """Our environment; DCMTK, also inside Orthanc, leaves Nagle's algorithm on unless TCP_NODELAY is set."""
    known = {key: value for key, value in os.environ.items() if key != "TCP_NODELAY"}
    return known | ({"TCP_NODELAY": "1"} if nodelay else {})


def ours(durability: str = "full", processes: int = 1, destinations: Sequence[Node] = ()) -> Start:
    """`pacs-tui archive serve`, as an administrator starts it; the folder is its home."""
    return partial(_ours, durability, processes, tuple(destinations))


def orthanc(nodelay: bool = True, destinations: Sequence[Node] = ()) -> Start:
    """Orthanc as Debian ships it, without plugins."""
    return partial(_orthanc, nodelay, tuple(destinations))


def dcmqrscp(nodelay: bool = True, destinations: Sequence[Node] = ()) -> Start:
    """DCMTK's archive, with room for everything."""
    return partial(_dcmqrscp, nodelay, tuple(destinations))


def storescp(nodelay: bool = True, fork: bool = False, title: str = TITLE) -> Start:
    """DCMTK's receiver, bytes kept as received; it keeps no index. One association at a time unless it forks."""
    return partial(_storescp, nodelay, fork, title)


def pynetdicom(application: str) -> Start:
    """A server application of pynetdicom that keeps nothing."""
    return partial(_pynetdicom, application)


@contextmanager
def _ours(durability: str, processes: int, destinations: Sequence[Node], home: Path, port: int = 0) -> Iterator[Server]:
    home.mkdir(parents=True, exist_ok=True)
    (home / "config.toml").write_text(
        _CONFIG.format(durability=durability, processes=processes, title=TITLE, port=port)
    )
    if destinations:
        Book(home / "state" / "book.json").save_nodes(destinations)
    command = [sys.executable, "-m", "pacs_tui", "archive", "serve", "--json"]
    with _running(command, home, environ(False) | {"PACS_TUI_HOME": str(home)}, subprocess.PIPE) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"our archive does not start: {last_words(home)}")
        yield Server(_node(json.loads(line)["port"]), process, partial(_ours_kept, home))


@contextmanager
def _orthanc(nodelay: bool, destinations: Sequence[Node], folder: Path, port: int = 0) -> Iterator[Server]:
    port, http = port or free_port(), free_port()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "orthanc.json").write_text(json.dumps({
        "Name": "bench", "StorageDirectory": str(folder / "db"), "IndexDirectory": str(folder / "db"),
        "HttpPort": http, "DicomPort": port, "DicomAet": TITLE, "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False, "Plugins": [], "DicomAlwaysAllowFind": True, "DicomAlwaysAllowMove": True,
        "DicomAlwaysAllowGet": True, "DicomModalities": {n.name: [n.ae_title, n.host, n.port] for n in destinations},
    }))  # fmt: skip
    with _running([program("Orthanc"), str(folder / "orthanc.json")], folder, environ(nodelay)) as process:
        _await(port, process, folder)
        _await(http, process, folder)
        yield Server(_node(port), process, lambda _: int(_statistics(http)["CountInstances"]))


@contextmanager
def _dcmqrscp(nodelay: bool, destinations: Sequence[Node], folder: Path, port: int = 0) -> Iterator[Server]:
    port = port or free_port()
    (folder / "out").mkdir(parents=True)
    hosts = "\n".join(f"{n.name.lower()} = ({n.ae_title}, {n.host}, {n.port})" for n in destinations)
    (folder / "dcmqrscp.cfg").write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 131072\nMaxAssociations = 32\n"
        f"HostTable BEGIN\n{hosts}\nHostTable END\nVendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\n{TITLE} {folder / 'out'} RW (100000, 1024gb) ANY\nAETable END\n"
    )
    command = [program("dcmqrscp"), "-q", "-c", str(folder / "dcmqrscp.cfg")]
    with _running(command, folder, environ(nodelay)) as process:
        _await(port, process, folder)
        yield Server(_node(port), process, lambda _: _files(folder / "out"))


@contextmanager
def _storescp(nodelay: bool, fork: bool, title: str, folder: Path, port: int = 0) -> Iterator[Server]:
    port = port or free_port()
    (folder / "out").mkdir(parents=True)
    command = [
        program("storescp"),
        "-q",
        "--bit-preserving",
        "-pdu",
        "131072",
        "-aet",
        title,
        "-od",
        str(folder / "out"),
    ]
    with _running([*command, *(["--fork"] if fork else []), str(port)], folder, environ(nodelay)) as process:
        _await(port, process, folder)
        yield Server(_node(port, title), process, lambda _: _files(folder / "out"))


@contextmanager
def _pynetdicom(application: str, folder: Path, port: int = 0) -> Iterator[Server]:
    port = port or free_port()
    command = [sys.executable, "-W", "ignore", "-m", "pynetdicom", application, str(port), "-q"]
    with _running(command, folder, environ(False)) as process:
        _await(port, process, folder)
        yield Server(_node(port), process, lambda _: 0)


# ---------------------------------------------------------------------- pieces


def _node(port: int, title: str = TITLE) -> Node:
    return Node(title, title, "127.0.0.1", port)


@contextmanager
def _running(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], output: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A server in a process group of its own for the length of the block; its words go to `log`."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output or log, stderr=log, env=environment,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def last_words(folder: Path) -> str:
    """The end of a server's log."""
    return (folder / "log").read_text(errors="replace")[-2000:]


def free_port() -> int:
    """A port the kernel gave and took back a moment ago, for programs that want to be told a number."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def _await(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}: {last_words(folder)}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            os.sched_yield()
    raise RuntimeError(f"{process.args!r} does not listen after {_START_SECONDS:g} s: {last_words(folder)}")


def _files(folder: Path) -> int:
    """Instances as files; dcmqrscp keeps its index beside them."""
    return sum(1 for entry in os.scandir(folder) if entry.name != "index.dat")


def _statistics(http: int) -> dict[str, int]:
    with urllib.request.urlopen(f"http://127.0.0.1:{http}/statistics", timeout=60) as answer:
        found: dict[str, int] = json.load(answer)
    return found


def _ours_kept(home: Path, server: Server) -> int:
    """What both the index and the area know: each alone would be a loss.

    With `durability = "os"` a serving process may know for a moment what another has not yet written down.
    """
    deadline = time.monotonic() + _AGREE_SECONDS
    while True:
        listed, lying = _listed(server), _lying(home / "data" / "sta")
        if listed == lying or time.monotonic() > deadline:
            return min(listed, lying)


def _listed(server: Server) -> int:
    query = Query(Level.STUDY, Root.STUDY, (("StudyInstanceUID", ""), ("NumberOfStudyRelatedInstances", "")))
    with server.peer() as peer:
        return sum(int(match.get("NumberOfStudyRelatedInstances")) for match in peer.find(query))


def _lying(area: Path) -> int:
    """Files that are neither half received nor in quarantine."""
    apart = {"incoming", "quarantine"}
    return sum(len(files) for at, _, files in os.walk(area) if not apart & set(Path(at).relative_to(area).parts[:1]))
