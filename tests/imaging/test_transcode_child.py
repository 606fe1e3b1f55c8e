"""The transcoding children: real files, crashes and hangs, and a scratch folder that stays within its bounds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from msgspec.structs import replace

from pacs_tui.errors import PictureError, StorageError
from pacs_tui.imaging.transcode import Transcoder
from pacs_tui.imaging.transcode_scratch import Scratch
from pacs_tui.model.transfer import Held
from tests.imaging.files import bundled

pytestmark = pytest.mark.interop
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
DEADLINE = 30.0


def held(name: str) -> Held:
    meta = pydicom.dcmread(bundled(name), stop_before_pixels=True).file_meta
    return Held(
        str(meta.MediaStorageSOPClassUID), str(meta.MediaStorageSOPInstanceUID), str(meta.TransferSyntaxUID),
        bundled(name),
    )  # fmt: skip


@pytest.fixture
def transcoder(tmp_path: Path) -> Iterator[Transcoder]:
    made = Transcoder(tmp_path / "scratch")
    yield made
    made.close()
    assert [path.name for path in (tmp_path / "scratch").iterdir()] == ["lock"]


def files(folder: Path) -> list[Path]:
    return list((folder / "scratch").rglob("*.dcm"))


def test_a_file_lives_as_long_as_it_is_needed(transcoder: Transcoder, tmp_path: Path) -> None:
    one = held("JPEG2000.dcm")
    for syntax in (EXPLICIT, IMPLICIT):
        with transcoder(one, ["1.2.840.10008.1.2.4.70", syntax]) as made:
            assert (made.sop_instance, made.transfer_syntax) == (one.sop_instance, syntax)
            assert np.array_equal(pydicom.dcmread(made.path).pixel_array, pydicom.dcmread(one.path).pixel_array)
            assert files(tmp_path) == [made.path]
        assert files(tmp_path) == []


def test_sentences_come_through_and_the_child_stays(transcoder: Transcoder, tmp_path: Path) -> None:
    with transcoder(held("MR_small_RLE.dcm"), [EXPLICIT]):
        (child,) = children()
    with pytest.raises(PictureError, match="12-bit"), transcoder(held("JPGExtended.dcm"), [EXPLICIT]):
        pass
    with pytest.raises(PictureError, match="none can be written"), transcoder(held("CT_small.dcm"), ["1.2.3"]):
        pass
    gone = replace(held("CT_small.dcm"), path=tmp_path / "gone.dcm")
    with pytest.raises(PictureError, match="cannot be read"), transcoder(gone, [IMPLICIT]):
        pass
    cut = tmp_path / "cut.dcm"
    cut.write_bytes(bundled("CT_small.dcm").read_bytes()[:9000])
    damaged = replace(held("CT_small.dcm"), path=cut)
    with pytest.raises(PictureError, match="damaged"), transcoder(damaged, [IMPLICIT]):
        pass
    assert children() == [child]
    assert files(tmp_path) == []


def children() -> list[int]:
    """Processes of ours that transcode."""
    tasks = Path(f"/proc/{os.getpid()}/task").iterdir()
    all_of_them = [pid for task in tasks for pid in (task / "children").read_text().split()]
    return [int(pid) for pid in all_of_them if b"transcode_child" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_a_crash_costs_one_instance(transcoder: Transcoder) -> None:
    one = held("MR_small_RLE.dcm")
    with transcoder(one, [EXPLICIT]):
        (child,) = children()
    os.kill(child, signal.SIGSTOP)  # so that it dies with the order in its hands
    failures: list[str] = []

    def fails() -> None:
        try:
            with transcoder(one, [EXPLICIT]):
                pass
        except PictureError as error:
            failures.append(str(error))

    thread = threading.Thread(target=fails)
    thread.start()
    os.kill(child, signal.SIGKILL)
    thread.join(DEADLINE)
    # It may have died before the order came: then another took it.
    assert failures in ([], ["The transcoder crashed on this image (SIGKILL)."])
    with transcoder(one, [EXPLICIT]):
        assert children() != [child]


def test_a_child_that_hangs_is_stopped(tmp_path: Path) -> None:
    transcoder = Transcoder(tmp_path / "scratch", seconds=0.5)
    one = held("MR_small_RLE.dcm")
    with transcoder(one, [EXPLICIT]):
        (child,) = children()
    os.kill(child, signal.SIGSTOP)
    with pytest.raises(PictureError, match=r"took more than 0\.5 s"), transcoder(one, [EXPLICIT]):
        pass
    assert children() == []
    transcoder.close()
    with pytest.raises(PictureError, match="closed"), transcoder(one, [EXPLICIT]):
        pass


def test_memory_has_a_limit(tmp_path: Path) -> None:
    """A file that would be mapped beyond the address space allowed."""
    transcoder = Transcoder(tmp_path / "scratch", megabytes=700)
    big = tmp_path / "big.dcm"
    with big.open("wb") as file:
        file.write(bundled("CT_small.dcm").read_bytes())
        file.truncate(1 << 30)
    try:
        with pytest.raises(PictureError), transcoder(replace(held("CT_small.dcm"), path=big), [IMPLICIT]):
            pass
        with transcoder(held("MR_small_RLE.dcm"), [IMPLICIT]) as made:
            assert made.path.exists()
    finally:
        transcoder.close()


def test_several_at_once(transcoder: Transcoder, tmp_path: Path) -> None:
    names = ("JPEG2000.dcm", "MR_small_RLE.dcm", "693_J2KI.dcm", "SC_rgb_jpeg_dcmtk.dcm", "image_dfl.dcm") * 3
    wrong: list[str] = []

    def make(name: str) -> None:
        with transcoder(held(name), [EXPLICIT]) as made:
            if not np.array_equal(pydicom.dcmread(made.path).pixel_array, pydicom.dcmread(bundled(name)).pixel_array):
                wrong.append(name)

    threads = [threading.Thread(target=make, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert (wrong, files(tmp_path)) == ([], [])
    assert 1 <= len(children()) <= 2


# ---------------------------------------------------------------------- the scratch folder


def test_scratch_space_is_waited_for(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path / "scratch", 1)
    with pytest.raises(PictureError, match="1 MB are allowed"), scratch.room(2 << 20, 1):
        pass
    with scratch.room(700_000, 1):
        with pytest.raises(PictureError, match=r"no scratch space for it in 0\.05 s"), scratch.room(700_000, 0.05):
            pass
        got = threading.Event()

        def waits() -> None:
            with scratch.room(700_000, DEADLINE):
                got.set()

        thread = threading.Thread(target=waits)
        thread.start()
        assert not got.is_set()
    assert got.wait(DEADLINE)
    thread.join(DEADLINE)
    scratch.close()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be used"), Scratch(tmp_path / "file" / "scratch", 1).room(1, 1):
        pass


def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    """And what a living one holds is not."""
    code = (
        "import sys; from pathlib import Path; from pacs_tui.imaging.transcode_scratch import Scratch\n"
        "room = Scratch(Path(sys.argv[1]), 1).room(1, 1); path = room.__enter__(); path.write_text('x')\n"
        "print(path, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        left = Path(other.stdout.readline().strip())
        scratch = Scratch(tmp_path, 1)
        with scratch.room(1, 1):
            assert left.exists()
        scratch.close()
        other.kill()
        other.wait()
    scratch = Scratch(tmp_path, 1)
    with scratch.room(1, 1):
        assert not left.parent.exists()
    scratch.close()
