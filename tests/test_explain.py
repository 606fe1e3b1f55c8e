"""Every failure says what to do, and says it safely."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.status import (
    QR_FIND_SERVICE_CLASS_STATUS,
    QR_GET_SERVICE_CLASS_STATUS,
    QR_MOVE_SERVICE_CLASS_STATUS,
    STORAGE_SERVICE_CLASS_STATUS,
    VERIFICATION_SERVICE_CLASS_STATUS,
)

from pacs_tui.explain import TABLE, Explanation, as_dict, as_lines, explain

FACTS = {
    "node": "IMAGECTN",
    "host": "10.0.0.1",
    "port": "104",
    "called": "CTN",
    "calling": "PACSTUI",
    "destination": "ORTHO1",
    "destination_host": "ortho.example",
    "destination_port": "11112",
}
UNKNOWN = explain("no:such:code", {})

# PS3.8 table 9-21
REJECTIONS = [
    (source, reason) for source, reasons in ((1, (1, 2, 3, 7)), (2, (1, 2)), (3, (1, 2))) for reason in reasons
]
# PS3.8 table 9-26
ABORTS = ["0:0", "2:0", "2:1", "2:2", "2:4", "2:5", "2:6"]
OURS = [
    "tcp:refused",
    "tcp:reset",
    "tcp:unreachable",
    "dns",
    "timeout:connect",
    "timeout:association",
    "timeout:message",
    "closed",
    "protocol",
    "context:C-FIND",
    "verify:none",
    "verify:partial",
    "verify:impossible",
    "worker:lost",
    "disk:full",
    "unexpected",
]
STATUSES = [
    f"status:{service}:{status:04X}"
    for service, table in (
        ("C-ECHO", VERIFICATION_SERVICE_CLASS_STATUS),
        ("C-FIND", QR_FIND_SERVICE_CLASS_STATUS),
        ("C-MOVE", QR_MOVE_SERVICE_CLASS_STATUS),
        ("C-GET", QR_GET_SERVICE_CLASS_STATUS),
        ("C-STORE", STORAGE_SERVICE_CLASS_STATUS),
    )
    for status in table
]


def sound(explanation: Explanation) -> None:
    for value in as_dict(explanation).values():
        assert value.strip()
        assert value[0].isupper() or not value[0].isalpha()
        assert "{{" not in value
        assert "}}" not in value


def specific(code: str) -> None:
    """The code has words of its own, with facts and without."""
    for facts in ({}, FACTS):
        explanation = explain(code, facts)
        sound(explanation)
        assert "is not in the table of known failures" not in explanation.cause
        assert "standard does not define" not in explanation.happened


@pytest.mark.parametrize(("source", "reason"), REJECTIONS)
@pytest.mark.parametrize("result", [1, 2])
def test_every_rejection_of_the_standard(result: int, source: int, reason: int) -> None:
    code = f"rj:{result}:{source}:{reason}"
    specific(code)
    lasting = "for good" if result == 1 else "for now"
    assert lasting in explain(code, FACTS).happened
    assert ("transient" in explain(code, FACTS).next_step) == (result == 2)


@pytest.mark.parametrize("abort", ABORTS)
def test_every_abort_of_the_standard(abort: str) -> None:
    specific(f"abort:{abort}")


@pytest.mark.parametrize("code", OURS)
def test_every_code_of_ours(code: str) -> None:
    specific(code)


def test_every_status_that_pynetdicom_knows() -> None:
    for code in STATUSES:
        specific(code)


def test_any_status_at_all_is_explained() -> None:
    for service in ("C-ECHO", "C-FIND", "C-MOVE", "C-GET", "C-STORE"):
        for status in range(0, 0x10000, 7):
            sound(explain(f"status:{service}:{status:04X}", FACTS))


def test_reserved_codes_say_so() -> None:
    for code in ("rj:1:1:4", "rj:1:3:0", "rj:9:9:9", "abort:1:0", "abort:2:3", "rj", "status:C-FIND:1234"):
        explanation = explain(code, FACTS)
        sound(explanation)
        assert "standard does not define" in explanation.happened


def test_ranges_and_exact_statuses() -> None:
    assert "A701" not in explain("status:C-MOVE:A701", {}).happened
    assert "database" in explain("status:C-FIND:C123", {}).cause
    assert "C123" in explain("status:C-FIND:C123", {}).happened
    assert explain("status:C-FIND:A700", {}) == explain("status:C-FIND:a7ff", {})
    assert explain("status:C-ECHO:0122", {}) == explain("status:C-MOVE:0122", {})
    assert "invalid" in explain("status:C-STORE:0117", {}).happened


def test_an_unknown_move_destination_prints_the_entry_for_the_source() -> None:
    ask = explain("status:C-MOVE:A801", FACTS).ask.split("\n")
    assert "    ortho1 = (ORTHO1, ortho.example, 11112)" in ask
    assert '    "DicomModalities" : { "ortho1" : [ "ORTHO1", "ortho.example", 11112 ] }' in ask
    assert "AE title ORTHO1, host ortho.example, port 11112" in ask[0]
    lines = as_lines(explain("status:C-MOVE:A801", FACTS))
    assert lines[0].startswith("Happened:     IMAGECTN does not know the move destination ORTHO1.")
    assert any(line.startswith("Ask them:     Please enter") for line in lines)


def test_a_service_that_is_not_accepted_is_named() -> None:
    assert "but not C-GET of CT Image." in explain("context:C-GET of CT Image", FACTS).happened


def test_the_comment_of_the_peer_is_quoted() -> None:
    assert explain("status:C-FIND:C001", {"comment": "db down"}).happened.endswith('It says: "db down".')


def test_every_placeholder_has_a_neutral_word() -> None:
    for entry in TABLE.values():
        names = {name for template in entry for _, name, _, _ in string.Formatter().parse(template) if name}
        bare = Explanation(*(template.format_map(_Marked()) for template in entry))
        assert names <= _Marked.seen
        sound(bare)


class _Marked(dict[str, str]):
    seen: set[str] = set()

    def __missing__(self, name: str) -> str:
        self.seen.add(name)
        from pacs_tui.explanations import NEUTRAL

        assert name in NEUTRAL or name in ("Node", "symbol")
        return "X"


@given(st.text(), st.dictionaries(st.sampled_from([*FACTS, "comment", "held", "zzz"]), st.text()))
def test_nothing_raises_and_nothing_hostile_comes_through(code: str, facts: dict[str, str]) -> None:
    for line in as_lines(explain(code, facts)):
        assert line.isprintable()


@given(st.sampled_from(sorted(TABLE)), st.text(st.sampled_from("{}%\x1b\u202e\x9b\n!:a")))
def test_facts_are_data_not_templates(code: str, hostile: str) -> None:
    explanation = explain(code, dict.fromkeys([*FACTS, "comment"], hostile))
    assert not {"\x1b", "\u202e", "\x9b"} & set("".join(as_dict(explanation).values()))
