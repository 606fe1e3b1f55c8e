"""C-FIND asked by DCMTK and pynetdicom: character sets, negotiation, sequences, statuses (PS3.4 C.2.2, C.4.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation
from pynetdicom.sop_class import (
    SecondaryCaptureImageStorage,
    StudyRootQueryRetrieveInformationModelFind,
)

from pacs_tui.archive.archive import Archive
from pacs_tui.dimse.listener import Listener
from pacs_tui.model.node import Node
from pacs_tui.settings import ArchiveSettings, Area, Limits
from tests.interop.foreign import tool

pytestmark = pytest.mark.interop

STUDY_ROOT = StudyRootQueryRetrieveInformationModelFind
Serve = Callable[..., Node]
NAMES = {
    "1": ("ISO_IR 100", "Müller^Jörg"),
    "2": ("\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    "3": ("GB18030", "Wang^Xiaodong=王^小东=乗"),
    "4": ("ISO_IR 192", "Dvořák^Antonín"),
    "5": ("", "Smith^John"),
    "6": ("ISO_IR 144", "Люкceмбypг"),
}
"""By study: the character set it is stored in, and the patient's name."""


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Archives in this process, each on a port the kernel chose."""
    opened: list[tuple[Archive, Listener]] = []

    def build(**options: Any) -> Node:
        folder = tmp_path / f"archive{len(opened)}"
        area = Area("STA", 0, folder / "STA")
        settings = ArchiveSettings(**options)
        archive = Archive([area], f"sqlite:///{folder / 'index.db'}", lambda _: None, options=settings)
        listener = Listener(archive, [("127.0.0.1", 0)], Limits())
        opened.append((archive, listener))
        archive.open()
        listener.open()
        return Node("STA", "STA", "127.0.0.1", listener.ports[0])

    yield build
    for archive, listener in opened:
        listener.close(1.0)
        archive.close()


@contextmanager
def associated(node: Node, negotiate: bytes = b"", syntax: str = ExplicitVRLittleEndian) -> Iterator[Association]:
    """pynetdicom's association for storing and finding; `negotiate` is the information of PS3.4 C.5.1.1."""
    entity = AE("TESTER")
    entity.add_requested_context(STUDY_ROOT, syntax)
    entity.add_requested_context(SecondaryCaptureImageStorage, syntax)
    item = SOPClassExtendedNegotiation()
    item.sop_class_uid, item.service_class_application_information = STUDY_ROOT, negotiate
    association = entity.associate(node.host, node.port, ae_title=node.ae_title, ext_neg=[item] if negotiate else [])
    assert association.is_established
    try:
        yield association
    finally:
        association.release()


def instance(number: str, **attributes: Any) -> Dataset:
    """The one instance of a study."""
    made = Dataset()
    made.SOPClassUID = SecondaryCaptureImageStorage
    made.SOPInstanceUID = f"1.2.{number}.1.1"
    made.StudyInstanceUID, made.SeriesInstanceUID = f"1.2.{number}", f"1.2.{number}.1"
    made.PatientID, made.Modality = number, "OT"
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return made


def send(node: Node, *instances: Dataset, syntax: str = ExplicitVRLittleEndian) -> None:
    with associated(node, syntax=syntax) as association:
        for each in instances:
            each.file_meta.TransferSyntaxUID = syntax
            assert association.send_c_store(each).Status == 0


def identifier(level: str = "STUDY", **keys: Any) -> Dataset:
    made = Dataset()
    made.QueryRetrieveLevel, made.StudyInstanceUID = level, ""
    for keyword, value in keys.items():
        setattr(made, keyword, value)
    return made


def responses(
    node: Node, asked: Dataset, negotiate: bytes = b"", syntax: str = ExplicitVRLittleEndian
) -> list[tuple[Dataset, Dataset | None]]:
    """Status and identifier of every response."""
    with associated(node, negotiate, syntax) as association:
        return [(status, answer) for status, answer in association.send_c_find(asked, STUDY_ROOT)]


def places(node: Node, negotiate: bytes = b"", **keys: Any) -> str:
    """The numbers of the studies that pynetdicom finds."""
    got = responses(node, identifier(**keys), negotiate)
    assert got[-1][0].Status == 0, got[-1][0]
    return "".join(sorted(str(a.StudyInstanceUID).removeprefix("1.2.") for _, a in got[:-1] if a is not None))


