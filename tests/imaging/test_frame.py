"""Frames equal what pydicom's full pipeline makes of the same file; broken files get a sentence."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array
from pydicom.uid import JPEG2000Lossless

from pacs_tui.errors import PictureError
from pacs_tui.imaging.cells import Pixels
from pacs_tui.imaging.frame import Frame, read_frame
from tests.imaging.files import bundled, changed

WINDOWED = [
    "MR_small.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm", "MR_small_expb.dcm",
    "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_padded.dcm", "693_UNCI.dcm",
    "693_J2KI.dcm", "693_J2KR.dcm", "J2K_pixelrep_mismatch.dcm", "bad_sequence.dcm", "RG1_UNCI.dcm", "RG3_UNCI.dcm",
    "RG3_J2KI.dcm", "MR2_UNCI.dcm", "MR2_J2KR.dcm", "MR-SIEMENS-DICOM-WithOverlays.dcm",
    "JPGLosslessP14SV1_1s_1f_8b.dcm", "examples_overlay.dcm",
]  # fmt: skip
COLOURED = [
    "SC_rgb.dcm", "SC_rgb_rle.dcm", "SC_rgb_16bit.dcm", "SC_rgb_rle_32bit.dcm", "SC_rgb_small_odd.dcm",
    "SC_rgb_small_odd_big_endian.dcm", "SC_ybr_full_uncompressed.dcm", "SC_ybr_full_422_uncompressed.dcm",
    "SC_rgb_jpeg_dcmtk.dcm", "SC_rgb_jls_lossy_line.dcm", "US1_J2KR.dcm", "US1_UNCI.dcm", "examples_rgb_color.dcm",
    "GDCMJ2K_TextGBR.dcm", "color-pl.dcm", "color-px.dcm", "ExplVR_BigEnd.dcm",
]  # fmt: skip
MULTIFRAME = ["examples_ybr_color.dcm", "SC_rgb_2frame.dcm", "SC_rgb_rle_16bit_2frame.dcm", "color3d_jpeg_baseline.dcm"]


def _windowed_by_pydicom(name: str) -> Pixels:
    """pydicom's modality and VOI transforms on every pixel, scaled from its output range to 0..255."""
    dataset = dcmread(bundled(name))
    values = apply_modality_lut(dataset.pixel_array, dataset)
    shown = apply_voi_lut(values, dataset).astype(np.float64)
    # The ends of pydicom's output range are what it makes of values far outside any window.
    ends = apply_voi_lut(np.array([-1e9, 1e9]), dataset).astype(np.float64)
    unit = (shown - ends[0]) / (ends[1] - ends[0])
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        unit = 1 - unit
    grey: Pixels = np.rint(np.clip(unit, 0, 1) * 255).astype(np.uint8)
    return grey


def _differ_by(a: np.ndarray, b: np.ndarray) -> int:
    assert a.shape == b.shape
    return int(np.abs(a.astype(np.int32) - b.astype(np.int32)).max())


def _shown(path: Path, frame: int | None = None) -> Frame:
    shown = read_frame(path, frame)
    assert shown.pixels.dtype == np.uint8
    return shown


@pytest.mark.parametrize("name", WINDOWED)
def test_window_equals_pydicoms(name: str) -> None:
    shown = _shown(bundled(name))
    assert _differ_by(shown.pixels, _windowed_by_pydicom(name)) <= 1
    assert shown.caption.startswith("W ")
    assert shown.note == ""
    assert np.ptp(shown.pixels) > 50


@pytest.mark.parametrize("name", COLOURED)
def test_colours_equal_pydicoms(name: str) -> None:
    dataset = dcmread(bundled(name))
    expected = pixel_array(dataset) >> (dataset.BitsStored - 8)
    assert _differ_by(_shown(bundled(name)).pixels, expected) <= 1


