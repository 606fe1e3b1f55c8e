"""Sequences as text: read from the head of an instance, and written into the identifier of an answer."""

from __future__ import annotations

import io
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence

from pacs_tui.dimse.contexts import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT
from pacs_tui.dimse.identifier import decode_request, head
from pacs_tui.dimse.rows import RowEncoder
from pacs_tui.model.level import Level
from pacs_tui.model.tag import Column, Element

REQUEST = "RequestAttributesSequence"


def instance(undefined: bool = False) -> Dataset:
    one, two = Dataset(), Dataset()
    one.RequestedProcedureID, one.RequestedProcedureDescription = "R1", "Schädel"
    one.ScheduledProtocolCodeSequence = Sequence([Dataset()])
    two.RequestedProcedureID = "R\x1f2\x1e"
    made = Dataset()
    made.SpecificCharacterSet = "ISO_IR 100"
    made.Rows = 512
    made.RequestAttributesSequence = Sequence([one, two])
    made["RequestAttributesSequence"].is_undefined_length = undefined
    for item in (one, two):
        item.is_undefined_length_sequence_item = undefined
    made.PixelData = b"\0\0"
    made["PixelData"].VR = "OW"
    return made


def written(dataset: Dataset, syntax: str) -> bytes:
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = syntax != BIG_ENDIAN, syntax == IMPLICIT
    write_dataset(stream, dataset)
    data = bytes(stream.getvalue())
    if syntax == DEFLATED:
        deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        data = deflate.compress(data) + deflate.flush()
    return data


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG_ENDIAN, DEFLATED])
@pytest.mark.parametrize("undefined", [False, True])
def test_the_items_of_a_sequence_in_the_head_of_an_instance(syntax: str, undefined: bool) -> None:
    attributes = head(written(instance(undefined), syntax), syntax, True)
    assert attributes[REQUEST] == "\x1e00321060=Schädel\x1f00401001=R1\x1f\x1e00401001=R2\x1f"
    assert attributes["Rows"] == "512"


@settings(deadline=None)
@given(st.binary(max_size=60), st.booleans())
def test_a_sequence_of_any_bytes_is_some_text(value: bytes, explicit: bool) -> None:
    length = len(value).to_bytes(4, "little")
    element = b"\x40\x00\x75\x02" + (b"SQ\0\0" if explicit else b"") + length + value
    assert isinstance(head(element, EXPLICIT if explicit else IMPLICIT, True).get(REQUEST, ""), str)


@pytest.mark.parametrize("explicit", [False, True])
def test_an_answer_returns_items_in_its_own_character_set(explicit: bool) -> None:
    items = (Column(0x00321060, "LO"), Column(0x00401001, "SH"))
    encoder = RowEncoder([Column(0x00081032, "SQ"), Column(0x00400275, "SQ", items)], Level.SERIES, explicit)
    answer = read_dataset(io.BytesIO(encoder.encode(["", "\x1eSchädel\x1fR1\x1f\x1e\x1fR2\x1f"])), not explicit, True)
    answer.decode()
    assert answer.SpecificCharacterSet == "ISO_IR 192"
    assert [(i.RequestedProcedureDescription, i.RequestedProcedureID) for i in answer.RequestAttributesSequence] == [
        ("Schädel", "R1"), ("", "R2"),
    ]  # fmt: skip
    assert len(answer.ProcedureCodeSequence) == 0


def test_a_key_of_unknown_vr_is_seen() -> None:
    asked = Dataset()
    asked.QueryRetrieveLevel = "STUDY"
    asked.add_new(0x00091001, "UN", b"x ")
    _, keys = decode_request(written(asked, IMPLICIT), IMPLICIT)
    assert keys == (Element(0x00091001, "UN", "x "),)