# ---------------------------------------------------------------------- character sets


def findscu(node: Node, folder: Path, asked: Dataset) -> list[Dataset]:
    """The answers DCMTK got to an identifier of any character set, as it wrote them down."""
    folder.mkdir()
    asked.save_as(folder / "query.dcm", implicit_vr=False, little_endian=True)
    done = tool("findscu", "-S", "-X", "-od", str(folder), "-aec", node.ae_title, node.host, str(node.port),
                str(folder / "query.dcm"))  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [pydicom.dcmread(path, force=True) for path in sorted(folder.glob("rsp*.dcm"))]


def test_a_name_is_found_from_any_character_set_and_answers_name_their_own(serve: Serve, tmp_path: Path) -> None:
    node = serve()
    for number, (charset, name) in NAMES.items():
        each = instance(number, PatientName=name)
        if charset:
            each.SpecificCharacterSet = charset.split("\\")
        send(node, each)
    questions = [
        ("1", "ISO_IR 100", "MÜLLER*"), ("1", "ISO_IR 192", "müller^j?rg"), ("1", "ISO_IR 109", "Müller*"),
        ("2", "\\ISO 2022 IR 87", "=山田*"), ("2", "ISO 2022 IR 13\\ISO 2022 IR 87", "*=山田^太郎"),
        ("2", "ISO_IR 192", "==やまだ*"), ("2", "", "YAMADA*"), ("2", "GB18030", "=山田*"),
        ("3", "GB18030", "=王*"), ("3", "ISO_IR 192", "*=王^小东"), ("3", "GB18030", "==乗"),
        ("4", "ISO_IR 101", "dvořák*"), ("5", "\\ISO 2022 IR 87", "smith*"), ("6", "ISO_IR 144", "люкc*"),
    ]  # fmt: skip
    for at, (number, charset, key) in enumerate(questions):
        asked = identifier()
        if charset:
            asked.SpecificCharacterSet = charset.split("\\")
        asked.PatientName = key
        answers = findscu(node, tmp_path / str(at), asked)
        assert [str(a.StudyInstanceUID) for a in answers] == [f"1.2.{number}"], (charset, key)
        assert str(answers[0].PatientName) == NAMES[number][1]
        assert answers[0].get("SpecificCharacterSet", "") == ("" if number == "5" else "ISO_IR 192")


# ---------------------------------------------------------------------- extended negotiation


def test_combined_dates_and_fuzzy_names_where_they_were_agreed(serve: Serve) -> None:
    node = serve()
    send(
        node,
        instance("1", StudyDate="20260101", StudyTime="0800", PatientName="MULLER^JORG"),
        instance("2", StudyDate="20260102", StudyTime="0700", PatientName="MEIER^ANNA"),
    )
    span: dict[str, Any] = {"StudyDate": "20260101-20260102", "StudyTime": "0900-0730"}
    assert places(node, b"\0\1", **span) == "2"
    assert places(node, **span) == ""
    assert places(node, b"\0\0\1", PatientName="Miller Georg") == ""
    assert places(node, b"\0\0\1", PatientName="Jorg Miller") == "1"
    assert places(node, PatientName="Jorg Miller") == ""


def test_a_relational_query_where_it_was_agreed(serve: Serve) -> None:
    node = serve()
    send(node, instance("1", OperatorsName="Beck^Paul"), instance("2", OperatorsName=["A^B", "Meier^Anna"]))
    asked = identifier("SERIES", OperatorsName="meier*", SeriesInstanceUID="")
    got = responses(node, asked, b"\1")
    assert [str(a.SeriesInstanceUID) for _, a in got[:-1] if a is not None] == ["1.2.2.1"]
    assert [status.Status for status, _ in responses(node, asked)] == [0xA900]


# ---------------------------------------------------------------------- sequences


