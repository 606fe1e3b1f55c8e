"""Identifiers: what we write pydicom reads, in every character set, and the other way round."""

from __future__ import annotations

import contextlib
import io
from datetime import date
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from pacs_tui.dimse import identifier
from pacs_tui.dimse.contexts import BIG_ENDIAN, EXPLICIT, IMPLICIT
from pacs_tui.dimse.dataset import Reading
from pacs_tui.dimse.identifier import Attributes, decode_request, element, encode_keys, encode_query
from pacs_tui.dimse.rows import RowEncoder
from pacs_tui.model.level import Level
from pacs_tui.model.query import RETURN_KEYS, parse
from pacs_tui.model.tag import Column

NAMES = {
    "ISO_IR 100": "Müller^Jörg",
    "ISO_IR 126": "Διονυσιος",
    "ISO_IR 144": "Люкceмбypг",
    "ISO_IR 127": "قباني^لنزار",
    "ISO_IR 192": "王^小東",
    "GB18030": "王^小东",
    "\\ISO 2022 IR 87": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "ISO 2022 IR 13\\ISO 2022 IR 87": "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう",
    "\\ISO 2022 IR 149": "Hong^Gildong=洪^吉洞=홍^길동",
}


def written(dataset: Dataset, syntax: str) -> bytes:
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = syntax != BIG_ENDIAN, syntax == IMPLICIT
    write_dataset(stream, dataset)
    return bytes(stream.getvalue())


@pytest.mark.parametrize("charset", NAMES)
@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG_ENDIAN])
def test_a_name_in_every_character_set(charset: str, syntax: str) -> None:
    answer = Dataset()
    answer.SpecificCharacterSet = charset.split("\\")
    answer.PatientName = NAMES[charset]
    answer.PatientID = "4711"
    answer.Rows = 512
    answer.NumberOfStudyRelatedInstances = "17"
    attributes = Attributes(written(answer, syntax), syntax)
    assert attributes["PatientName"] == NAMES[charset]
    assert (attributes["PatientID"], attributes["Rows"]) == ("4711", "512")
    assert attributes["NumberOfStudyRelatedInstances"] == "17"
    assert attributes.get("StudyDate", "") == ""


def test_text_without_a_character_set_is_read_by_the_nodes_own() -> None:
    answer = Dataset()
    answer.PatientName = "x"
    data = written(answer, IMPLICIT).replace(b"x ", "é".encode("latin-1") + b" ")
    assert Attributes(data, IMPLICIT, "ISO_IR 100")["PatientName"] == "é"
    assert Attributes(data, IMPLICIT, "ISO_IR 126")["PatientName"] == "ι"


@pytest.mark.parametrize("explicit", [True, False])
@pytest.mark.parametrize("line", ["smi", "müller", "name:山田*", "date:2026-11-01..2026-11-20 mod:CT,MR", ""])
def test_pydicom_reads_our_queries(line: str, explicit: bool) -> None:
    query = parse(line, date(2026, 11, 22))
    data = encode_query(query, explicit)
    read = read_dataset(io.BytesIO(data), not explicit, True)
    read.decode()
    assert "SpecificCharacterSet" in read
    assert read.QueryRetrieveLevel == "STUDY"
    for keyword, value in query.keys:
        assert str(read[keyword].value or "").replace("['CT', 'MR']", "CT\\MR") == value, keyword
    level, keys = decode_request(data, EXPLICIT if explicit else IMPLICIT)
    assert level is Level.STUDY
    assert len(keys) == len(query.keys)
    assert {key.text for key in keys if key.text} == {value for _, value in query.keys if value}


TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\\^="), max_size=40)


