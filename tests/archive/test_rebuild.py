"""The index from the files: what comes out is what there was."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, select

from pacs_tui.archive import swapping
from pacs_tui.archive.archive import Archive
from pacs_tui.archive.attributes import BY_KEYWORD
from pacs_tui.archive.files import file_name
from pacs_tui.archive.rebuild import Outcome, Rebuild
from pacs_tui.archive.schema import metadata, step
from pacs_tui.dimse.identifier import element
from pacs_tui.dimse.reading import read_arrival
from pacs_tui.errors import Refused, StorageError
from pacs_tui.model.level import Level
from pacs_tui.settings import ArchiveSettings, Area
from tests.archive.conftest import ask, files_of, header, put

pytestmark = pytest.mark.interop
Row = tuple[Any, ...]


def encoded(pixels: bytes = b"", **attributes: str) -> bytes:
    """The data set of an instance, explicit VR little endian."""
    known = [(BY_KEYWORD[keyword], text) for keyword, text in header(**attributes).items()]
    body = b"".join(
        element(a.tag, a.vr, text.encode(), True) for a, text in sorted(known, key=lambda pair: pair[0].tag)
    )
    return body + element(0x7FE00010, "OB", pixels, True)


def place(archive: Archive, called: str = "STA", pixels: bytes = b"", **attributes: str) -> int:
    """Store an instance whose file says what its attributes say, later than the one before."""
    tick(Path(archive._areas[0].sta).parent / "tick")
    return put(archive, called, encoded(pixels, **attributes), **attributes)


def tick(probe: Path) -> None:
    """Return when a file that is written now is younger than those before: the kernel's clock moves in steps."""
    probe.touch()
    before = probe.stat().st_mtime_ns
    while probe.stat().st_mtime_ns == before:
        probe.write_bytes(b"x")


class Hospital:
    """Two areas and their index in a folder."""

    def __init__(self, home: Path, **more: Any) -> None:
        self.home = home
        self.index = home / "index.db"
        self.areas = (Area("STA", 0, home / "STA", **more), Area("ORTHO", 0, home / "ORTHO"))

    def archive(self) -> Archive:
        archive = Archive(self.areas, f"sqlite:///{self.index}", lambda _: None, read_arrival, ArchiveSettings())
        archive.open()
        return archive

    def rebuild(self, processes: int = 2, keep: bool = True) -> Outcome:
        rebuild = Rebuild(self.areas, self.index, read_arrival, processes, keep)
        counts = [(progress.done, progress.total) for progress in rebuild.run()]
        assert counts == sorted(counts)
        return rebuild.outcome

    def fill(self) -> None:
        """Three patients, two areas, conflicts of every kind but `replaced`."""
        archive = self.archive()
        for number in range(40):
            study, patient = f"1.2.{number % 3}", str(number % 3)
            statuses = [
                place(
                    archive, title, bytes([number]), study=study, series=f"{study}.{number % 2}",
                    instance=f"{study}.{number}", PatientID=patient, PatientName=f"N{patient}^A", Modality="CT",
                    InstanceNumber=str(number), **({"StudyDescription": "said late"} if number > 20 else {}),
                )
                for title in ("STA", "ORTHO")
            ]  # fmt: skip
            assert statuses == [0, 0]
        with pytest.raises(Refused):
            place(archive, pixels=b"other", study="1.2.0", series="1.2.0.0", instance="1.2.0.0", PatientID="0")
        place(archive, study="1.2.77", series="1.2.77.1", instance="1.2.77.1.1", PatientID="0", PatientName="X^Y")
        place(archive, study="1.2.1", series="1.2.1.7", instance="1.2.1.7.1", PatientID="2")
        archive.close()

    def dump(self, index: Path | None = None) -> dict[str, list[Row]]:
        """Every row of every table, with what numbers stand for in their place."""
        engine = create_engine(f"sqlite:///{index or self.index}")
        with engine.connect() as connection:
            rows = {
                table.name: [dict(row._mapping) for row in connection.execute(select(table))]
                for table in metadata.sorted_tables
            }
        engine.dispose()
        numbers = {(name, row["id"]): row for name, found in rows.items() for row in found if "id" in row}

        def meaning(name: str, row: dict[str, Any]) -> Row:
            references = {
                column.key: next(iter(column.foreign_keys)).column.table.name
                for column in metadata.tables[name].c
                if column.foreign_keys
            }
            return tuple(
                meaning(references[key], numbers[references[key], value]) if key in references else (key, value)
                for key, value in row.items()
                if key != "id"
            )

        return {
            name: sorted((meaning(name, row) for row in found), key=repr)
            for name, found in rows.items()
            if name != step.name
        }


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    hospital = Hospital(tmp_path_factory.mktemp("hospital"))
    hospital.fill()
    return hospital.home


