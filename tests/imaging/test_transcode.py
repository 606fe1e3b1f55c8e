"""One transfer syntax into another: pixels equal to pydicom's own decode, everything else byte for byte."""

from __future__ import annotations

import struct
import warnings
import zlib
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.filereader import read_file_meta_info
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

from pacs_tui.errors import PictureError
from pacs_tui.imaging import transcode_file
from pacs_tui.imaging.transcode_elements import Damaged, Encoding, Rewriter, encode, joined
from pacs_tui.imaging.transcode_file import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, NATIVE, plan
from tests.imaging.files import bundled

COMPRESSED = (
    "MR_small_RLE.dcm", "SC_rgb_rle_2frame.dcm", "SC_rgb_jpeg_dcmd.dcm", "examples_ybr_color.dcm", "JPEG2000.dcm",
    "693_J2KI.dcm", "J2K_pixelrep_mismatch.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm",
    "JPEGLSNearLossless_16.dcm", "JPEG-LL.dcm", "SC_rgb_jls_lossy_sample.dcm", "rtdose_rle.dcm",
    "examples_jpeg2k.dcm", "GDCMJ2K_TextGBR.dcm",
)  # fmt: skip
NATIVES = (
    "CT_small.dcm", "MR_small_bigendian.dcm", "image_dfl.dcm", "SC_rgb_expb_16bit.dcm", "rtdose_expb.dcm",
    "rtdose_1frame.dcm", "liver_1frame.dcm", "SC_rgb_small_odd_big_endian.dcm", "reportsi.dcm", "rtplan.dcm",
    "waveform_ecg.dcm", "examples_palette.dcm", "SC_ybr_full_422_uncompressed.dcm", "no_meta_group_length.dcm",
)  # fmt: skip


def transcoded(path: Path, syntax: str, folder: Path) -> Path:
    """What a plan writes; its size must be what it announced."""
    with warnings.catch_warnings(), ExitStack() as stack:
        warnings.simplefilter("ignore")
        meta = read_file_meta_info(path)
        made = plan(path, meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID, syntax, stack)
        out = folder / f"{path.stem}-{syntax}.dcm"
        out.write_bytes(b"".join(made.pieces))
    size = out.stat().st_size
    assert size == made.size or (syntax == DEFLATED and size <= made.size)
    return out


def pixels(dataset: Dataset) -> np.ndarray:
    """As pydicom decodes them; nothing where there are none."""
    return np.asarray(dataset.pixel_array if "PixelData" in dataset else [])


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("name", COMPRESSED)
def test_compressed_to_native(name: str, syntax: str, tmp_path: Path) -> None:
    before, after = pydicom.dcmread(bundled(name)), pydicom.dcmread(transcoded(bundled(name), syntax, tmp_path))
    assert np.array_equal(pixels(before), pixels(after))
    assert after.file_meta.TransferSyntaxUID == syntax
    assert after.file_meta.MediaStorageSOPInstanceUID == before.SOPInstanceUID == after.SOPInstanceUID
    assert not after["PixelData"].is_undefined_length
    if syntax == IMPLICIT:
        # pydicom guesses at what private elements without a VR are
        before.remove_private_tags()
        after.remove_private_tags()
    changed = {0x00280004, 0x00280006, 0x00282110, 0x7FE00010, 0x7FE00001, 0x7FE00002}
    assert [e for e in before if e.tag not in changed and e.tag.element and e.VR != "UN"] == [
        e for e in after if e.tag not in changed and before[e.tag].VR != "UN"
    ]


@pytest.mark.parametrize("syntax", NATIVE)
@pytest.mark.parametrize("name", NATIVES)
def test_native_to_native_and_back(name: str, syntax: str, tmp_path: Path) -> None:
    before = pydicom.dcmread(bundled(name))
    there = transcoded(bundled(name), syntax, tmp_path)
    after = pydicom.dcmread(there)
    assert np.array_equal(pixels(before), pixels(after))
    own = str(before.file_meta.TransferSyntaxUID)
    # Elements without a VR come back as UN where nobody knows them: only what says its own VR is compared whole.
    if own != IMPLICIT and syntax != IMPLICIT:
        (tmp_path / "back").mkdir()
        back = transcoded(there, own, tmp_path / "back")
        assert body(back) == body(transcoded(back, own, tmp_path)) or own == DEFLATED
        assert list(pydicom.dcmread(back)) == [e for e in before if e.tag.element]


