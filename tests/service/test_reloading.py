"""SIGHUP: what changes at once, what needs a new start, and what a slip in config.toml does: nothing."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pydicom
import pytest
from msgspec.structs import replace

from pacs_tui.book.book import Book
from pacs_tui.errors import Refused
from pacs_tui.model.level import Level
from pacs_tui.model.node import Node
from pacs_tui.model.transfer import Held, Target
from pacs_tui.service.reloading import merged
from pacs_tui.settings import ArchiveSettings, Area, Caller, Limits, Settings, Timeouts
from tests.service.conftest import Service, area, serviced, until

PLACE = Path("/nowhere")
RUNNING = Settings(
    PLACE / "config.toml", PLACE, PLACE, PLACE,
    archive=ArchiveSettings(areas=(Area("A", 104, PLACE / "a"), Area("B", 105, PLACE / "b")), processes=2),
)  # fmt: skip


def test_what_can_change_changes() -> None:
    archive = replace(
        RUNNING.archive,
        areas=(
            Area("A", 104, PLACE / "a", None, (Caller("MED1", ("10.0.0.0/8",), ("echo",)),), 5.0, "replace"),
            RUNNING.archive.areas[1],
        ),
        limits=Limits(associations=3), low_water_megabytes=9, result_cap=7, grace_seconds=1.0, hung_seconds=9.0,
    )  # fmt: skip
    assert merged(RUNNING, replace(RUNNING, archive=archive)) == (replace(RUNNING, archive=archive), [])


def test_what_cannot_change_is_named_and_stays() -> None:
    archive = ArchiveSettings(
        host="0.0.0.0", durability="os", processes=4, index_wait_seconds=1.0,
        areas=(Area("A", 106, PLACE / "elsewhere", quota_gigabytes=3), Area("C", 107, PLACE / "c")),
    )  # fmt: skip
    wanted = replace(RUNNING, archive=archive, timeouts=Timeouts(connect=1.0), data=Path("/other"))
    settings, left = merged(RUNNING, wanted)
    assert settings.archive == replace(
        RUNNING.archive, areas=(replace(RUNNING.archive.areas[0], quota_gigabytes=3), RUNNING.archive.areas[1])
    )
    assert (settings.timeouts, settings.data) == (RUNNING.timeouts, RUNNING.data)
    for words in ("archive.host", "archive.durability", "archive.processes", "archive.index_wait_seconds", "[timeouts]",
                  "data folder", "port of area A", "sta of area A", "area B is gone", "area C is new"):  # fmt: skip
        assert any(words in sentence for sentence in left), words
    assert len(left) == 10


@pytest.mark.interop
@pytest.mark.parametrize("processes", [1, 2])
def test_a_running_archive_takes_over_its_callers(tmp_path: Path, processes: int, instances: list[Held]) -> None:
    head = f"[archive]\nprocesses = {processes}\n"
    with serviced(tmp_path / "home", head + area("STA")) as service:
        service.start()
        assert service.send(instances[:1]) == [0]
        service.configure("zzz = 1\n" + head + area("STA", peers='["FRIEND"]'))
        reload(service, "not reloaded: ")
        assert len(list(service.peer().echo())) == 1
        service.configure(head + area("STA", peers='["FRIEND"]') + area("NEW"))
        reload(service, "area NEW is new: start the archive again")
        until(lambda: rejected(service))
        assert len(list(service.peer(calling="FRIEND").echo())) == 1
        assert "Traceback" not in service.log
        if processes == 2:
            # who comes later has the new settings too
            for child in service.children():
                os.kill(child, signal.SIGKILL)
            until(lambda: len(service.children()) == 2)
            assert rejected(service)
        assert service.stop() == 0


def reload(service: Service, said: str) -> None:
    assert service.process is not None
    service.process.send_signal(signal.SIGHUP)
    until(lambda: said in service.log)


def rejected(service: Service) -> bool:
    """By every process: each of many callers in turn."""
    return all(refusal(service) == "rj:1:1:3" for _ in range(10))


def refusal(service: Service) -> str:
    try:
        list(service.peer().echo())
    except Refused as error:
        return error.code
    return ""


@pytest.mark.interop
def test_nodes_are_read_anew_without_a_signal(service: Service, instances: list[Held]) -> None:
    service.configure(area("STA") + area("OTHER"))
    service.start()
    assert service.send(instances[:1]) == [0]
    study = str(pydicom.dcmread(instances[0].path, stop_before_pixels=True).StudyInstanceUID)
    target = Target(Level.STUDY, study_uid=study)
    with pytest.raises(Refused) as caught:
        list(service.peer().move(target, "OTHER"))
    assert caught.value.status == 0xA801
    node = service.nodes["OTHER"]
    Book(service.home / "state" / "book.json").save_node(Node("OTHER", "OTHER", node.host, node.port))
    assert list(service.peer().move(target, "OTHER"))[-1].completed == 1