@pytest.mark.parametrize("name", MULTIFRAME)
def test_any_frame_of_several(name: str) -> None:
    dataset = dcmread(bundled(name))
    frames = int(dataset.NumberOfFrames)
    for number in {1, 2, frames}:
        expected = pixel_array(dataset, index=number - 1) >> (dataset.BitsStored - 8)
        shown = _shown(bundled(name), number)
        assert _differ_by(shown.pixels, expected) <= 1
        assert shown.caption.endswith(f"{number}/{frames}")
    assert _shown(bundled(name)).caption.endswith(f"{frames // 2 + 1}/{frames}")
    with pytest.raises(PictureError, match=f"no frame {frames + 1}"):
        read_frame(bundled(name), frames + 1)


@pytest.mark.parametrize("name", ["examples_palette.dcm", "gdcm-US-ALOKA-16.dcm", "OBXXXX1A.dcm", "OBXXXX1A_rle.dcm"])
def test_palette(name: str) -> None:
    dataset = dcmread(bundled(name))
    coloured = apply_color_lut(pixel_array(dataset), dataset)[..., :3]
    expected = coloured >> 8 if coloured.max() > 255 else coloured
    assert _differ_by(_shown(bundled(name)).pixels, expected) <= 1


def test_voi_lut_goes_before_a_window() -> None:
    name = "vlut_04.dcm"
    dataset = dcmread(bundled(name))
    looked_up = apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset).astype(np.float64)
    table = np.asarray(dataset.VOILUTSequence[0].LUTData)
    expected = looked_up * 255 / ((1 << int(table.max()).bit_length()) - 1)
    shown = _shown(bundled(name))
    assert _differ_by(shown.pixels, np.rint(expected)) <= 1
    assert shown.caption.startswith("VOI LUT")


def test_modality_lut_and_percentiles() -> None:
    dataset = dcmread(bundled("mlut_18.dcm"))
    values = apply_modality_lut(dataset.pixel_array, dataset).astype(np.float64)
    low, high = np.percentile(values, (1, 99))
    shown = _shown(bundled("mlut_18.dcm"))
    assert _differ_by(shown.pixels, np.clip((values - low) / (high - low), 0, 1) * 255) <= 1
    assert "percentile" in shown.note


def test_padding_is_left_out_of_the_percentiles(tmp_path: Path) -> None:
    dataset = dcmread(bundled("CT_small.dcm"))
    values = dataset.pixel_array.copy()
    values[:64] = -2000
    path = changed("CT_small.dcm", tmp_path, PixelData=values.tobytes(), PixelPaddingValue=-2000)
    low, high = np.percentile(apply_modality_lut(values[64:], dataset), (1, 99))
    shown = _shown(path)
    assert _differ_by(shown.pixels[64:], np.clip((values[64:] - 1024 - low) / (high - low), 0, 1) * 255) <= 1
    assert shown.pixels[:64].max() == 0


@pytest.mark.parametrize(("function", "width"), [("SIGMOID", 400), ("LINEAR_EXACT", 400), ("LINEAR", 1)])
def test_voi_functions(tmp_path: Path, function: str, width: float) -> None:
    path = changed("CT_small.dcm", tmp_path, WindowCenter=40, WindowWidth=width, VOILUTFunction=function)
    dataset = dcmread(path)
    values = apply_modality_lut(dataset.pixel_array, dataset)
    unit = {
        "SIGMOID": 1 / (1 + np.exp(-4 * (values - 40) / 400)),
        "LINEAR_EXACT": (values - 40) / 400 + 0.5,
        "LINEAR": (values > 39.5).astype(float),
    }[function]
    assert _differ_by(_shown(path).pixels, np.clip(unit, 0, 1) * 255) <= 1


def test_polarity(tmp_path: Path) -> None:
    plain = _shown(bundled("MR_small.dcm")).pixels
    for attributes in ({"PhotometricInterpretation": "MONOCHROME1"}, {"PresentationLUTShape": "INVERSE"}):
        assert (_shown(changed("MR_small.dcm", tmp_path, **attributes)).pixels == 255 - plain).all()


