"""The scanner against pydicom, on every file pydicom brings and on rubbish."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.data import get_testdata_file

from pacs_tui.dimse.contexts import BIG_ENDIAN, DEFLATED, IMPLICIT
from pacs_tui.dimse.dataset import Truncated, Unusual, scan
from pacs_tui.dimse.identifier import HEADER_STOP, head
from pacs_tui.dimse.part10 import MappedDataSet, read_held, study_and_series
from pacs_tui.errors import StorageError

NAMES = (
    "CT_small.dcm", "MR_small.dcm", "MR_small_implicit.dcm", "MR_small_RLE.dcm", "JPEG2000.dcm", "image_dfl.dcm",
    "ExplVR_BigEnd.dcm", "MR_small_bigendian.dcm", "rtplan.dcm", "reportsi.dcm", "test-SR.dcm",
    "examples_palette.dcm", "liver_1frame.dcm", "waveform_ecg.dcm", "693_J2KI.dcm", "SC_rgb_jpeg.dcm",
    "UN_sequence.dcm",
)  # fmt: skip
KEYWORDS = (
    "PatientName", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "StudyDate",
    "Modality", "Rows", "Columns", "InstanceNumber", "SeriesNumber", "AccessionNumber",
)  # fmt: skip


def bundled(name: str) -> Path:
    found = get_testdata_file(name)
    assert isinstance(found, str)
    return Path(found)


@pytest.mark.parametrize("name", NAMES)
def test_the_head_reads_as_pydicom_reads_it(name: str) -> None:
    path = bundled(name)
    whole = pydicom.dcmread(path, stop_before_pixels=True)
    if "TransferSyntaxUID" not in whole.get("file_meta", {}):
        pytest.fail(f"{name} has no meta information: choose another file")
    held = read_held(path)
    with MappedDataSet(path) as data:
        attributes = head(bytes(data), held.transfer_syntax, True)
    for keyword in KEYWORDS:
        expected = whole.get(keyword)
        assert attributes.get(keyword, "") == ("" if expected is None else str(expected).strip()), keyword
    assert study_and_series(path) == (str(whole.get("StudyInstanceUID", "")), str(whole.get("SeriesInstanceUID", "")))


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_implicit.dcm", "JPEG2000.dcm"])
def test_a_beginning_is_truncated_until_the_header_is_whole(name: str) -> None:
    path = bundled(name)
    held = read_held(path)
    assert held.transfer_syntax not in (BIG_ENDIAN, DEFLATED)
    with MappedDataSet(path) as data:
        explicit = held.transfer_syntax != IMPLICIT
        enough = None
        for size in range(0, 20_000, 97):
            try:
                found = scan(data[:size], explicit, HEADER_STOP, complete=False)
            except Truncated:
                assert enough is None, "more bytes must never be too few"
                continue
            enough = enough or size
            assert found == scan(data, explicit, HEADER_STOP)
        assert enough is not None


@given(st.binary(max_size=300), st.booleans(), st.booleans())
def test_rubbish_is_refused_and_nothing_else(data: bytes, explicit: bool, complete: bool) -> None:
    with contextlib.suppress(Truncated, Unusual, struct.error):
        scan(data, explicit, complete=complete)


def test_a_length_over_the_end_is_unusual() -> None:
    with pytest.raises(Unusual):
        scan(struct.pack("<HH2sH", 8, 0x50, b"SH", 0xFFF0) + b"A" * 20, True)


def test_sequences_nested_without_end_are_unusual() -> None:
    nested = struct.pack("<HH2sHI", 8, 0x1115, b"SQ", 0, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    with pytest.raises(Unusual):
        scan(nested * 10_000, True)


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    text = tmp_path / "letter.txt"
    text.write_text("Dear colleague")
    with pytest.raises(StorageError, match=r"letter\.txt is not a DICOM file"):
        read_held(text)
    with pytest.raises(StorageError, match=r"missing\.dcm cannot be read"):
        read_held(tmp_path / "missing.dcm")
    cut = tmp_path / "cut.dcm"
    cut.write_bytes(bundled("CT_small.dcm").read_bytes()[:200])
    with pytest.raises(StorageError, match="damaged"):
        read_held(cut)