def body(path: Path) -> bytes:
    data = path.read_bytes()
    return data[144 + struct.unpack_from("<I", data, 140)[0] :]


def test_explicit_bytes_survive_implicit_and_text_is_not_touched(tmp_path: Path) -> None:
    """A text that its character set does not allow would not survive being decoded and encoded."""
    dataset = pydicom.dcmread(bundled("CT_small.dcm"))
    raw = bundled("CT_small.dcm").read_bytes().replace(b"CompressedSamples^CT1", b"Compressed\xe4\xff\xf6\x81les^CT1")
    path = tmp_path / "odd.dcm"
    path.write_bytes(raw)
    assert str(dataset.PatientName) == "CompressedSamples^CT1"
    implicit = transcoded(path, IMPLICIT, tmp_path)
    assert b"Compressed\xe4\xff\xf6\x81les^CT1" in implicit.read_bytes()


def test_lossy_stays_lossy(tmp_path: Path) -> None:
    known = pydicom.dcmread(bundled("SC_rgb_jpeg_dcmtk.dcm"))
    assert known.file_meta.TransferSyntaxUID == JPEGBaseline8Bit
    for given in ("01", None):
        known.LossyImageCompression = given
        if given is None:
            del known.LossyImageCompression
        known.save_as(tmp_path / "lossy.dcm")
        after = pydicom.dcmread(transcoded(tmp_path / "lossy.dcm", EXPLICIT, tmp_path))
        assert after.LossyImageCompression == "01"
        assert (after.PhotometricInterpretation, after.PlanarConfiguration) == ("RGB", 0)
    known = pydicom.dcmread(bundled("examples_jpeg2k.dcm"))
    after = pydicom.dcmread(transcoded(bundled("examples_jpeg2k.dcm"), EXPLICIT, tmp_path))
    assert after.get("LossyImageCompression") == known.get("LossyImageCompression")
    lossless = pydicom.dcmread(transcoded(bundled("MR_small_RLE.dcm"), EXPLICIT, tmp_path))
    assert "LossyImageCompression" not in lossless


def test_colours_encoded_without_loss_are_not_converted(tmp_path: Path) -> None:
    """YBR_FULL under RLE: to RGB and back would round."""
    dataset = pydicom.dcmread(bundled("SC_rgb_small_odd.dcm"))
    dataset.PhotometricInterpretation, dataset.PlanarConfiguration = "YBR_FULL", 0
    values = np.random.default_rng(1).integers(0, 256, (dataset.Rows, dataset.Columns, 3), np.uint8)
    dataset.PixelData = values.tobytes() + b"\0" * (values.size & 1)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    dataset.save_as(tmp_path / "ybr.dcm", enforce_file_format=True)
    after = pydicom.dcmread(transcoded(tmp_path / "ybr.dcm", EXPLICIT, tmp_path))
    assert (after.PhotometricInterpretation, after.PlanarConfiguration) == ("YBR_FULL", 0)
    assert after.PixelData[: values.size] == values.tobytes()


def test_unused_bits_stay(tmp_path: Path) -> None:
    """Old overlays lie in them."""
    dataset = pydicom.dcmread(bundled("MR_small.dcm"))
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 12, 11, 0
    values = np.frombuffer(dataset.PixelData, np.uint16) | 0x8000
    dataset.PixelData = values.tobytes()
    dataset.compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    dataset.save_as(tmp_path / "overlay.dcm")
    assert pydicom.dcmread(transcoded(tmp_path / "overlay.dcm", IMPLICIT, tmp_path)).PixelData == values.tobytes()


def test_a_compressed_icon_is_decoded_too(tmp_path: Path) -> None:
    dataset = pydicom.dcmread(bundled("MR_small_RLE.dcm"))
    icon = Dataset()
    for keyword in ("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored",
                    "HighBit", "PixelRepresentation"):  # fmt: skip
        setattr(icon, keyword, dataset[keyword].value)
    icon.PixelData = encapsulate([get_frame(dataset.PixelData, 0)])
    icon["PixelData"].VR, icon["PixelData"].is_undefined_length = "OB", True
    dataset.IconImageSequence = [icon]
    dataset.save_as(tmp_path / "icon.dcm")
    for syntax in (EXPLICIT, IMPLICIT):
        after = pydicom.dcmread(transcoded(tmp_path / "icon.dcm", syntax, tmp_path))
        assert after.IconImageSequence[0].PixelData == after.PixelData