@given(st.lists(st.tuples(TEXT, st.booleans(), st.booleans()), min_size=2, max_size=6), st.booleans())
def test_rows_of_one_answer_are_read_as_each_by_itself(rows: list[tuple[str, bool, bool]], explicit: bool) -> None:
    """Alike or not, whole or cut off, in whatever order they are read."""
    reading = Reading()
    syntax = EXPLICIT if explicit else IMPLICIT
    answer = []
    for text, more, whole in rows:
        keys = {"PatientName": text, "PatientID": "1", "Rows": "512"} | (
            {"StudyID": "7", "Columns": "3"} if more else {}
        )
        data = encode_keys(keys, Level.STUDY, explicit)
        data = data if whole else data[: len(data) // 2]
        answer.append((Attributes(data, syntax, "", reading), Attributes(data, syntax)))
    for together, alone in [*answer, *reversed(answer)]:
        assert dict(together) == dict(alone)


@given(TEXT, st.booleans())
def test_rows_come_back_as_they_were(name: str, explicit: bool) -> None:
    columns = (Column(0x00080061, "CS"), Column(0x00100010, "PN"), Column(0x00280010, "US"), Column(0x00081115, "SQ"))
    data = RowEncoder(columns, Level.STUDY, explicit).encode(("CT\\MR", name, "512", ""))
    read = read_dataset(io.BytesIO(data), not explicit, True)
    read.decode()
    assert str(read.PatientName) == name.rstrip(" ")
    assert list(read.ModalitiesInStudy) == ["CT", "MR"]
    assert (read.Rows, read.QueryRetrieveLevel, len(read.ReferencedSeriesSequence)) == (512, "STUDY", 0)
    ours = Attributes(data, EXPLICIT if explicit else IMPLICIT)
    assert ours["PatientName"].rstrip() == name.strip(" \0").rstrip()
    assert (ours["ModalitiesInStudy"], ours["Rows"]) == ("CT\\MR", "512")


KEYS = {
    "PatientName": "PN", "PatientID": "LO", "StudyDate": "DA", "StudyTime": "TM", "RetrieveAETitle": "AE",
    "PatientAge": "AS", "Modality": "CS", "AccessionNumber": "SH", "StudyInstanceUID": "UI", "SeriesNumber": "IS",
    "SliceThickness": "DS", "Rows": "US", "StudyComments": "LT", "DateTime": "DT",
}  # fmt: skip
VALUES = st.text(st.characters(min_codepoint=0, max_codepoint=127), max_size=12).map(lambda text: text.encode("ascii"))


@given(st.dictionaries(st.sampled_from(sorted(KEYS)), VALUES, max_size=8), st.booleans())
def test_a_plain_query_is_read_as_pydicom_reads_it(values: dict[str, bytes], explicit: bool) -> None:
    syntax = EXPLICIT if explicit else IMPLICIT
    tags = sorted((tag_for_keyword(keyword) or 0, KEYS[keyword], value) for keyword, value in values.items())
    level = element(0x00080052, "CS", b"series", explicit)
    data = b"".join(element(tag, vr, value, explicit) for tag, vr, value in tags if tag < 0x00080052)
    data += level + b"".join(element(tag, vr, value, explicit) for tag, vr, value in tags if tag > 0x00080052)
    with patch.object(identifier, "_quick_request", lambda *_: None):
        try:
            whole = decode_request(data, syntax)
        except ValueError:
            whole = None
    if whole is not None:
        assert decode_request(data, syntax) == whole


@given(st.binary(max_size=400), st.sampled_from([IMPLICIT, EXPLICIT, BIG_ENDIAN]))
def test_rubbish_never_raises_anything_unforeseen(data: bytes, syntax: str) -> None:
    with contextlib.suppress(ValueError):
        decode_request(data, syntax)
    attributes = Attributes(data, syntax)
    assert all(isinstance(attributes.get(keyword, ""), str) for keyword in RETURN_KEYS[Level.STUDY])


@given(st.integers(0, 200), st.binary(min_size=1, max_size=6))
def test_a_damaged_answer_never_raises_anything_unforeseen(at: int, damage: bytes) -> None:
    whole = encode_query(parse("müller date:2026", date(2026, 11, 22)), True)
    broken = whole[:at] + damage + whole[at + len(damage) :]
    attributes = Attributes(broken, EXPLICIT)
    assert all(isinstance(attributes.get(keyword, ""), str) for keyword in RETURN_KEYS[Level.STUDY])
    with contextlib.suppress(ValueError):
        decode_request(broken, EXPLICIT)


def test_a_level_nobody_knows_is_named() -> None:
    request = Dataset()
    request.QueryRetrieveLevel = "FRAME"
    with pytest.raises(ValueError, match="'FRAME' is none of"):
        decode_request(written(request, IMPLICIT), IMPLICIT)