@pytest.fixture
def filled(template: Path, tmp_path: Path) -> Hospital:
    """A copy of the filled hospital, which knows where it stands now."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    hospital = Hospital(tmp_path)
    hospital.archive().close()
    return hospital


def test_the_index_equals_what_it_was(filled: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pacs_tui.archive.rebuild._FEW", 0)
    before, files = filled.dump(), files_of(filled.home / "STA")
    assert len(before["instance"]) == 82
    assert {kind for row in before["conflict"] for kind in [dict(row[1:])["kind"]]} == {"content", "patient", "study"}
    outcome = filled.rebuild()
    assert (outcome.instances, outcome.resumed, outcome.quarantined, outcome.left) == (82, 0, 0, [])
    assert filled.dump() == before
    assert filled.dump(filled.index.with_name("index.db.before")) == before
    assert files_of(filled.home / "STA") == files
    monkeypatch.undo()
    again = filled.rebuild(keep=False)
    assert again.instances == 82
    assert filled.dump() == before
    assert {path.name for path in filled.home.glob("index.db*")} == {"index.db", "index.db.lock"}


def test_what_was_replaced_is_known_again(tmp_path: Path) -> None:
    hospital = Hospital(tmp_path, duplicates="replace")
    archive = hospital.archive()
    for pixels in (b"1", b"2", b"3"):
        assert place(archive, pixels=pixels) == 0
    archive.close()
    before = hospital.dump()
    assert [dict(row[1:])["kind"] for row in before["conflict"]] == ["replaced", "replaced"]
    assert hospital.rebuild().left == []
    assert hospital.dump() == before


@pytest.mark.parametrize("damage", ["gone", "empty", "garbage", "truncated", "torn"])
def test_a_damaged_index_is_named_and_no_obstacle(filled: Hospital, damage: str) -> None:
    before = filled.dump()
    index = filled.index
    content = index.read_bytes()
    if damage == "gone":
        index.unlink()
    else:
        index.write_bytes({
            "empty": b"", "garbage": b"\x5a" * len(content), "truncated": content[: len(content) // 2],
            "torn": content[:100] + b"\x5a" * (len(content) - 100),
        }[damage])  # fmt: skip
    with pytest.raises(StorageError, match=r"run `pacs-tui archive rebuild`"):
        filled.archive()
    assert filled.rebuild().instances == 82
    assert filled.dump() == before
    filled.archive().close()


def test_files_that_are_no_instances_are_named_and_left(filled: Hospital) -> None:
    sta = filled.home / "STA"
    before = filled.dump()
    (sta / "notes.txt").write_text("x")
    (sta / "ab").mkdir(exist_ok=True)
    foreign = sta / "ab" / f"ab{'0' * 30}-{'0' * 16}"
    foreign.write_bytes(b"no DICOM")
    short = next(path for path in sta.glob("??/*") if path != foreign)
    whole = short.read_bytes()
    short.write_bytes(whole[:-2])
    outcome = filled.rebuild()
    assert {name for name in (foreign.name, "notes.txt", short.name) if name in "\n".join(outcome.left)} == {
        foreign.name, "notes.txt", short.name,
    }  # fmt: skip
    assert len(outcome.left) == 3
    assert outcome.instances == 81
    assert foreign.read_bytes() == b"no DICOM"
    short.write_bytes(whole)
    foreign.unlink()
    assert filled.rebuild().instances == 82
    assert len(filled.dump()["instance"]) == len(before["instance"])


@pytest.mark.parametrize("policy", ["keep", "replace"])
def test_of_two_files_under_one_uid_the_rule_of_the_area_decides(tmp_path: Path, policy: str) -> None:
    hospital = Hospital(tmp_path, duplicates=policy)
    archive = hospital.archive()
    place(archive, pixels=b"older", StudyDescription="older")
    archive.close()
    older = next(path for path in (tmp_path / "STA").glob("??/*"))
    elsewhere = Hospital(tmp_path / "elsewhere")
    elsewhere.home.mkdir()
    archive = elsewhere.archive()
    place(archive, pixels=b"younger", StudyDescription="younger")
    archive.close()
    younger = next(path for path in (elsewhere.home / "STA").glob("??/*"))
    shutil.copy2(younger, older.with_name(younger.name))
    outcome = hospital.rebuild()
    assert (outcome.instances, outcome.quarantined, outcome.left) == (1, 1, [])
    winner, loser = (older, younger) if policy == "keep" else (younger, older)
    archive = hospital.archive()
    [(title, conflict)] = archive.conflicts()
    assert (title, conflict.kind, conflict.file) == ("STA", "content" if policy == "keep" else "replaced", loser.name)
    assert [row["StudyDescription"] for row in ask(archive, Level.STUDY, StudyDescription="")] == [
        "older" if policy == "keep" else "younger"
    ]
    archive.close()
    assert (tmp_path / "STA" / "quarantine" / loser.name).exists()
    assert older.with_name(winner.name).exists()
    assert not older.with_name(loser.name).exists()
    before = hospital.dump()
    assert hospital.rebuild().quarantined == 0
    assert hospital.dump() == before


def test_an_instance_that_lies_in_quarantine_only_is_not_held(filled: Hospital) -> None:
    sta = filled.home / "STA"
    quarantined = next((sta / "quarantine").iterdir())
    held = next(path for path in sta.glob(f"??/{quarantined.name[:32]}-*"))
    held.unlink()
    outcome = filled.rebuild()
    assert outcome.instances == 81
    assert "lies in quarantine only" in outcome.left[0]
    assert quarantined.exists()


def test_it_refuses_while_an_archive_is_open_and_the_other_way_round(filled: Hospital) -> None:
    archive = filled.archive()
    with pytest.raises(StorageError, match="is running"):
        filled.rebuild()
    archive.close()
    rebuild = Rebuild(filled.areas, filled.index, read_arrival, 1).run()
    assert next(rebuild).total == 83
    with pytest.raises(StorageError, match="is being rebuilt"):
        filled.archive()
    rebuild.close()  # type: ignore[attr-defined]
    filled.archive().close()


def test_interrupted_it_goes_on(filled: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    before = filled.dump()
    monkeypatch.setattr("pacs_tui.archive.rebuild._BATCH", 10)
    first = Rebuild(filled.areas, filled.index, read_arrival, 1)
    running = first.run()
    while next(running).done < 30:
        pass
    running.close()  # type: ignore[attr-defined]
    second = filled.rebuild()
    assert 30 <= second.resumed < 82
    assert second.instances == 82
    assert filled.dump() == before


def test_killed_it_goes_on_and_forgets_what_is_gone_meanwhile(filled: Hospital, tmp_path: Path) -> None:
    config = "[archive]\n" + "".join(
        f'[[archive.area]]\nae_title = "{title}"\nport = 0\nsta = "{filled.home / title}"\n'
        for title in ("STA", "ORTHO")
    )
    home = tmp_path / "home"
    (home / "data").mkdir(parents=True)
    (home / "config.toml").write_text(config)
    filled.index.rename(home / "data" / "index.db")
    before = names_of(home / "data" / "index.db")
    # batches of ten, and a stop in the middle of them
    code = (
        "import sys\nfrom pacs_tui.archive import rebuild\nrebuild._BATCH, rebuild._FEW = 10, 0\n"
        "from pacs_tui.archive.inspection import Inspection\nwrite, count = Inspection.add_all, [0]\n"
        "def add_all(self, arrivals):\n    count[0] += 1\n"
        "    if count[0] == 5:\n        print('now', flush=True)\n        sys.stdin.read()\n"
        "    return write(self, arrivals)\n"
        "Inspection.add_all = add_all\n"
        "from pacs_tui.cli.main import main\n"
        "if __name__ == '__main__':\n    sys.exit(main(['archive', 'rebuild', '--processes', '1']))\n"
    )
    script = tmp_path / "killed.py"
    script.write_text(code)
    environ = {**os.environ, "PACS_TUI_HOME": str(home)}
    with subprocess.Popen([sys.executable, script], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"now\n"
        run.send_signal(signal.SIGKILL)
    half = swapping.named(home / "data" / "index.db", swapping.REBUILDING)
    done = sqlite3.connect(half)
    query = "SELECT sop_instance_uid, content FROM instance WHERE area_id = 1 AND sop_instance_uid != '1.2.0.0'"
    uid, content = done.execute(query).fetchone()
    done.close()
    gone = file_name(uid, content)
    (filled.home / "STA" / gone[:2] / gone).unlink()
    words = [sys.executable, "-m", "pacs_tui", "archive", "rebuild"]
    second = subprocess.run(words, env=environ, capture_output=True, text=True, timeout=60)
    assert second.returncode == 0, second.stderr
    assert "by the run before" in second.stdout
    assert names_of(home / "data" / "index.db") == before - {("STA", uid)}


def names_of(index: Path) -> set[tuple[str, str]]:
    """Area and SOP Instance UID of all that an index lists."""
    connection = sqlite3.connect(index)
    rows = connection.execute(
        "SELECT ae_title, sop_instance_uid FROM instance JOIN area ON area.id = area_id"
    ).fetchall()
    connection.close()
    return set(rows)


@pytest.mark.parametrize("moment", range(8))
def test_a_crash_while_the_new_index_takes_its_place(
    filled: Hospital, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """The power goes before each change of the folder in turn: the next start of the archive finds a whole index."""
    before = filled.dump()
    writer = sqlite3.connect(filled.index)
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("UPDATE area SET lta = '/somewhere' WHERE ae_title = 'STA'")
    writer.commit()
    log = filled.index.with_name("index.db-wal")
    assert log.stat().st_size > 0, "the old index has a log that must not be played into the new one"
    kept = {path: path.read_bytes() for path in (filled.index, log)}
    writer.close()
    for path, content in kept.items():
        path.write_bytes(content)

    def failing() -> Iterator[None]:
        for _ in range(moment):
            yield
        raise InterruptedError("the power is gone")

    steps = failing()
    real: dict[str, Callable[..., Any]] = {"replace": os.replace, "unlink": Path.unlink}

    def stepping(name: str) -> Callable[..., Any]:
        def one(*args: Any, **more: Any) -> Any:
            next(steps)
            return real[name](*args, **more)

        return one

    rebuild = Rebuild(filled.areas, filled.index, read_arrival, 1)
    finish = swapping.finish

    def interrupted(index: Path, keep: bool) -> None:
        monkeypatch.setattr(os, "replace", stepping("replace"))
        monkeypatch.setattr(Path, "unlink", stepping("unlink"))
        finish(index, keep)

    monkeypatch.setattr(swapping, "finish", interrupted)
    with pytest.raises(StorageError, match="the power is gone"):
        list(rebuild.run())
    monkeypatch.undo()
    filled.archive().close()
    assert filled.dump() == before
    assert not swapping.pending(filled.index)


def test_a_lock_of_somebody_else_is_told_from_ours(filled: Hospital) -> None:
    """The hold goes with the process: a file that is left behind stops nobody."""
    lock = filled.index.with_name("index.db.lock")
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        with pytest.raises(StorageError):
            filled.rebuild()
    assert lock.exists()
    assert filled.rebuild().instances == 82
