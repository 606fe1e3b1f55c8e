"""Whatever bytes come, a parser gives a value or its own refusal, and nothing else; and it gives it soon."""

from __future__ import annotations

import contextlib
import logging
import struct
import time
import warnings
from collections.abc import Callable, Iterator, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacs_tui.dimse import bounds
from pacs_tui.dimse import command as cmd
from pacs_tui.dimse import negotiation as neg
from pacs_tui.dimse.contexts import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, VERIFICATION, Proposal
from pacs_tui.dimse.dataset import Truncated, Unusual, scan, scan_plain
from pacs_tui.dimse.identifier import HEAD_CAP, Attributes, decode_request, head
from pacs_tui.dimse.part10 import MappedDataSet, read_held
from pacs_tui.dimse.upper_layer import Violation
from pacs_tui.errors import Unreachable, UsageError
from pacs_tui.model.admission import EVERY_RIGHT
from tests.dimse.test_dataset import bundled
from tests.faults.instances import Made
from tests.hostile import associations, datasets, identifiers
from tests.hostile.feeding import fed

SYNTAXES = (EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED)
patient = settings(deadline=None)
SECONDS = 10.0
"""What none of these may take, on any machine; they take milliseconds."""
REAL = tuple(bundled(name) for name in ("CT_small.dcm", "MR_small_implicit.dcm", "reportsi.dcm", "ExplVR_BigEnd.dcm"))
KEYWORDS = ("PatientName", "PatientID", "StudyInstanceUID", "RequestAttributesSequence", "Rows", "SpecificCharacterSet")
EDITS = st.lists(st.tuples(st.integers(0, 2000), st.binary(max_size=4), st.booleans()), max_size=6)


