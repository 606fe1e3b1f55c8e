"""The verbs against a real archive process: what they print, what they exit with, and that they lie about nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pydicom
import pytest

from pacs_tui.dimse import command as cmd
from pacs_tui.dimse.association import Association
from pacs_tui.dimse.contexts import FIND, MOVE
from pacs_tui.dimse.identifier import encode_keys
from pacs_tui.errors import Exit
from pacs_tui.model.level import Level
from pacs_tui.model.node import Node
from pacs_tui.model.transfer import Held
from pacs_tui.routing.launch import alive
from tests.dimse.scripted import ScriptedPeer, final
from tests.dimse.test_dataset import bundled
from tests.dimse.test_peer_faults import ignore
from tests.interop.conftest import Served
from tests.interop.foreign import free_port

pytestmark = pytest.mark.interop


@pytest.fixture
def filled(served: Served, instances: list[Held]) -> Served:
    assert all(sent.status == 0 for sent in served.peer().send(instances))
    return served


def study_uid(name: str = "CT_small.dcm") -> str:
    return str(pydicom.dcmread(bundled(name), stop_before_pixels=True).StudyInstanceUID)


def records(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def end_worker(served: Served) -> None:
    """The worker that `move` started, so that no test leaves one behind."""
    pid = alive(served.home / "state")
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        while alive(served.home / "state") == pid:
            os.sched_yield()


def test_echo(served: Served) -> None:
    done = served.run("echo", "--all", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert [record["node"] for record in records(done.stdout)] == ["IMAGECTN", "ORTHO1"]


def test_find_as_a_table_and_as_json(filled: Served) -> None:
    table = filled.run("find", "IMAGECTN", "mod:CT")
    assert table.returncode == 0
    assert "CompressedSamples^CT1" in table.stdout
    rows = records(filled.run("find", "IMAGECTN", "id:1CT1", "--json").stdout)
    assert [row["StudyInstanceUID"] for row in rows] == [study_uid()]
    series = records(filled.run("--json", "find", "IMAGECTN", "--study", study_uid()).stdout)
    images = records(
        filled.run(
            "find", "IMAGECTN", "--study", study_uid(), "--series", str(series[0]["SeriesInstanceUID"]), "--json"
        ).stdout
    )
    assert [image["SOPInstanceUID"] for image in images] == [
        str(pydicom.dcmread(bundled("CT_small.dcm")).SOPInstanceUID)
    ]
    nothing = filled.run("find", "IMAGECTN", "nobody")
    assert (nothing.returncode, nothing.stdout) == (Exit.NOT_FOUND, "")


def test_send_verifies(served: Served, instances: list[Held]) -> None:
    done = served.run("send", "ORTHO1", *(str(held.path) for held in instances))
    assert done.returncode == 0, done.stderr
    assert f"verified {len(instances)}/{len(instances)}" in done.stderr


def test_get_writes_files(filled: Served, tmp_path: Path) -> None:
    done = filled.run("get", "IMAGECTN", "--study", study_uid(), "--to", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    files = list((tmp_path / "out").iterdir())
    assert [str(path) for path in files] == done.stdout.split()
    assert pydicom.dcmread(files[0]).PixelData == pydicom.dcmread(bundled("CT_small.dcm")).PixelData
    again = filled.run("get", "IMAGECTN", "--study", study_uid(), "--to", str(tmp_path / "out"))
    assert "kept" in again.stderr


def test_move_is_verified(filled: Served) -> None:
    try:
        done = filled.run("move", "IMAGECTN", "ORTHO1", "--study", study_uid(), "--json")
        assert done.returncode == 0, done.stderr
        ended = records(done.stdout)[-1]
        assert (ended["state"], ended["verified"], ended["total"]) == ("verified", 1, 1)
        listed = records(filled.run("jobs", "list", "--json").stdout)
        assert [job["state"] for job in listed] == ["verified"]
    finally:
        end_worker(filled)


def test_move_to_a_node_the_source_does_not_know(filled: Served, tmp_path: Path) -> None:
    """The archive reads its destinations from its own book; ours has one more node."""
    home = tmp_path / "other"
    (home / "state").mkdir(parents=True)
    other = Served(home, filled.nodes, filled.process)
    for node in (*filled.nodes.values(), Node("NEW", "NEWNODE", "127.0.0.1", filled.nodes["ORTHO1"].port)):
        other.book.save_node(node)
    elsewhere = Node("OT", "ORTHO1", "127.0.0.1", filled.nodes["ORTHO1"].port)
    other.book.save_node(elsewhere)
    filled.book.remove_node("ORTHO1")
    try:
        done = other.run("move", "IMAGECTN", "OT", "--study", study_uid(), "--json")
        assert done.returncode == Exit.REFUSED, done.stderr
        ended = records(done.stdout)[-1]
        assert (ended["state"], ended["code"]) == ("failed", "status:C-MOVE:A801")
        assert "ORTHO1" in json.dumps(ended["explanation"])
        assert "dcmqrscp.cfg" in json.dumps(ended["explanation"])
    finally:
        end_worker(other)


def liar(study: str) -> ScriptedPeer:
    """Lists one instance, says Success to C-MOVE, and sends nothing."""

    def script(association: Association) -> None:
        while (message := association.receive_command()) is not None:
            for _ in association.data(message.context):
                pass
            number = message.command.number(cmd.MESSAGE_ID)
            context = association.contexts[message.context]
            if context.abstract_syntax in MOVE.values():
                final(association, message.context, number, cmd.C_MOVE_RSP, 0)
                continue
            assert context.abstract_syntax in FIND.values()
            keys = {"StudyInstanceUID": study, "SeriesInstanceUID": f"{study}.1", "SOPInstanceUID": f"{study}.1.1"}
            head = (
                (cmd.FIELD, cmd.C_FIND_RSP),
                (cmd.RESPONDED_ID, number),
                (cmd.DATA_SET_TYPE, 1),
                (cmd.STATUS, 0xFF00),
            )
            explicit = context.transfer_syntax != "1.2.840.10008.1.2"
            association.send(message.context, cmd.pack(*head), encode_keys(keys, Level.IMAGE, explicit))
            final(association, message.context, number, cmd.C_FIND_RSP, 0)

    return ScriptedPeer(script)


def test_a_peer_that_answers_success_and_sends_nothing(served: Served) -> None:
    (served.home / "config.toml").write_text("verify_seconds = 1.0\n" + (served.home / "config.toml").read_text())
    with liar("1.2.3.4").running() as scripted:
        served.book.save_node(scripted.node)
        try:
            done = served.run("move", "SCRIPT", "ORTHO1", "--study", "1.2.3.4", "--json")
            ended = records(done.stdout)[-1]
            assert (ended["verified"], ended["total"], ended["code"]) == (0, 1, "verify:none")
            assert ended["state"] != "verified"
            assert done.returncode not in (0, Exit.UNREACHABLE)
            assert [one["instance"] for one in ended["missing"]] == ["1.2.3.4.1.1"]
        finally:
            end_worker(served)


def test_a_worker_killed_is_replaced_and_the_job_ends_verified(served: Served, tmp_path: Path) -> None:
    """kill -9 in mid-transfer, twice; the destination ends with every instance once."""
    served_series(served, tmp_path, 300)
    config = served.home / "config.toml"
    config.write_text("lease_seconds = 2.0\n" + config.read_text())
    try:
        first = served.run("move", "IMAGECTN", "ORTHO1", "--study", SERIES_STUDY, "--detach", "--json")
        assert first.returncode == 0, first.stderr
        killed = 0
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            job = records(served.run("jobs", "list", "--json").stdout)[0]
            if job["state"] == "verified":
                break
            pid = alive(served.home / "state")
            if pid is not None and killed < 2 and job["state"] == "running":
                os.kill(pid, signal.SIGKILL)
                killed += 1
            elif pid is None:
                subprocess.Popen([sys.executable, "-m", "pacs_tui", "worker", "--idle", "30"], env=served.environ,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                 start_new_session=True)  # fmt: skip
                while alive(served.home / "state") is None and time.monotonic() < deadline:
                    os.sched_yield()
        assert (job["state"], job["verified"], job["total"]) == ("verified", 300, 300)
        assert killed >= 1, "the job was over before it could be disturbed"
        held = records(
            served.run("find", "ORTHO1", "--study", SERIES_STUDY, "--series", f"{SERIES_STUDY}.1", "--json").stdout
        )
        assert len({image["SOPInstanceUID"] for image in held}) == len(held) == 300
    finally:
        end_worker(served)


def test_move_sees_to_another_worker_when_its_own_is_killed(served: Served, tmp_path: Path) -> None:
    served_series(served, tmp_path, 300)
    config = served.home / "config.toml"
    config.write_text("lease_seconds = 2.0\n" + config.read_text())
    moving = subprocess.Popen(
        [sys.executable, "-m", "pacs_tui", "move", "IMAGECTN", "ORTHO1", "--study", SERIES_STUDY, "--json"],
        env=served.environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 30
        while (pid := alive(served.home / "state")) is None and time.monotonic() < deadline:
            os.sched_yield()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        out, said = moving.communicate(timeout=60)
        assert moving.returncode == 0, said
        assert "started another" in said
        assert (records(out)[-1]["state"], records(out)[-1]["verified"]) == ("verified", 300)
    finally:
        moving.kill()
        end_worker(served)


def test_a_disk_that_takes_no_more_is_our_own_trouble(filled: Served, tmp_path: Path) -> None:
    """A limit on the size of files stands in for the full disk: the kernel refuses the write all the same."""
    code = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000)); "
    code += "from pacs_tui.cli.main import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, "get", "IMAGECTN", "--study", study_uid(), "--to", str(tmp_path / "out")],
        env=filled.environ, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == Exit.ERROR
    assert "cannot be written" in done.stderr
    assert "--to" in done.stderr
    assert list((tmp_path / "out").iterdir()) == []


SERIES_STUDY = "1.2.826.0.1.3680043.8.498.99"


def served_series(served: Served, tmp_path: Path, count: int) -> None:
    """A study of one long series at IMAGECTN, of real slices with new numbers."""
    slice_ = pydicom.dcmread(bundled("CT_small.dcm"))
    slice_.StudyInstanceUID, slice_.SeriesInstanceUID = SERIES_STUDY, f"{SERIES_STUDY}.1"
    for number in range(count):
        slice_.SOPInstanceUID = slice_.file_meta.MediaStorageSOPInstanceUID = f"{SERIES_STUDY}.1.{number}"
        slice_.InstanceNumber = number + 1
        slice_.save_as(tmp_path / f"{number}.dcm")
    done = served.run("send", "IMAGECTN", *(str(tmp_path / f"{n}.dcm") for n in range(count)), "--no-verify")
    assert done.returncode == Exit.UNVERIFIED, done.stderr


# ---------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["echo", "IMAGECTM"], Exit.NOT_FOUND, "IMAGECTN"),
        (["echo"], Exit.USAGE, "Name a node"),
        (["find", "IMAGECTN", "nmae:x"], Exit.USAGE, "name:"),
        (["find", "IMAGECTN", "date:tomorow"], Exit.USAGE, "tomorow"),
        (["find", "IMAGECTN", "--study", "../../etc"], Exit.USAGE, "not a UID"),
        (["move", "IMAGECTN", "IMAGECTN", "--study", "1.2"], Exit.USAGE, "IMAGECTN"),
        (["move", "IMAGECTN", "ORTHO1", "--study", "1.2.3.99"], Exit.NOT_FOUND, "1.2.3.99"),
        (["move", "IMAGECTN", "ORTHO1"], Exit.USAGE, "--study"),
        (["send", "IMAGECTN", "/nowhere/x.dcm"], Exit.USAGE, "/nowhere/x.dcm"),
        (["send", "IMAGECTN", __file__], Exit.ERROR, "not a DICOM file"),
        (["jobs", "show", "99"], Exit.NOT_FOUND, "99"),
        (["bogus"], Exit.USAGE, "bogus"),
        ([], Exit.USAGE, "needs a terminal"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else None,
)
def test_bad_words_are_answered_with_a_sentence(served: Served, words: list[str], code: Exit, said: str) -> None:
    done = served.run(*words)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_an_unreachable_and_a_wrongly_named_node(served: Served) -> None:
    served.book.save_node(Node("GONE", "GONE", "127.0.0.1", free_port()))
    gone = served.run("echo", "GONE")
    assert (gone.returncode, "refuse" in gone.stderr) == (Exit.UNREACHABLE, True)
    served.book.save_node(Node("MISNAMED", "NOBODY", "127.0.0.1", served.nodes["ORTHO1"].port))
    misnamed = served.run("echo", "MISNAMED", "--json")
    assert misnamed.returncode == Exit.REFUSED
    assert records(misnamed.stdout)[0]["code"] == "rj:1:1:7"


def test_an_unknown_settings_key(served: Served) -> None:
    (served.home / "config.toml").write_text("[archve]\n")
    done = served.run("nodes", "list")
    assert done.returncode == Exit.USAGE
    assert "archve" in done.stderr
    assert "did you mean 'archive'" in done.stderr


def test_a_damaged_book(served: Served) -> None:
    book = served.home / "state" / "book.json"
    served.book.save_node(Node("LATER", "LATER", "127.0.0.1", 104))
    book.write_bytes(book.read_bytes()[:20])
    done = served.run("nodes", "list", "--json")
    assert done.returncode == 0, done.stderr
    assert {record["name"] for record in records(done.stdout)} >= {"IMAGECTN", "ORTHO1"}
    assert "damaged" in done.stderr


def test_escape_sequences_in_a_name_never_reach_the_terminal(served: Served, tmp_path: Path) -> None:
    hostile = pydicom.dcmread(bundled("CT_small.dcm"))
    hostile.PatientName = "EVIL\x1b[2J\x1b]0;owned\x07^NAME"
    hostile.StudyDescription = "\x9b31m\u202egnp.exe"
    hostile.SpecificCharacterSet = "ISO_IR 192"
    hostile.save_as(tmp_path / "evil.dcm")
    assert served.run("send", "IMAGECTN", str(tmp_path / "evil.dcm")).returncode == 0
    table = served.run("find", "IMAGECTN", "evil*")
    assert table.returncode == 0
    assert "EVIL" in table.stdout
    for bad in ("\x1b", "\x07", "\x9b", "\u202e"):
        assert bad not in table.stdout
        assert bad not in table.stderr


def test_a_closed_pipe_ends_quietly(filled: Served) -> None:
    done = subprocess.run(
        f"{sys.executable} -m pacs_tui find IMAGECTN | head -1", shell=True, env=filled.environ, capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_ctrl_c_is_clean(served: Served) -> None:
    silent = ScriptedPeer(lambda association: ignore(association.receive()), raw=True)
    with silent.running() as scripted:
        served.book.save_node(scripted.node)
        process = subprocess.Popen(
            [sys.executable, "-m", "pacs_tui", "echo", "SCRIPT"], env=served.environ, stderr=subprocess.PIPE, text=True
        )
        while not scripted.accepted:
            os.sched_yield()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
        assert process.returncode == Exit.CANCELLED
        assert "Traceback" not in said
