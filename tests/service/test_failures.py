"""The index fails while the archive runs: a sentence for whoever asks, and no trace of it when the cause is gone."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Iterable, Sequence
from itertools import islice
from pathlib import Path

import pytest

from pacs_tui.archive.archive import Archive
from pacs_tui.archive.attributes import BY_KEYWORD
from pacs_tui.errors import Refused, StorageError
from pacs_tui.model.find import FindRequest
from pacs_tui.model.level import Level, Root
from pacs_tui.model.query import by_uid
from pacs_tui.model.tag import Element
from pacs_tui.model.transfer import Held
from tests.archive.conftest import ask, blank_index, make, put  # noqa: F401  two of them are fixtures
from tests.service.conftest import Service, area

pytestmark = pytest.mark.interop


@pytest.mark.parametrize("processes", [1, 2])
def test_an_index_that_somebody_else_has_locked(service: Service, processes: int, instances: list[Held]) -> None:
    service.configure(f"[archive]\nindex_wait_seconds = 0.2\nprocesses = {processes}\n" + area("STA"))
    service.start()
    assert service.send(instances[:1]) == [0]
    stranger = sqlite3.connect(service.home / "data" / "index.db", isolation_level=None)
    stranger.execute("BEGIN EXCLUSIVE")
    [sent] = list(service.peer().send(instances[1:2]))
    assert (sent.status, sent.comment) == (0xA700, "Not stored: the index failed.")
    held = list(service.peer().find(by_uid(Level.STUDY, "")))
    assert len(held) == 1, "whoever only asks is not disturbed"
    stranger.execute("ROLLBACK")
    stranger.close()
    assert service.send(instances) == [0] * len(instances)
    assert service.stop() == 0
    assert "Traceback" not in service.log
    service.start()
    [found] = service.status()["areas"]
    assert (found["instances"], found["conflicts"]) == (len(instances), 0)


def test_an_index_that_turns_into_garbage_and_back(make: Callable[..., Archive], tmp_path: Path) -> None:  # noqa: F811
    archive = make()
    for number in range(300):
        assert put(archive, study=f"1.2.{number}", series=f"1.2.{number}.1", instance=f"1.2.{number}.1.1") == 0
    busy = [iter(query(archive)) for _ in range(4)]
    for rows in busy:
        assert len(list(islice(rows, 10))) == 10
    index = tmp_path / "index.db"
    whole = index.read_bytes()
    index.write_bytes(b"\x5a" * len(whole))
    with pytest.raises(Refused) as caught:
        list(query(archive))
    assert (caught.value.status, str(caught.value)) == (0xC000, "The archive's index cannot be read.")
    with pytest.raises(StorageError, match="cannot be read"):
        archive.check()
    with pytest.raises(Refused) as stored:
        put(archive, study="1.3", series="1.3.1", instance="1.3.1.1")
    assert stored.value.status == 0xA700
    index.write_bytes(whole)
    for rows in busy:
        assert isinstance(rows, Generator)
        rows.close()
    archive.check()
    assert len(ask(archive, Level.STUDY, StudyInstanceUID="")) == 300
    assert put(archive, study="1.3", series="1.3.1", instance="1.3.1.1") == 0


def query(archive: Archive) -> Iterable[Sequence[str]]:
    wanted = BY_KEYWORD["StudyInstanceUID"]
    return archive.find(FindRequest("STA", Root.STUDY, Level.STUDY, (Element(wanted.tag, wanted.vr, ""),), False)).rows
