"""The decoding child: real pictures, real crashes, real bombs."""

from __future__ import annotations

import os
import select
import signal
import struct
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless

from pacs_tui.errors import PictureError
from pacs_tui.imaging import draw
from pacs_tui.imaging.decoder import Decoder
from pacs_tui.imaging.frame import read_frame
from pacs_tui.model.picture import Canvas
from tests.imaging.files import bundled, changed

pytestmark = pytest.mark.interop

CANVAS = Canvas(40, 12, 10, 20, "sextant", "truecolor", "cells")
CT = "CT_small.dcm"


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    made = Decoder()
    yield made
    made.close()


def test_it_draws_what_the_functions_draw(decoder: Decoder) -> None:
    for name in (CT, "MR_small_RLE.dcm", "examples_ybr_color.dcm"):
        assert decoder.draw(bundled(name), CANVAS) == draw.draw(read_frame(bundled(name)), CANVAS)
    assert decoder.draw(bundled("examples_ybr_color.dcm"), CANVAS, 3).caption.endswith("3/30")


def test_it_makes_kitty_commands(decoder: Decoder) -> None:
    picture = decoder.draw(bundled(CT), replace(CANVAS, graphics="kitty"))
    assert picture.payload.startswith("\x1b_Ga=T,")
    assert "v=128" in picture.payload[:80]  # as many rows as the file has


def test_sentences_come_through_and_the_child_stays(decoder: Decoder) -> None:
    with pytest.raises(PictureError, match="RT Plan Storage has no image"):
        decoder.draw(bundled("rtplan.dcm"), CANVAS)
    pid = decoder.pid
    with pytest.raises(PictureError, match="no room"):
        decoder.draw(bundled(CT), replace(CANVAS, columns=0))
    with pytest.raises(PictureError, match="No such file"):
        decoder.draw(Path("nowhere.dcm"), CANVAS)
    assert decoder.draw(bundled(CT), CANVAS).rows == 12
    assert decoder.pid == pid


def test_file_names_of_any_bytes(decoder: Decoder, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xe4.dcm"))
    path.write_bytes(bundled(CT).read_bytes())
    assert decoder.draw(path, CANVAS).columns == 40


def test_warm_starts_the_child_and_close_ends_it(decoder: Decoder) -> None:
    assert decoder.pid is None
    decoder.warm()
    pid = decoder.pid
    assert pid is not None
    decoder.draw(bundled(CT), CANVAS)
    assert decoder.pid == pid
    decoder.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(PictureError, match="closed"):
        decoder.draw(bundled(CT), CANVAS)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_a_crash_costs_one_picture(decoder: Decoder, number: signal.Signals) -> None:
    decoder.draw(bundled(CT), CANVAS)
    pid = decoder.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)  # so that it dies with the order in its hands
    failures: list[str] = []

    def fails() -> None:
        try:
            decoder.draw(bundled(CT), CANVAS)
        except PictureError as error:
            failures.append(str(error))

    thread = threading.Thread(target=fails)
    thread.start()
    orders = os.open(f"/proc/{pid}/fd/0", os.O_RDONLY)
    assert select.select([orders], [], [], 20)[0]
    os.close(orders)
    os.kill(pid, number)
    os.kill(pid, signal.SIGCONT)
    thread.join(30)
    assert failures == [f"The image decoder crashed on this image ({number.name})."]
    assert decoder.draw(bundled(CT), CANVAS).rows == 12
    assert decoder.pid != pid


def test_a_child_that_hangs_is_replaced() -> None:
    decoder = Decoder(seconds=0.5)
    try:
        decoder.draw(bundled(CT), CANVAS)
        pid = decoder.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(PictureError, match=r"took more than 0\.5 s"):
            decoder.draw(bundled(CT), CANVAS)
        assert decoder.draw(bundled(CT), CANVAS).rows == 12
        assert decoder.pid != pid
    finally:
        decoder.close()


