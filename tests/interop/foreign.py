"""Foreign peers: DCMTK's tools and archives, and Orthanc, as Debian ships them, each on a port the kernel chose."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from pacs_tui.model.node import Node

_START_SECONDS = 30.0


def program(name: str) -> str:
    """The path of a foreign program; a missing one fails under CI and skips elsewhere."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        message = f"{name} is not installed: run `make peers`"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


def free_port() -> int:
    """A port the kernel gave and took back a moment ago, for programs that want to be told a number."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def await_port(port: int, process: subprocess.Popen[bytes], what: str) -> None:
    """Return when something listens; fail when the process ends before."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"{what} ended with {process.returncode} instead of listening")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            # nothing to wait for but the port itself; the kernel answers at once
            os.sched_yield()
    pytest.fail(f"{what} does not listen after {_START_SECONDS:g} s")


@contextmanager
def running(command: Sequence[str], port: int, log: Path, environ: Mapping[str, str] | None = None) -> Iterator[None]:
    """A server process for the length of the block."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, **(environ or {})}
        )
    try:
        await_port(port, process, command[0])
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def storescp(folder: Path, title: str = "STORESCP", *options: str) -> Iterator[Node]:
    """DCMTK's storescp, bytes kept as received."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    command = [program("storescp"), "+B", "+uf", "-aet", title, "-od", str(folder), *options, str(port)]
    with running(command, port, folder.with_suffix(".log"), {"TCP_NODELAY": "1"}):
        yield Node(title, title, "127.0.0.1", port)


@contextmanager
def dcmqrscp(folder: Path, destinations: Sequence[Node]) -> Iterator[Node]:
    """DCMTK's archive, which knows these move destinations."""
    port = free_port()
    (folder / "store").mkdir(parents=True)
    hosts = "\n".join(f"{n.name.lower()} = ({n.ae_title}, {n.host}, {n.port})" for n in destinations)
    (folder / "dcmqrscp.cfg").write_text(
        f"NetworkTCPPort = {port}\nMaxPDUSize = 16384\nMaxAssociations = 16\n"
        f"HostTable BEGIN\n{hosts}\nHostTable END\nVendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\nDCMQRSCP {folder / 'store'} RW (500, 1024mb) ANY\nAETable END\n"
    )
    command = [program("dcmqrscp"), "-c", str(folder / "dcmqrscp.cfg")]
    with running(command, port, folder / "dcmqrscp.log", {"TCP_NODELAY": "1"}):
        yield Node("DCMQRSCP", "DCMQRSCP", "127.0.0.1", port)


@contextmanager
def orthanc(folder: Path, destinations: Sequence[Node]) -> Iterator[Node]:
    """Orthanc without plugins, which knows these move destinations."""
    port, http = free_port(), free_port()
    folder.mkdir(parents=True)
    (folder / "orthanc.json").write_text(json.dumps({
        "Name": "test", "StorageDirectory": str(folder / "db"), "IndexDirectory": str(folder / "db"),
        "HttpPort": http, "DicomPort": port, "DicomAet": "ORTHANC", "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False, "Plugins": [], "DicomCheckCalledAet": False,
        "DicomAlwaysAllowEcho": True, "DicomAlwaysAllowFind": True, "DicomAlwaysAllowMove": True,
        "DicomAlwaysAllowGet": True, "DicomAlwaysAllowStore": True, "UnknownSopClassAccepted": True,
        "DicomModalities": {n.name: [n.ae_title, n.host, n.port] for n in destinations},
    }))  # fmt: skip
    with running(
        [program("Orthanc"), str(folder / "orthanc.json")], port, folder / "orthanc.log", {"TCP_NODELAY": "1"}
    ):
        yield Node("ORTHANC", "ORTHANC", "127.0.0.1", port)


def tool(name: str, *arguments: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
    """One run of a DCMTK tool, its output as text."""
    return subprocess.run(
        [program(name), *arguments], capture_output=True, text=True, errors="replace", timeout=timeout,
        env={**os.environ, "TCP_NODELAY": "1"},
    )  # fmt: skip