def test_what_stands_after_the_pixels_is_kept(tmp_path: Path) -> None:
    dataset = pydicom.dcmread(bundled("MR_small_RLE.dcm"))
    dataset.DataSetTrailingPadding = b"\0" * 10
    dataset.save_as(tmp_path / "padded.dcm")
    assert pydicom.dcmread(transcoded(tmp_path / "padded.dcm", IMPLICIT, tmp_path)).DataSetTrailingPadding == b"\0" * 10


def test_a_compressed_syntax_without_pixels(tmp_path: Path) -> None:
    dataset = pydicom.dcmread(bundled("rtplan.dcm"))
    meta: FileMetaDataset = dataset.file_meta
    meta.TransferSyntaxUID = JPEG2000Lossless
    dataset.save_as(tmp_path / "plan.dcm", implicit_vr=False, little_endian=True)
    after = pydicom.dcmread(transcoded(tmp_path / "plan.dcm", IMPLICIT, tmp_path))
    assert after.BeamSequence == pydicom.dcmread(bundled("rtplan.dcm")).BeamSequence


def cut(folder: Path, name: str, at: int) -> Path:
    path = folder / f"cut-{at}-{name}"
    path.write_bytes(bundled(name).read_bytes()[:at])
    return path


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_RLE.dcm", "image_dfl.dcm", "rtplan.dcm"])
def test_files_that_are_cut_short_say_so(name: str, tmp_path: Path) -> None:
    whole = len(bundled(name).read_bytes())
    for at in (whole // 4, whole // 2, whole - 9):
        with pytest.raises((PictureError, ValueError, RuntimeError)):
            transcoded(cut(tmp_path, name, at), BIG_ENDIAN, tmp_path)


def test_sequences_without_an_end_are_damage() -> None:
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    nested = (struct.pack("<HH2sHI", 8, 0x1115, b"SQ", 0, 0xFFFFFFFF) + item) * 100
    with pytest.raises(Damaged, match="nested"):
        Rewriter(nested, Encoding(True), Encoding(False)).top(0)
    with pytest.raises(Damaged, match="ends in the middle"):
        Rewriter(nested[: 20 * 10], Encoding(True), Encoding(False)).top(0)
    with pytest.raises(Damaged, match="longer than what is left"):
        Rewriter(struct.pack("<HH2sH", 8, 0x60, b"CS", 100), Encoding(True), Encoding(False)).top(0)


def test_a_value_too_long_for_its_vr_becomes_un() -> None:
    long = encode(0x00081195, b"UI", b"1" * 70_000, Encoding(False))
    elements, _ = Rewriter(long, Encoding(False), Encoding(True)).top(0)
    assert joined(elements)[4:6] == b"UN"
    back, _ = Rewriter(joined(elements), Encoding(True), Encoding(False)).top(0)
    assert joined(back) == long


def test_a_deflate_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcode_file, "_INFLATED", 1 << 24)
    bomb = zlib.compressobj(9, wbits=-15)
    meta = bundled("image_dfl.dcm").read_bytes()[
        : 144 + struct.unpack("<I", bundled("image_dfl.dcm").read_bytes()[140:144])[0]
    ]
    path = tmp_path / "bomb.dcm"
    path.write_bytes(meta + bomb.compress(bytes((1 << 24) + 1)) + bomb.flush())
    with pytest.raises(PictureError, match="gigabyte"):
        transcoded(path, EXPLICIT, tmp_path)


def test_syntaxes_that_nobody_knows(tmp_path: Path) -> None:
    dataset = pydicom.dcmread(bundled("CT_small.dcm"))
    dataset.file_meta.TransferSyntaxUID = "1.2.3.4"
    dataset.save_as(tmp_path / "private.dcm", implicit_vr=False, little_endian=True)
    with pytest.raises(PictureError, match=r"1\.2\.3\.4 is not converted"):
        transcoded(tmp_path / "private.dcm", IMPLICIT, tmp_path)