def test_a_codestream_that_loops_for_ever_is_stopped(tmp_path: Path) -> None:
    decoder = Decoder(seconds=1.0)
    # A JP2 box of length zero is never left behind by a reader that adds lengths.
    endless = b"\x00\x00\x00\x0cjP  \r\n\x87\n" + b"\x00\x00\x00\x00free" + bytes(64)
    try:
        with pytest.raises(PictureError):
            decoder.draw(_jpeg2000(tmp_path, endless), CANVAS)
        assert decoder.draw(bundled(CT), CANVAS).rows == 12
    finally:
        decoder.close()


def test_a_bomb_does_not_go_off(decoder: Decoder, tmp_path: Path) -> None:
    code = bytearray(_codestream())
    code[8:16] = struct.pack(">II", 120000, 120000)
    code[24:32] = struct.pack(">II", 120000, 120000)
    with pytest.raises(PictureError):
        decoder.draw(_jpeg2000(tmp_path, bytes(code)), CANVAS)
    assert decoder.draw(bundled(CT), CANVAS).rows == 12


def test_the_memory_limit_is_a_sentence(tmp_path: Path) -> None:
    decoder = Decoder(megabytes=700)
    path = changed(
        CT, tmp_path, Rows=12000, Columns=16000, PixelData=None, DataSetTrailingPadding=None,
        BitsAllocated=32, BitsStored=32, HighBit=31,
    )  # fmt: skip
    with path.open("ab") as file:
        file.write(b"\xe0\x7f\x10\x00OW\x00\x00" + struct.pack("<I", 768_000_000))
        file.truncate(file.tell() + 768_000_000)
    try:
        with pytest.raises(PictureError, match=r"too large|does not fit"):
            decoder.draw(path, CANVAS)
        assert decoder.draw(bundled(CT), CANVAS).rows == 12
    finally:
        decoder.close()


def test_many_threads_share_the_child(decoder: Decoder) -> None:
    expected = {name: draw.draw(read_frame(bundled(name)), CANVAS) for name in (CT, "MR_small.dcm", "SC_rgb.dcm")}
    wrong: list[str] = []

    def draws(name: str) -> None:
        wrong.extend(name for _ in range(5) if decoder.draw(bundled(name), CANVAS) != expected[name])

    threads = [threading.Thread(target=draws, args=(name,)) for name in expected for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
    assert not any(thread.is_alive() for thread in threads)


ORPHANS = """
import os, signal, sys
from pathlib import Path
from pacs_tui.imaging.decoder import Decoder
from pacs_tui.model.picture import Canvas
decoder = Decoder()
decoder.draw(Path(sys.argv[1]), Canvas(40, 12, 10, 20, "sextant", "truecolor", "cells"))
heavy = {"numpy", "PIL", "pydicom", "term_image"} & set(sys.modules)
print(decoder.pid, sorted(heavy), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_child_ends_with_its_parent_and_keeps_it_light() -> None:
    parent = subprocess.run(
        [sys.executable, "-c", ORPHANS, str(bundled(CT))], stdout=subprocess.PIPE, text=True, check=False, timeout=120
    )
    pid, heavy = parent.stdout.split(maxsplit=1)
    assert heavy.strip() == "[]"
    try:
        handle = os.pidfd_open(int(pid))
    except ProcessLookupError:
        return
    try:
        assert select.select([handle], [], [], 20)[0], "the child outlived its parent"
    finally:
        os.close(handle)


def test_the_child_writes_to_no_terminal(decoder: Decoder) -> None:
    decoder.draw(bundled(CT), CANVAS)
    for descriptor in (1, 2):
        assert os.readlink(f"/proc/{decoder.pid}/fd/{descriptor}") == os.devnull


def _codestream() -> bytes:
    dataset = dcmread(bundled(CT))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset.compress(JPEG2000Lossless, encoding_plugin="pylibjpeg")
    data = bytes(dataset.PixelData)
    return data[data.index(b"\xff\x4f\xff\x51") :]


def _jpeg2000(folder: Path, code: bytes) -> Path:
    dataset = dcmread(bundled(CT))
    dataset.PixelData = encapsulate([code])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
    path = folder / "made.dcm"
    dataset.save_as(path)
    return path