def requested(**values: str) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_keys_in_the_item_of_a_sequence(serve: Serve, tmp_path: Path, syntax: str) -> None:
    node = serve()
    one = requested(RequestedProcedureID="R1", ScheduledProcedureStepID="S1", RequestedProcedureDescription="Schädel")
    two = requested(RequestedProcedureID="R2", ScheduledProcedureStepID="S2")
    first = instance("1", SpecificCharacterSet="ISO_IR 100", RequestAttributesSequence=Sequence([one, two]))
    code = requested(CodeValue="CT1", CodingSchemeDesignator="99X", CodeMeaning="CT head")
    send(node, first, instance("2", ProcedureCodeSequence=Sequence([code])), syntax=syntax)

    def series(**keys: str) -> list[Dataset]:
        asked = identifier("SERIES", SeriesInstanceUID="", RequestAttributesSequence=Sequence([requested(**keys)]))
        asked.StudyInstanceUID = "1.2.1"
        return [answer for _, answer in responses(node, asked, syntax=syntax) if answer is not None]

    [answer] = series(RequestedProcedureID="R1", RequestedProcedureDescription="")
    [item] = answer.RequestAttributesSequence
    assert (item.RequestedProcedureID, item.RequestedProcedureDescription) == ("R1", "Schädel")
    assert "ScheduledProcedureStepID" not in item
    assert answer.SpecificCharacterSet == "ISO_IR 192"
    assert series(RequestedProcedureID="R1", ScheduledProcedureStepID="S2") == []
    key = "ProcedureCodeSequence[0].CodeValue=CT*"
    (tmp_path / "studies").mkdir()
    done = tool("findscu", "-S", "-X", "-od", str(tmp_path / "studies"), "-k", "QueryRetrieveLevel=STUDY", "-k", key,
                "-k", "StudyInstanceUID", "-aec", "STA", node.host, str(node.port))  # fmt: skip
    assert done.returncode == 0, done.stderr
    [path] = (tmp_path / "studies").glob("rsp*.dcm")
    study = pydicom.dcmread(path, force=True)
    assert (study.StudyInstanceUID, study.ProcedureCodeSequence[0].CodeValue) == ("1.2.2", "CT1")


# ---------------------------------------------------------------------- statuses


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_a_key_that_cannot_be_used(serve: Serve, syntax: str) -> None:
    strict, lenient = serve(), serve(unsupported_keys="ignore")
    for node in (strict, lenient):
        send(node, instance("1"))
    unknown = identifier(KVP="80")
    private = identifier()
    private.private_block(0x0009, "ACME", create=True).add_new(1, "LO", "secret")
    for asked, offending in ((unknown, 0x00180060), (private, 0x00091001)):
        [(status, _)] = responses(strict, asked, syntax=syntax)
        assert status.Status == 0xA900
        assert status.OffendingElement == offending
        assert f"({offending >> 16:04X},{offending & 0xFFFF:04X})" in status.ErrorComment
        assert [s.Status for s, _ in responses(lenient, asked, syntax=syntax)] == [0xFF01, 0]
    for bad in ({"StudyDate": "-"}, {"StudyDate": "20261301x"}, {"StudyTime": "noon"}):
        with associated(strict) as association:
            asked = identifier()
            for keyword, value in bad.items():
                asked.add(pydicom.DataElement(keyword, "LO", value))
            assert [s.Status for s, _ in association.send_c_find(asked, STUDY_ROOT)] == [0xA900]


def test_more_matches_than_the_cap_end_with_a_status(serve: Serve) -> None:
    node = serve(result_cap=3)
    send(node, *(instance(str(number)) for number in range(1, 5)))
    statuses = [status for status, _ in responses(node, identifier())]
    assert [status.Status for status in statuses] == [0xFF00, 0xFF00, 0xFF00, 0xA700]
    assert "more than 3 matches" in statuses[-1].ErrorComment.lower()
    assert places(node, StudyInstanceUID=["1.2.1", "1.2.3", "1.2.4"]) == "134"


def test_the_timezone_of_a_study_is_returned_and_no_key(serve: Serve) -> None:
    node = serve()
    send(node, instance("1", TimezoneOffsetFromUTC="+0100"), instance("2"))
    got = responses(node, identifier(TimezoneOffsetFromUTC="-0500"))
    assert [a.TimezoneOffsetFromUTC for _, a in got[:-1] if a is not None] == ["", "+0100"]