def test_one_bit_segmentation() -> None:
    dataset = dcmread(bundled("liver_1frame.dcm"))
    assert (_shown(bundled("liver_1frame.dcm")).pixels == dataset.pixel_array * 255).all()


@pytest.mark.parametrize("name", ["rtdose_1frame.dcm", "rtdose_rle.dcm", "emri_small.dcm", "image_dfl.dcm"])
def test_other_depths_are_drawn(name: str) -> None:
    assert np.ptp(_shown(bundled(name)).pixels) > 100


@pytest.mark.parametrize(("keyword", "kind"), [("FloatPixelData", "<f4"), ("DoubleFloatPixelData", "<f8")])
def test_float_pixels(tmp_path: Path, keyword: str, kind: str) -> None:
    dataset = dcmread(bundled("CT_small.dcm"))
    values = dataset.pixel_array.astype(kind) / 7
    values[0, 0] = np.nan
    path = changed("CT_small.dcm", tmp_path, PixelData=None, BitsStored=None, HighBit=None, PixelRepresentation=None,
                   DataSetTrailingPadding=None, BitsAllocated=values.itemsize * 8,
                   **{keyword: values.tobytes()})  # fmt: skip
    assert np.ptp(_shown(path).pixels) == 255


def test_functional_groups_hold_the_window_of_their_frame(tmp_path: Path) -> None:
    groups = []
    for number in range(10):
        voi, group = Dataset(), Dataset()
        voi.WindowCenter, voi.WindowWidth = 100 + number, 200
        group.FrameVOILUTSequence = [voi]
        groups.append(group)
    path = changed("emri_small.dcm", tmp_path, PerFrameFunctionalGroupsSequence=groups)
    assert _shown(path, 3).caption == "W 200 L 102   64x64   3/10"


@pytest.mark.parametrize(
    ("attributes", "aspect"),
    [
        ({"PixelSpacing": [2.0, 1.0]}, 2.0),
        ({"PixelSpacing": None, "PixelAspectRatio": [3, 4]}, 0.75),
        ({"PixelSpacing": [0.0, 1.0]}, 1.0),
        ({"PixelSpacing": [1000.0, 1.0]}, 1.0),
    ],
)
def test_pixel_aspect(tmp_path: Path, attributes: dict[str, object], aspect: float) -> None:
    assert _shown(changed("CT_small.dcm", tmp_path, **attributes)).aspect == aspect


def test_a_lower_resolution_level_is_the_same_picture() -> None:
    for name in ("MR2_J2KR.dcm", "RG3_J2KI.dcm", "RG1_J2KI.dcm"):
        full, small = read_frame(bundled(name)), read_frame(bundled(name), room=(80, 80))
        high, wide = small.pixels.shape
        assert full.pixels.shape[0] >= 2 * high - 1
        coarse = np.asarray(Image.fromarray(full.pixels).resize((wide, high), Image.Resampling.BOX))
        assert np.corrcoef(coarse.ravel(), small.pixels.ravel())[0, 1] > 0.98
        assert abs(float(full.pixels.mean()) - float(small.pixels.mean())) < 3
        assert small.caption == full.caption


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("rtplan.dcm", "RT Plan Storage has no image"),
        ("test-SR.dcm", "Comprehensive SR Storage has no image"),
        ("waveform_ecg.dcm", "12-lead ECG Waveform Storage has no image"),
        ("MR_truncated.dcm", "needs 8192 bytes, the file holds 8130"),
        ("JPGExtended.dcm", r"JPEG Extended \(Process 2 and 4\) pixels cannot be decoded here"),
        ("SC_rgb_jpeg.dcm", "cannot be decoded"),
        ("rtstruct.dump", "not a DICOM file"),
        ("meta_missing_tsyntax.dcm", "no transfer syntax"),
    ],
)
def test_sentences_for_what_cannot_be_drawn(name: str, sentence: str) -> None:
    folder = bundled("rtplan.dcm").parent
    with pytest.raises(PictureError, match=sentence):
        read_frame(folder / name)