@contextlib.contextmanager
def soon() -> Iterator[None]:
    """The block ends while somebody still waits for it."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < SECONDS


def edited(data: bytes, edits: list[tuple[int, bytes, bool]]) -> bytes:
    """Bytes written over, or put between, the others."""
    for at, piece, over in edits:
        at %= len(data) + 1
        data = data[:at] + piece + data[at + (len(piece) if over else 0) :]
    return data


def read_all(attributes: Mapping[str, str]) -> None:
    """Everything an archive asks of a head is text."""
    assert all(isinstance(attributes.get(keyword, ""), str) for keyword in (*KEYWORDS, *attributes))


# ---------------------------------------------------------------------- PDUs and commands


PDVS = st.builds(
    lambda context, control, data, wrong: (
        struct.pack(">IBB", (len(data) + 2 + wrong) % (1 << 32), context, control) + data
    ),
    st.sampled_from((0, 1, 2, 3, 129, 255)), st.sampled_from((0, 1, 2, 3, 7, 255)), st.binary(max_size=40),
    st.sampled_from((0, 0, 0, 0, 1, -1, -2, 0xFFFF, -1 - (1 << 31))),
)  # fmt: skip
PDUS = st.builds(
    lambda kind, body, wrong: struct.pack(">BBI", kind, 0, (len(body) + wrong) % (1 << 32)) + body,
    st.sampled_from((0, 1, 2, 3, 4, 4, 4, 4, 4, 5, 6, 7, 8, 255)),
    st.lists(PDVS, max_size=3).map(b"".join) | st.binary(max_size=20), st.sampled_from((0, 0, 0, 0, 1, -1, 0xFFFFFFF0)),
)  # fmt: skip


@pytest.mark.interop
@patient
@given(st.lists(PDUS | st.binary(max_size=30), max_size=6).map(b"".join))
def test_a_stream_of_pdus_is_messages_and_then_a_reason(data: bytes) -> None:
    with fed(data) as association, contextlib.suppress(Violation, Unreachable):
        while (message := association.receive_command()) is not None:
            assert isinstance(association.collect(message), bytes)


@patient
@given(st.dictionaries(st.integers(1, 0xFFFF), st.integers(0, 0xFFFF) | st.binary(max_size=70), max_size=12))
def test_what_is_packed_is_unpacked(elements: dict[int, int | bytes]) -> None:
    elements[cmd.FIELD] = cmd.C_ECHO_RQ
    read = cmd.unpack(cmd.pack(*sorted(elements.items())))
    for element, value in elements.items():
        if isinstance(value, int):
            assert read[element] == value or element in cmd._TEXT
        else:
            got = read[element]
            same = got.to_bytes(2, "little") if isinstance(got, int) else got
            assert same[: len(value)] == value
            assert len(same) - len(value) == len(value) % 2


@patient
@given(st.binary(max_size=400))
def test_any_bytes_as_an_association_pdu(data: bytes) -> None:
    body = memoryview(data)
    with contextlib.suppress(Violation, UsageError):
        neg.titles(body)
        neg.answer(body, EVERY_RIGHT, 16384)
    with contextlib.suppress(Violation):
        neg.accepted(body, (Proposal(VERIFICATION, (IMPLICIT,)),))


@patient
@given(st.sampled_from([*associations._users(), *associations._contexts()]).filter(lambda c: len(c[1]) < 1000), EDITS)
def test_a_changed_association_request(case: tuple[str, bytes], edits: list[tuple[int, bytes, bool]]) -> None:
    body = memoryview(edited(case[1][6:], edits))
    with contextlib.suppress(Violation, UsageError):
        calling, called = neg.titles(body)
        made = neg.answer(body, EVERY_RIGHT, 16384)
        assert calling
        assert called
        assert made is None or len(neg.associate_ac(body, made)) < 1 << 18


@patient
@given(EDITS)
def test_a_changed_answer_to_our_proposal(edits: list[tuple[int, bytes, bool]]) -> None:
    proposals = (Proposal(VERIFICATION, (IMPLICIT, EXPLICIT)), Proposal("1.2.3", (EXPLICIT,), True))
    asked = memoryview(neg.associate_rq("ME", "YOU", proposals, 16384))[6:]
    made = neg.answer(asked, EVERY_RIGHT, 16384)
    assert made is not None
    changed = memoryview(edited(neg.associate_ac(asked, made)[6:], edits))
    with contextlib.suppress(Violation):
        contexts, _ = neg.accepted(changed, proposals)
        assert {context.id for context in contexts} <= {1, 3}
        assert all(c.transfer_syntax in proposals[c.id // 2].transfer_syntaxes for c in contexts)


# ---------------------------------------------------------------------- data sets


def _heads() -> list[tuple[str, bytes]]:
    found = []
    for path in REAL:
        held = read_held(path)
        with MappedDataSet(path) as data:
            found.append((held.transfer_syntax, bytes(data[:2000])))
    return found


HEADS = _heads()


def check_head(data: bytes, syntax: str) -> None:
    """Every way in which a head is read."""
    for complete in (True, False):
        with contextlib.suppress(Truncated):
            read_all(head(data, syntax, complete))
        with contextlib.suppress(Truncated, Unusual):
            assert isinstance(scan(data, syntax != IMPLICIT, complete=complete), dict)
    read_all(Attributes(data, syntax))
    quick = scan_plain(data, syntax != IMPLICIT)
    assert quick is None or all(isinstance(tag, int) for tag in quick)


@patient
@given(st.sampled_from(HEADS), EDITS, st.integers(0, 2000))
def test_a_changed_head(real: tuple[str, bytes], edits: list[tuple[int, bytes, bool]], size: int) -> None:
    syntax, data = real
    check_head(edited(data[:size], edits), syntax)


@patient
@given(st.binary(max_size=300), st.sampled_from(SYNTAXES))
def test_any_bytes_as_a_head(data: bytes, syntax: str) -> None:
    check_head(data, syntax)


CRAFTED = [
    *((f"{syntax} {name}", data, syntax) for name, data in datasets._heads(Made(1, 1, 64)) for syntax in SYNTAXES[:3]),
    *((name, data, DEFLATED) for name, data in datasets._bombs(Made(1, 1, 64).data())),
]


@pytest.mark.parametrize(("data", "syntax"), [c[1:] for c in CRAFTED], ids=[c[0] for c in CRAFTED])
def test_a_head_made_to_cost(data: bytes, syntax: str) -> None:
    with soon():
        read_all(head(data[:HEAD_CAP], syntax, True))


# ---------------------------------------------------------------------- identifiers


@patient
@given(st.binary(max_size=300), st.sampled_from(SYNTAXES[:3]))
def test_any_bytes_as_an_identifier(data: bytes, syntax: str) -> None:
    with contextlib.suppress(ValueError):
        decode_request(data, syntax)


@patient
@given(st.sampled_from([*identifiers._values(), *identifiers._forms()]).filter(lambda c: len(c[1]) < 2000), EDITS)
def test_a_changed_identifier(case: tuple[str, bytes], edits: list[tuple[int, bytes, bool]]) -> None:
    for syntax in SYNTAXES[:3]:
        with contextlib.suppress(ValueError):
            level, keys = decode_request(edited(case[1], edits), syntax)
            assert level
            assert all(isinstance(key.text, str) for key in keys)


def test_identifiers_made_to_cost() -> None:
    for _name, data in (*identifiers._forms(), *identifiers._sizes(), *identifiers._values(), *identifiers._implicit()):
        for syntax in SYNTAXES[:3]:
            with soon(), contextlib.suppress(ValueError):
                decode_request(data, syntax)


@pytest.mark.parametrize("read", [
    lambda data: decode_request(data, IMPLICIT), lambda data: head(data, BIG_ENDIAN, True).get("PatientID"),
])  # fmt: skip
def test_nothing_is_said_about_each_element(
    read: Callable[[bytes], object], caplog: pytest.LogCaptureFixture
) -> None:  # fmt: skip
    """A warning for each would fill the log, and memory: Python keeps the text of every one."""
    many = b"".join(identifiers.implicit(0x00121000 + number, b"") for number in range(500))
    with warnings.catch_warnings(record=True) as said, caplog.at_level(logging.INFO):
        warnings.simplefilter("always")
        bounds.silence()
        with contextlib.suppress(ValueError):
            read(identifiers.implicit(0x00080052, b"STUDY ") + many)
    assert not said
    assert not caplog.records
