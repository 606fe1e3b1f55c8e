"""Whatever a query asks for, the index answers it or it is refused; and its words stay values, never SQL."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql, sqlite

from pacs_tui.archive import query, wildcards
from pacs_tui.archive.archive import Archive
from pacs_tui.archive.attributes import BY_TAG
from pacs_tui.archive.matching import MAX_TERMS
from pacs_tui.errors import Refused
from pacs_tui.model.find import FindRequest
from pacs_tui.model.level import Level, Root
from pacs_tui.model.tag import Element
from pacs_tui.model.transfer import Target
from pacs_tui.settings import Area
from tests.archive.conftest import put

SECONDS = 10.0
"""What no query of an archive with three instances may take, on any machine."""
_PIECES = (
    "*", "?", "\\", "^", "=", "-", "'", '"', "%", "_", "!", ";", "--", "\0", "\x1e", "\x1f", "\ud800", "\U0010ffff",
    "ß", "ﬁ", "İ", "19000101", "235959.999999", "1.2.3", "9" * 30, "e400", "nan", "a", "A", " ", "(", "[", "|", ".",
    "$", "\n",
)  # fmt: skip
TEXT = st.lists(st.sampled_from(_PIECES) | st.text(max_size=4), max_size=12).map("".join)
VRS = st.sampled_from(("LO", "PN", "SH", "DA", "TM", "UI", "IS", "DS", "CS", "SQ", "UN", "AT", "LT", "ZZ"))
LEAF = st.builds(
    lambda tag, own, vr, text: Element(tag, BY_TAG[tag].vr if own else vr, text),
    st.sampled_from(sorted(BY_TAG)), st.booleans(), VRS, TEXT,
)  # fmt: skip
NESTED = st.builds(
    lambda tag, items: Element(tag, "SQ", "", items),
    st.sampled_from((0x00081032, 0x00400275, 0x00100020, 0x00081115)),
    st.lists(st.lists(LEAF | st.builds(Element, st.integers(0, 0xFFFFFFFF), VRS, TEXT), max_size=3).map(tuple),
             max_size=3).map(tuple),
)  # fmt: skip
STRANGE = st.builds(Element, st.integers(0, 0xFFFFFFFF), VRS, TEXT)
REQUESTS = st.builds(
    FindRequest, st.just("STA"), st.sampled_from((Root.PATIENT, Root.STUDY)), st.sampled_from(Level),
    st.lists(LEAF | NESTED | STRANGE, max_size=6).map(tuple), st.booleans(), st.booleans(), st.booleans(),
)  # fmt: skip
patient = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """An archive of three studies, one of them by somebody who wants queries to be slow."""
    folder: Path = tmp_path_factory.mktemp("keys")
    archive = Archive([Area("STA", 0, folder / "sta")], f"sqlite:///{folder / 'index.db'}", lambda _: None)
    archive.open()
    long = "a" * 64
    codes = "".join(f"\x1e00080104={long}\x1f00080100=b\x1f" for _ in range(16))
    put(archive, StudyInstanceUID="1.2.9", SeriesInstanceUID="1.2.9.1", SOPInstanceUID="1.2.9.1.1",
        ProcedureCodeSequence=codes, OtherPatientIDs="\\".join([long] * 8), PatientComments="a" * 1024,
        OperatorsName="\\".join(["a" * 190] * 8), PatientName=long)  # fmt: skip
    put(archive)
    put(archive, StudyInstanceUID="1.2.2", SeriesInstanceUID="1.2.2.1", SOPInstanceUID="1.2.2.1.1",
        PatientName="\ud800MÜLLER^*=%_", PatientID="'; DROP TABLE study; --")  # fmt: skip
    yield archive
    archive.close()


@patient
@given(REQUESTS, st.booleans())
def test_any_keys(held: Archive, wanted: FindRequest, strict: bool) -> None:
    with contextlib.suppress(Refused):
        statement = query.statement(wanted, 1, strict=strict)
        rows = [list(row) for row in held.find(wanted).rows]
        assert all(len(row) == len(query.columns_of(wanted)) for row in rows)
        assert all(isinstance(value, str) for row in rows for value in row)
        for dialect in (sqlite.dialect(), postgresql.dialect()):  # type: ignore[no-untyped-call]
            assert str(statement.compile(dialect=dialect))


@patient
@given(st.lists(st.sampled_from(sorted(t for t, a in BY_TAG.items() if not a.items)), min_size=1, max_size=4), TEXT)
def test_words_of_strangers_are_bound(tags: list[int], text: str) -> None:
    """The statement for a text with a mark in it never shows the mark."""
    mark = "zQXJ"
    keys = tuple(Element(tag, BY_TAG[tag].vr, f"{text}{mark}*{mark}") for tag in tags)
    with contextlib.suppress(Refused):
        statement = query.statement(FindRequest("STA", Root.PATIENT, Level.IMAGE, keys, True, True, True), 1)
        assert mark.lower() not in str(statement.compile(dialect=sqlite.dialect())).lower()


@patient
@given(st.text("ab*?", max_size=12), st.text("ab", max_size=12))
def test_both_forms_of_an_expression_find_the_same(pattern: str, value: str) -> None:
    common, atomic = (wildcards.regular(pattern, "|", atomic=form) for form in (False, True))
    assert bool(re.search(f"^{common}[|]", f"{value}|")) == bool(re.search(f"^{atomic}[|]", f"{value}|"))


_BOMB = "\\".join(["*a*a*a*a*b"] * MAX_TERMS)
_ITEM = Element(0x00081032, "SQ", "", ((Element(0x00080104, "LO", _BOMB), Element(0x00080102, "SH", _BOMB)),))


@pytest.mark.parametrize("key", [
    _ITEM, Element(0x00101000, "LO", _BOMB), Element(0x00081070, "PN", _BOMB), Element(0x00100010, "PN", _BOMB),
    Element(0x00104000, "LT", "*a" * 499 + "*b"), Element(0x00100010, "PN", "*a" * 499 + "*b"),
    Element(0x00100020, "LO", "\\".join(["*a" * 400 + "*b"] * MAX_TERMS)),
], ids=["items", "values", "names", "a name", "text", "a long name", "many"])  # fmt: skip
def test_patterns_made_to_cost(held: Archive, key: Element) -> None:
    began = time.monotonic()
    with contextlib.suppress(Refused):
        answer = held.find(FindRequest("STA", Root.STUDY, Level.STUDY, (key,), fuzzy=True))
        assert [list(row) for row in answer.rows] == []
    assert time.monotonic() - began < SECONDS


def test_more_keys_than_a_statement_has_room_for(held: Archive) -> None:
    keys = tuple(Element(0x00110000 + number, "LO", "") for number in range(20_000))
    with pytest.raises(Refused, match="at a time") as refused:
        held.find(FindRequest("STA", Root.STUDY, Level.STUDY, keys))
    assert refused.value.status == 0xA900


@patient
@given(TEXT)
def test_any_patient_to_be_retrieved(held: Archive, text: str) -> None:
    targets: list[Any] = [Target(Level.PATIENT, text), Target(Level.STUDY, text, "1.2.1")]
    for target in targets:
        with contextlib.suppress(Refused):
            assert isinstance(held.retrieve("STA", target), list)
