"""stdout is data, stderr is talk, and neither carries what a peer would do to the terminal."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest

from pacs_tui.cli.output import Output, bar
from pacs_tui.errors import Exit, NotFound, Refused, Unreachable
from pacs_tui.model.level import Level
from pacs_tui.model.match import Match


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Closed(io.StringIO):
    def write(self, _text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


def made(*, as_json: bool = False, terminal: bool = False) -> tuple[Output, io.StringIO, io.StringIO]:
    stdout, stderr = io.StringIO(), Terminal() if terminal else io.StringIO()
    return Output(as_json, stdout, stderr), stdout, stderr


def study(name: str, **values: str) -> Match:
    return Match(
        Level.STUDY, "CTN", {"PatientName": name, "StudyDate": "20261120", "StudyInstanceUID": "1.2", **values}
    )


def test_a_table_for_people_has_headings_and_fixed_places() -> None:
    output, stdout, stderr = made()
    assert output.rows(Level.STUDY, [study("MEIER^ANNA"), study("山田^太郎")]) == 2
    heading, first, second = stdout.getvalue().splitlines()
    assert heading.startswith("PATIENT")
    assert first.index("2026-11-20") == heading.index("DATE")
    assert second.startswith("山田^太郎" + " " * 19)
    assert first.endswith("  1.2")
    assert stderr.getvalue() == ""


def test_nothing_found_prints_nothing() -> None:
    output, stdout, _ = made()
    assert output.rows(Level.STUDY, []) == 0
    assert stdout.getvalue() == ""


def test_rows_are_shown_when_they_arrive() -> None:
    output, stdout, _ = made(as_json=True)

    def slow() -> Iterator[Match]:
        yield study("A")
        assert len(stdout.getvalue().splitlines()) == 1
        yield study("B")

    assert output.rows(Level.STUDY, slow()) == 2


def test_json_is_one_object_a_line_in_ascii() -> None:
    output, stdout, _ = made(as_json=True)
    output.rows(Level.STUDY, [study("山田\x1b]0;x\x07\u202e\udc80", ModalitiesInStudy="CT\\SR")])
    (line,) = stdout.getvalue().splitlines()
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line) == {
        "node": "CTN",
        "level": "study",
        "PatientName": "山田\x1b]0;x\x07\u202e\udc80",
        "StudyDate": "20261120",
        "StudyInstanceUID": "1.2",
        "ModalitiesInStudy": "CT\\SR",
    }


def test_records_for_people() -> None:
    output, stdout, _ = made()
    output.heading("H")
    output.record({"a": 1}, "one\x1b")
    output.record({"a": 1, "b": "\x9b"})
    assert stdout.getvalue() == "H\none␛\na: 1\nb: �\n"
    output, stdout, _ = made(as_json=True)
    output.heading("H")
    output.record({"a": 1}, "one")
    assert stdout.getvalue() == '{"a": 1}\n'


def test_hostile_text_is_shown_not_obeyed() -> None:
    output, stdout, stderr = made()
    output.rows(Level.STUDY, [study("\x1b[2J\u202eMEIER\n\r", StudyDescription="\x9b31m")])
    output.say("\x1b[2J")
    output.fail(Refused("It says: \x1b[2J\nroot:", "status:C-FIND:C000", comment="\x1b]0;title\x07"))
    for stream in (stdout, stderr):
        assert all(line.isprintable() for line in stream.getvalue().split("\n"))


def test_a_failure_is_a_sentence_and_an_exit_code() -> None:
    output, stdout, stderr = made()
    assert output.fail(NotFound("There is no node 'X'.")) is Exit.NOT_FOUND
    assert (stdout.getvalue(), stderr.getvalue()) == ("", "There is no node 'X'.\n")


def test_a_peer_s_failure_is_explained() -> None:
    output, stdout, stderr = made()
    error = Unreachable("MED1 (h:104) refuses the connection.", "tcp:refused", node="MED1", host="h", port=104)
    assert output.fail(error) is Exit.UNREACHABLE
    lines = stderr.getvalue().splitlines()
    assert lines[0] == "MED1 (h:104) refuses the connection."
    assert [line.partition(":")[0] for line in lines[1:]] == ["Happened", "Likely cause", "Next step", "Ask them"]
    assert stdout.getvalue() == ""


def test_a_failure_in_json_is_an_object_too() -> None:
    output, stdout, stderr = made(as_json=True)
    assert output.fail(Refused("No.", "rj:1:1:7", called="CTN")) is Exit.REFUSED
    data = json.loads(stdout.getvalue())
    assert (data["error"], data["code"], data["exit"]) == ("No.", "rj:1:1:7", 4)
    assert data["facts"] == {"called": "CTN"}
    assert set(data["explanation"]) == {"happened", "cause", "next_step", "ask"}
    assert stderr.getvalue().startswith("No.\nHappened:")
    output, stdout, _ = made(as_json=True)
    output.fail(NotFound("None."))
    assert json.loads(stdout.getvalue()) == {"error": "None.", "exit": 8}


def test_progress_is_drawn_on_a_terminal_only() -> None:
    output, _, stderr = made()
    output.progress(5, 10, "MEIER")
    assert stderr.getvalue() == ""
    output, stdout, stderr = made(terminal=True)
    output.progress(5, 10, "MEIER\x1b")
    output.progress(6, 10, "too soon")
    output.progress(10, 10, "last")
    assert "too soon" not in stderr.getvalue()
    assert "▇▁" in stderr.getvalue()
    assert "5/10  MEIER␛" in stderr.getvalue()
    output.record({}, "done")
    assert stderr.getvalue().endswith("10/10  last\r\x1b[K")
    assert stdout.getvalue() == "done\n"
    before = stderr.getvalue()
    output.progress_done()
    assert stderr.getvalue() == before


@pytest.mark.parametrize(
    ("done", "total", "filled"), [(0, 10, 0), (10, 10, 24), (5, 10, 12), (20, 10, 24), (5, None, 0)]
)
def test_a_bar_is_always_as_wide(done: int, total: int | None, filled: int) -> None:
    assert bar(done, total) == "▇" * filled + "▁" * (24 - filled)


def test_a_reader_that_has_gone_is_noticed_and_talk_is_not_worth_dying_for() -> None:
    output = Output(False, Closed(), Closed())
    with pytest.raises(BrokenPipeError):
        output.record({}, "x")
    output.say("x")
    assert output.fail(NotFound("x")) is Exit.NOT_FOUND
    assert Output(True, Closed(), Closed()).fail(NotFound("x")) is Exit.NOT_FOUND


def test_an_old_locale_is_no_reason_to_stop() -> None:
    raw = io.BytesIO()
    stdout = io.TextIOWrapper(raw, encoding="ascii")
    Output(False, stdout, io.StringIO()).record({}, "MÜLLER")
    assert raw.getvalue() == b"M?LLER\n"
