"""The conformance statement is kept: what it lists is negotiated and answered, by pynetdicom's word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.filereader import dcmread
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from pacs_tui.dimse.part10 import read_held
from tests.dimse.test_dataset import bundled
from tests.interop.conftest import Served
from tests.write_docs import DOCS

pytestmark = pytest.mark.interop

PAGE = (DOCS / "conformance.md").read_text(encoding="utf-8")
EXPLICIT, IMPLICIT, JPEG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.4.50"
STUDY_ROOT_FIND, PATIENT_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.2.1.1"


def rows(title: str) -> list[list[str]]:
    """The cells of the first table after a headline."""
    table = re.search(r"\n\|.*?\n\n", PAGE[PAGE.index(f"\n{title}\n") :], re.DOTALL)
    assert table is not None
    return [[cell.strip("` ") for cell in line.strip("|").split(" | ")] for line in table.group().split("\n")[3:-2]]


@contextmanager
def associated(served: Served, contexts: list[tuple[str, str]]) -> Iterator[Association]:
    node = served.nodes["IMAGECTN"]
    ae = AE("TESTER")
    ae.requested_contexts = [build_context(*pair) for pair in contexts]
    association = ae.associate(node.host, node.port, ae_title=node.ae_title)
    assert association.is_established
    try:
        yield association
    finally:
        association.release()


def accepted(served: Served, contexts: list[tuple[str, str]]) -> set[tuple[str, str]]:
    with associated(served, contexts) as association:
        return {(str(c.abstract_syntax), str(c.transfer_syntax[0])) for c in association.accepted_contexts}


def test_every_class_it_lists_is_negotiated_and_others_are_not(served: Served) -> None:
    services = [row[1] for row in rows("## Services as SCP") if row[1]]
    assert len(services) == 10
    wanted = [(uid, syntax) for uid in services for syntax in (EXPLICIT, IMPLICIT)]
    assert accepted(served, wanted) == set(wanted)
    storage = [row[1] for row in rows("### Storage")]
    assert len(storage) > 150
    for first in range(0, len(storage), 60):
        wanted = [(uid, syntax) for uid in storage[first : first + 60] for syntax in (EXPLICIT, JPEG)]
        assert accepted(served, wanted) == set(wanted)
    private = [("1.2.826.0.1.3680043.8.498.1", EXPLICIT)]
    strangers = [("1.2.840.10008.5.1.4.31", EXPLICIT), ("1.2.840.10008.5.1.4.34.6.1", EXPLICIT), (services[0], JPEG)]
    assert accepted(served, private + strangers) == set(private)


def store(served: Served) -> Dataset:
    path = bundled("CT_small.dcm")
    assert [sent.status for sent in served.peer().send([read_held(path)])] == [0]
    return dcmread(BytesIO(Path(path).read_bytes()), stop_before_pixels=True)


@pytest.mark.parametrize("level", ["PATIENT", "STUDY", "SERIES", "IMAGE"])
def test_every_attribute_it_lists_is_returned_and_matched(served: Served, level: str) -> None:
    held = store(served)
    root = PATIENT_ROOT_FIND if level == "PATIENT" else STUDY_ROOT_FIND
    listed = rows(f"#### {level}")
    keywords = [row[0] for row in listed]
    above = {"SERIES": ("StudyInstanceUID",), "IMAGE": ("StudyInstanceUID", "SeriesInstanceUID")}.get(level, ())
    matched = 0
    with associated(served, [(root, EXPLICIT)]) as association:

        def ask(**keys: str) -> list[Dataset]:
            question = Dataset()
            question.QueryRetrieveLevel = level
            for key in above:
                setattr(question, key, held[key].value)
            for keyword in keywords:
                value: object = [] if keyword.endswith("Sequence") else keys.get(keyword, "")
                setattr(question, keyword, int(str(value)) if keyword in ("Rows", "Columns") and value else value)
            answers = list(association.send_c_find(question, root))
            assert answers[-1][0].Status == 0x0000
            return [found for status, found in answers[:-1] if found is not None]

        (answer,) = ask()
        for keyword, _, vr, _, matching in listed:
            assert keyword in answer, keyword
            assert vr == answer[keyword].VR
            value = answer[keyword].value
            if not matching.startswith("single value") or value in ("", None):
                continue
            assert len(ask(**{keyword: str(value)})) == 1, keyword
            other = {"DA": "19000101", "TM": "235959", "AS": "199Y"}.get(vr, "7")
            assert ask(**{keyword: other}) == [], keyword
            matched += 1
    assert matched >= {"PATIENT": 6, "STUDY": 5, "SERIES": 4, "IMAGE": 4}[level]


def test_the_statuses_it_names_for_a_bad_query(served: Served) -> None:
    with associated(served, [(STUDY_ROOT_FIND, EXPLICIT)]) as association:
        question = Dataset()
        question.QueryRetrieveLevel = "STUDY"
        question.StudyDate = "no date"
        [(status, _)] = association.send_c_find(question, STUDY_ROOT_FIND)
        assert status.Status == 0xA900
        assert "| A900 | a key that is missing or cannot be used" in PAGE
