"""C-FIND of 2,000 studies: our `find` against DCMTK's findscu, on the same archive in the same run."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

from bench.pairs import paired, report
from pacs_tui.archive.archive import Archive
from pacs_tui.book.book import Book
from pacs_tui.dimse.listener import Listener
from pacs_tui.dimse.peer import Peer
from pacs_tui.model.level import Level
from pacs_tui.model.node import Node
from pacs_tui.model.query import RETURN_KEYS, parse
from pacs_tui.model.transfer import StoreRequest
from pacs_tui.settings import Area, Limits, Timeouts
from tests.interop.foreign import program

STUDIES = 2000
CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"


def fill(archive: Archive) -> None:
    """Studies of one series and one instance each, through the archive's own door."""
    first = date(2021, 1, 1)
    for number in range(STUDIES):
        uid = f"1.2.826.0.1.3680043.8.498.77.{number}"
        incoming = archive.store(StoreRequest("BENCH", "BENCH", "127.0.0.1", CT, f"{uid}.1.1", EXPLICIT))
        incoming.write([b"\x08\x00\x60\x00CS\x02\x00CT" + number.to_bytes(4, "little")])
        incoming.commit({
            "PatientName": f"SMITH^ANNA {number}", "PatientID": f"PID{number:07d}", "PatientBirthDate": "19600211",
            "PatientSex": "F", "StudyInstanceUID": uid, "StudyDate": f"{first + timedelta(number % 1800):%Y%m%d}",
            "StudyTime": "101112", "AccessionNumber": f"ACC{number:07d}", "StudyDescription": "CT CHEST W CONTRAST",
            "StudyID": str(number), "SeriesInstanceUID": f"{uid}.1", "Modality": "CT", "SOPInstanceUID": f"{uid}.1.1",
            "SOPClassUID": CT,
        })  # fmt: skip


@contextmanager
def archive_of(home: Path) -> Iterator[Node]:
    """An archive with the studies, on a port the kernel chose."""
    archive = Archive([Area("BENCH", 0, home / "sta")], f"sqlite:///{home / 'index.db'}", lambda _: None)
    archive.open()
    fill(archive)
    archive.close()
    server = subprocess.Popen(
        [sys.executable, "-m", "bench.find", str(home)], stdout=subprocess.PIPE, text=True, stdin=subprocess.PIPE
    )
    try:
        assert server.stdout is not None
        yield Node("BENCH", "BENCH", "127.0.0.1", int(server.stdout.readline()))
    finally:
        server.communicate("")


def serve(home: Path) -> None:
    """The server process: so that it does not share our interpreter."""
    archive = Archive([Area("BENCH", 0, home / "sta")], f"sqlite:///{home / 'index.db'}", lambda _: None)
    archive.open()
    listener = Listener(archive, [("127.0.0.1", 0)], Limits())
    listener.open()
    print(listener.ports[0], flush=True)
    sys.stdin.read()
    listener.close(1.0)
    archive.close()


def timed(work: list[str], environ: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(work, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def run() -> None:
    """Print the pairs."""
    query = parse("", date(2026, 11, 22))
    keys = [word for keyword in RETURN_KEYS[Level.STUDY] for word in ("-k", keyword)]
    with tempfile.TemporaryDirectory() as folder, archive_of(Path(folder)) as node:
        theirs = [program("findscu"), "-q", "-S", "-aec", "BENCH", "-k", "QueryRetrieveLevel=STUDY", *keys,
                  node.host, str(node.port)]  # fmt: skip
        environ = {**os.environ, "TCP_NODELAY": "1", "PACS_TUI_HOME": folder}
        peer = Peer(node, "BENCH", Timeouts())

        def ours(read: bool) -> float:
            began = time.perf_counter()
            rows = list(peer.find(query))
            if read:
                sum(len(row.get("PatientName")) for row in rows)
            spent = time.perf_counter() - began
            assert len(rows) == STUDIES
            return spent

        title = f"find: {STUDIES:,} studies of {len(keys) // 2} attributes, same archive"
        report(title, "Peer.find, rows kept as bytes", "findscu -q, TCP_NODELAY=1",
               paired(lambda: ours(False), lambda: timed(theirs, environ)), "rows", STUDIES)  # fmt: skip
        report(title, "Peer.find, a name read from every row", "findscu -q, TCP_NODELAY=1",
               paired(lambda: ours(True), lambda: timed(theirs, environ)), "rows", STUDIES)  # fmt: skip
        peer.close()
        Book(Path(folder) / "state" / "book.json").save_node(node)
        verb = [sys.executable, "-m", "pacs_tui", "find", "BENCH", "--json"]
        report(title + ", whole process", "pacs-tui find --json", "findscu -q, TCP_NODELAY=1",
               paired(lambda: timed(verb, environ), lambda: timed(theirs, environ)), "rows", STUDIES)  # fmt: skip


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
