"""What is acknowledged is kept whole; what is refused leaves nothing."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from blake3 import blake3
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from pacs_tui.archive.archive import Archive
from pacs_tui.archive.files import Files, Partial, file_name
from pacs_tui.archive.index import Index
from pacs_tui.dimse.services import Incoming, Services
from pacs_tui.errors import Refused, SettingsError, StorageError
from pacs_tui.model.admission import Admission, Right
from pacs_tui.model.level import Level
from pacs_tui.model.node import Node
from pacs_tui.model.transfer import Target
from pacs_tui.settings import Area, Caller
from tests.archive.conftest import CT, ask, files_of, header, put, request


def test_an_archive_answers_what_a_listener_needs(archive: Archive) -> None:
    services: Services = archive
    incoming: Incoming = services.store(request(header()))
    incoming.abort()


def test_a_file_is_the_header_and_the_bytes_as_received(archive: Archive, tmp_path: Path) -> None:
    assert put(archive, content=b"exactly these bytes") == 0
    [held] = archive.retrieve("STA", Target(Level.STUDY, study_uid="1.2.1"))
    assert held.path.read_bytes() == request(header()).part10_header() + b"exactly these bytes"
    name = file_name("1.2.1.1.1", blake3(b"exactly these bytes").digest())
    assert held.path == tmp_path / "STA" / name[:2] / name
    assert (held.sop_class, held.sop_instance, held.study_uid) == (CT, "1.2.1.1.1", "1.2.1")


def test_many_small_pieces_arrive_in_order(archive: Archive) -> None:
    pieces = [bytes([n % 256]) * (n % 7) for n in range(3000)]
    incoming = archive.store(request(header()))
    incoming.write(pieces)
    incoming.commit(header())
    [held] = archive.retrieve("STA", Target(Level.STUDY, study_uid="1.2.1"))
    assert held.path.read_bytes().endswith(b"DICM" + request(header()).part10_header()[132:] + b"".join(pieces))


def test_short_writes_lose_nothing(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.writev
    monkeypatch.setattr(os, "writev", lambda fd, views: whole(fd, [views[0][: max(1, len(views[0]) // 2)]]))
    put(archive, content=b"a data set of several pieces")
    [held] = archive.retrieve("STA", Target(Level.STUDY, study_uid="1.2.1"))
    assert held.path.read_bytes().endswith(b"a data set of several pieces")


def test_a_half_received_instance_is_not_visible(archive: Archive, tmp_path: Path) -> None:
    incoming = archive.store(request(header()))
    incoming.write([b"half"])
    assert ask(archive, Level.STUDY, StudyInstanceUID="") == []
    incoming.abort()
    incoming.abort()
    assert files_of(tmp_path / "STA") == {}


def test_the_same_bytes_again_are_a_success_and_do_not_double(archive: Archive, tmp_path: Path) -> None:
    assert put(archive) == put(archive) == 0
    assert len(files_of(tmp_path / "STA")) == 1
    [counts] = archive.counts()
    assert (counts.studies, counts.series, counts.instances) == (1, 1, 1)


def test_a_lost_file_comes_back_with_the_same_bytes(archive: Archive) -> None:
    put(archive)
    [held] = archive.retrieve("STA", Target(Level.STUDY, study_uid="1.2.1"))
    held.path.unlink()
    assert put(archive) == 0
    assert held.path.read_bytes().endswith(b"data set")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"StudyInstanceUID": ""}, "StudyInstanceUID is missing"),
        ({"SeriesInstanceUID": "1.2.x"}, "SeriesInstanceUID is not a UID"),
        ({"SeriesInstanceUID": "../../etc/passwd"}, "SeriesInstanceUID is not a UID"),
        ({"StudyInstanceUID": "1" * 65}, "StudyInstanceUID is not a UID"),
        ({"SOPInstanceUID": "1.2.9"}, "SOPInstanceUID of data set and command differ"),
        ({"SOPClassUID": "1.2.9"}, "SOPClassUID of data set and command differ"),
    ],
)
def test_an_instance_that_does_not_belong_leaves_nothing(
    archive: Archive, tmp_path: Path, caplog: pytest.LogCaptureFixture, wrong: dict[str, str], sentence: str
) -> None:
    incoming = archive.store(request(header()))
    incoming.write([b"x" * 100])
    with caplog.at_level(logging.WARNING), pytest.raises(Refused, match=sentence) as refusal:
        incoming.commit(header() | wrong)
    assert refusal.value.status == 0xA900
    assert len(str(refusal.value)) <= 64, "ErrorComment is a LO"
    assert sentence in caplog.text
    assert files_of(tmp_path / "STA") == {}
    assert ask(archive, Level.STUDY, StudyInstanceUID="") == []


@pytest.mark.parametrize("uid", ["", "../../../tmp/x", "1.2\0.3", "1..2", "1" * 65])
def test_a_command_without_valid_uids_is_refused_at_once(archive: Archive, tmp_path: Path, uid: str) -> None:
    with pytest.raises(Refused) as refusal:
        archive.store(request(header(instance=uid)))
    assert refusal.value.status == 0x0117
    assert files_of(tmp_path / "STA") == {}


def _full(*_: object) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("call", ["writev", "fdatasync", "link"])
def test_a_full_disk_is_out_of_resources_and_leaves_nothing(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    incoming = archive.store(request(header()))
    monkeypatch.setattr(os, call, _full)

    def receive() -> None:
        incoming.write([b"x"])
        incoming.commit(header())

    with pytest.raises(Refused, match="No space left") as refusal:
        receive()
    assert refusal.value.status == 0xA700
    monkeypatch.undo()
    incoming.abort()
    assert files_of(tmp_path / "STA") == {}
    assert ask(archive, Level.STUDY, StudyInstanceUID="") == []
    assert put(archive) == 0


def test_an_index_that_cannot_commit_shows_nothing_and_loses_nothing(
    archive: Archive, make: Callable[..., Archive], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OperationalError("COMMIT", {}, Exception("database or disk is full"))

    monkeypatch.setattr(Connection, "commit", fail)
    with pytest.raises(Refused) as refusal:
        put(archive)
    assert refusal.value.status == 0xA700
    monkeypatch.undo()
    assert ask(archive, Level.STUDY, StudyInstanceUID="") == []
    assert put(archive) == 0, "the index is back"
    assert len(ask(archive, Level.STUDY, StudyInstanceUID="")) == 1


def test_bytes_then_name_then_row_then_answer(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def note(owner: type, name: str) -> None:
        real: Callable[..., object] = getattr(owner, name)

        def noted(*args: object) -> object:
            done = real(*args)
            order.append(name)
            return done

        monkeypatch.setattr(owner, name, noted)

    for owner, name in ((Partial, "settle"), (Partial, "publish"), (Index, "add"), (Partial, "settled")):
        note(owner, name)
    put(archive)
    assert order == ["settle", "publish", "settled", "add"]


_DIE = """
import os, sys
from pathlib import Path
from pacs_tui.archive.files import Files
files = Files(Path(sys.argv[1]))
files.open()
files.receive().write([b"half an instance"])
os._exit(9)
"""


def test_what_a_killed_process_had_half_received_is_swept(make: Callable[..., Archive], tmp_path: Path) -> None:
    assert subprocess.run([sys.executable, "-c", _DIE, str(tmp_path / "STA")], check=False).returncode == 9
    assert len(files_of(tmp_path / "STA")) == 1
    make()
    assert files_of(tmp_path / "STA") == {}


def test_a_sweep_spares_what_a_living_process_receives(tmp_path: Path) -> None:
    living = Files(tmp_path)
    living.open()
    partial = living.receive()
    partial.write([b"on its way"])
    second = Files(tmp_path)
    second.open()
    assert list(second.abandoned()) == []
    partial.settle()
    name = file_name("1.2", b"content")
    partial.publish(name)
    assert living.path(name).read_bytes() == b"on its way"
    partial.settled(True)
    living.close()
    second.close()
    assert list((tmp_path / "incoming").iterdir()) == [tmp_path / "incoming" / "sweep"]


def test_many_threads_store_at_once(archive: Archive, tmp_path: Path) -> None:
    def one(number: int) -> int:
        study, series = f"1.2.{number % 5}", f"1.2.{number % 5}.{number % 10}"
        return put(
            archive, content=b"%d" % number, study=study, series=series, instance=f"{series}.{number}",
            Modality="CT" if number % 10 < 5 else "SR",
        )  # fmt: skip

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(one, range(200))) == {0}
    assert len(files_of(tmp_path / "STA")) == 200
    rows = ask(
        archive, Level.STUDY, StudyInstanceUID="", NumberOfStudyRelatedSeries="", NumberOfStudyRelatedInstances="",
        ModalitiesInStudy="",
    )  # fmt: skip
    assert {r["NumberOfStudyRelatedInstances"] for r in rows} == {"40"}
    assert {r["NumberOfStudyRelatedSeries"] for r in rows} == {"2"}
    assert {r["ModalitiesInStudy"] for r in rows} == {"CT\\SR"}


def test_threads_racing_for_one_uid_agree_on_one_content(archive: Archive, tmp_path: Path) -> None:
    def one(number: int) -> int | None:
        try:
            return put(archive, content=b"%d" % (number % 2))
        except Refused as refusal:
            return refusal.status

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(one, range(40)))
    assert sorted(statuses, key=str) == [0] * 20 + [0x0111] * 20
    assert len(files_of(tmp_path / "STA")) == 2, "one is held, the other in quarantine"
    assert len(list((tmp_path / "STA" / "quarantine").iterdir())) == 1


def test_areas_hold_the_same_study_independently(make: Callable[..., Archive], tmp_path: Path) -> None:
    archive = make("STA", "LTA")
    put(archive, "STA", content=b"one")
    put(archive, "LTA", content=b"another", StudyDescription="ONLY HERE")
    put(archive, "LTA", content=b"more", instance="1.2.1.1.2")
    assert [c.instances for c in archive.counts()] == [1, 2]
    assert ask(archive, Level.STUDY, called="STA", StudyDescription="ONLY*") == []
    [row] = ask(archive, Level.STUDY, called="LTA", StudyDescription="ONLY*")
    assert row["RetrieveAETitle"] == "LTA"
    study = Target(Level.STUDY, study_uid="1.2.1")
    paths = [held.path for title in ("STA", "LTA") for held in archive.retrieve(title, study)]
    assert [p.is_relative_to(tmp_path / "STA") for p in paths] == [True, False, False]


def test_an_archive_comes_back_as_it_was_left(make: Callable[..., Archive]) -> None:
    first = make()
    put(first)
    first.close()
    second = make()
    assert [r["PatientName"] for r in ask(second, Level.STUDY, PatientName="")] == ["MEIER^ANNA"]


def test_titles_are_admitted_by_area(make: Callable[..., Archive]) -> None:
    callers = Caller("MED1"), Caller("CT", ("10.0.0.0/24", "::1"), ("echo", "store"))
    archive = make("STA", peers=callers)
    assert archive.admit("MED1", "STA", "10.0.0.1") == Admission()
    assert archive.admit("MED1 ", " STA ", "10.0.0.1") == Admission()
    assert archive.admit("MED2", "STA", "10.0.0.1").refusal == 3
    assert archive.admit("MED1", "sta", "10.0.0.1").refusal == 7
    assert archive.admit("CT", "STA", "10.0.0.9").rights == {Right.ECHO, Right.STORE}
    assert archive.admit("CT", "STA", "::ffff:10.0.0.9").refusal is None
    assert archive.admit("CT", "STA", "10.0.1.9").refusal == 3


def test_areas_that_would_mix_are_not_accepted(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'index.db'}"
    for areas in (
        [Area("A", 0, tmp_path / "a"), Area("A", 0, tmp_path / "b")],
        [Area("A", 0, tmp_path / "a"), Area("B", 0, tmp_path / "x" / ".." / "a")],
    ):
        with pytest.raises(SettingsError):
            Archive(areas, url, lambda _: None)


@pytest.mark.parametrize("url", ["sqlite://", "no url", "nosuch://x/y", "postgresql+nosuch://x/y"])
def test_a_useless_index_url_is_a_settings_error(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError):
        Archive([Area("A", 0, tmp_path / "a")], url, lambda _: None).open()


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    archive = Archive([Area("A", 0, tmp_path / "file" / "a")], f"sqlite:///{tmp_path / 'i.db'}", lambda _: None)
    with pytest.raises(StorageError, match="cannot be opened"):
        archive.open()
    archive.close()


def test_destinations_are_asked_by_title(tmp_path: Path) -> None:
    node = Node("MED1", "MED1", "127.0.0.1", 11112)
    archive = Archive([], f"sqlite:///{tmp_path / 'i.db'}", {"MED1": node}.get)
    assert archive.destination("STA", "MED1 ") is node
    assert archive.destination("STA", "MED9") is None


def test_later_instances_fill_what_the_first_left_empty_and_change_nothing_else(archive: Archive) -> None:
    put(archive, StudyDescription="", SeriesDescription="FIRST", PatientName="MEIER^ANNA")
    put(archive, instance="1.2.1.1.2", StudyDescription="CHEST", SeriesDescription="SECOND", PatientName="X=Y=Z")
    [row] = ask(archive, Level.STUDY, StudyDescription="", PatientName="")
    assert (row["StudyDescription"], row["PatientName"]) == ("CHEST", "MEIER^ANNA")
    [row] = ask(archive, Level.SERIES, StudyInstanceUID="1.2.1", SeriesDescription="")
    assert row["SeriesDescription"] == "FIRST"
    assert ask(archive, Level.STUDY, PatientName="Y*") == []


def test_over_long_values_are_cut_for_the_index_only(archive: Archive) -> None:
    long = "A" * 500
    put(archive, content=long.encode(), StudyDescription=long, AccessionNumber=long, SeriesNumber="9" * 40)
    [row] = ask(archive, Level.STUDY, StudyDescription="", AccessionNumber=long)
    assert row["StudyDescription"] == "A" * 64
    assert row["AccessionNumber"] == "A" * 16
    [held] = archive.retrieve("STA", Target(Level.STUDY, study_uid="1.2.1"))
    assert held.path.read_bytes().endswith(long.encode())