@pytest.mark.parametrize(
    ("attributes", "sentence"),
    [
        ({"Rows": 60000, "Columns": 60000}, "more than 200 megapixel"),
        ({"Rows": 4000, "Columns": 4000}, "ends early"),
        ({"Rows": 0}, "Rows is 0"),
        ({"Columns": None}, "Columns is None"),
        ({"BitsAllocated": 12}, "cannot be decoded"),
        ({"BitsAllocated": 0}, "BitsAllocated is 0"),
    ],
)
def test_lying_headers(tmp_path: Path, attributes: dict[str, object], sentence: str) -> None:
    with pytest.raises(PictureError, match=sentence):
        read_frame(changed("CT_small.dcm", tmp_path, **attributes))


def test_a_colour_space_without_a_way_to_rgb(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="HSV is not drawn"):
        read_frame(changed("SC_rgb.dcm", tmp_path, PhotometricInterpretation="HSV"))


def test_a_frame_that_is_not_there(tmp_path: Path) -> None:
    path = changed("CT_small.dcm", tmp_path, NumberOfFrames=1000)
    with pytest.raises(PictureError, match="ends early"):
        read_frame(path, 900)
    assert read_frame(path, 1).caption.endswith("1/1000")


def test_a_video_is_named(tmp_path: Path) -> None:
    raw = bundled("CT_small.dcm").read_bytes()
    for uid in (b"1.2.840.10008.1.2.4.100", b"1.2.840.10008.1.2.4.106"):
        path = tmp_path / "video.dcm"
        path.write_bytes(_with_syntax(raw, uid))
        with pytest.raises(PictureError, match="a video"):
            read_frame(path)


def _with_syntax(raw: bytes, uid: bytes) -> bytes:
    """The file under another transfer syntax (same length field rules, PS3.10 7.1)."""
    at = raw.index(b"\x02\x00\x10\x00UI")
    length = struct.unpack_from("<H", raw, at + 6)[0]
    value = uid + b"\0" * (len(uid) & 1)
    group = struct.unpack_from("<I", raw, 140)[0] + len(value) - length
    return (
        raw[:140] + struct.pack("<I", group) + raw[144 : at + 6] + struct.pack("<H", len(value)) + value
        + raw[at + 8 + length :]
    )  # fmt: skip


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_RLE.dcm", "693_J2KI.dcm", "examples_palette.dcm"])
def test_files_cut_anywhere_get_a_sentence(tmp_path: Path, name: str) -> None:
    raw = bundled(name).read_bytes()
    path = tmp_path / "cut.dcm"
    said: list[str] = []
    for part in range(1, 40):
        path.write_bytes(raw[: len(raw) * part // 41])
        try:
            read_frame(path)  # a codestream may do without its end
        except PictureError as error:
            said.append(str(error))
    assert len(said) > 5
    assert all(sentence.endswith(".") for sentence in said)


def test_a_codestream_larger_than_its_header_is_refused(tmp_path: Path) -> None:
    dataset = dcmread(bundled("CT_small.dcm"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset.compress(JPEG2000Lossless, encoding_plugin="pylibjpeg")
    lie = bytearray(dataset.PixelData)
    at = lie.index(b"\xff\x4f\xff\x51")
    lie[at + 8 : at + 16] = struct.pack(">II", 60000, 60000)
    dataset.PixelData = encapsulate([bytes(lie[at:])])
    path = tmp_path / "bomb.dcm"
    dataset.save_as(path)
    with pytest.raises(PictureError):
        read_frame(path)


def test_a_missing_file() -> None:
    with pytest.raises(PictureError, match="No such file"):
        read_frame(Path("nowhere.dcm"))
