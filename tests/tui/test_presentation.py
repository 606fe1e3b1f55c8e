"""Lines as pure functions: widths, roles, harmless text, targets and command lines."""

from __future__ import annotations

import pytest

from pacs_tui.errors import Unreachable
from pacs_tui.model.job import Job, JobState, PlannedInstance
from pacs_tui.model.level import Level
from pacs_tui.model.match import Match
from pacs_tui.model.transfer import Target
from pacs_tui.tui import targets
from pacs_tui.tui.job_board import JobsNow
from pacs_tui.tui.presentation import jobs, titles
from pacs_tui.tui.presentation.explained import failure, short
from pacs_tui.tui.presentation.line import Line, fit, plain, spread, width, wrapped
from pacs_tui.tui.presentation.nodes import node_line
from pacs_tui.tui.presentation.rows import tree_line, widths
from pacs_tui.tui.roster import NodeState
from pacs_tui.tui.tree import ResultTree, Row
from tests.fakes import HOSPITAL, ORTHO1_DOWN, FakeStation


def tree() -> ResultTree:
    tree = ResultTree()
    tree.add(Match(Level.STUDY, "IMAGECTN", study.row()) for study in HOSPITAL)
    for number in (1, 7):
        study = tree.patients[0].children[0] if number == 1 else tree.patients[2].children[0]
        held = HOSPITAL[0] if number == 1 else HOSPITAL[3]
        tree.add_children(study, [Match(Level.SERIES, "IMAGECTN", row) for row in held.series_rows()])
        series = study.children[-1]
        rows = held.instance_rows(series.match.uid)
        tree.add_children(series, [Match(Level.IMAGE, "IMAGECTN", row) for row in rows])
        tree.set_expanded(study, True)
        tree.set_expanded(series, True)
    return tree


def job(state: JobState, **values: object) -> Job:
    given: dict[str, object] = {"total": 612, "sent": 431, "verified": 0, "created": 0.0, **values}
    return Job(31, state, "IMAGECTN", "ORTHO2", "MEIER^ANNA CT", **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("cells", [36, 44, 58, 60, 94, 118, 200])
def test_no_row_is_wider_than_its_room(cells: int) -> None:
    for row in tree().visible:
        assert width(tree_line(row, True, cells)) <= cells


@pytest.mark.parametrize("cells", [44, 58, 94, 118])
def test_columns_keep_their_place_on_every_row_of_a_level(cells: int) -> None:
    lines = [plain(tree_line(row, False, cells)) for row in tree().visible if row.level is Level.STUDY]
    assert len({line.index("20") for line in lines}) == 1
    assert len({line.rindex("img") for line in lines}) == 1


def test_the_count_of_images_is_the_last_to_go() -> None:
    assert widths(Level.STUDY, 40)[-1] == 9


@pytest.mark.parametrize("state", list(JobState))
@pytest.mark.parametrize("cells", [58, 76, 118])
def test_a_job_fits_and_says_its_state_in_words_or_numbers(state: JobState, cells: int) -> None:
    line = jobs.job_line(job(state, verified=612 if state is JobState.VERIFIED else 3, rate=58.2, reason="why"), cells)
    assert width(line) == cells
    assert ("431/612" if state is JobState.RUNNING else state.value) in plain(line)


def test_only_verified_is_green() -> None:
    for state in JobState:
        roles = {role for _, role in jobs.job_line(job(state, verified=1), 100)}
        assert ("good" in roles) == (state is JobState.VERIFIED)
    summary = titles.summary(JobsNow(counts=dict.fromkeys(JobState, 1)))
    assert [words for words, role in summary if role == "good"] == ["✓ 1 verified"]


def test_a_bar_is_full_only_when_everything_is_done() -> None:
    assert jobs.bar(611, 612, 10) == "▇" * 9 + "▁"
    assert jobs.bar(612, 612, 10) == "▇" * 10
    assert jobs.bar(0, 0, 4) == "▇" * 4


def test_missing_instances_are_named_and_many_are_counted() -> None:
    missing = [PlannedInstance("1", "1.1", f"1.1.{n}") for n in range(60)]
    lines = [plain(line) for line in jobs.missing_lines(missing)]
    assert lines[0] == "Missing at the destination (60)"
    assert "and 10 more" in lines[-1]


def test_text_from_peers_is_harmless_and_literal() -> None:
    evil = Match(
        Level.STUDY, "N", {"PatientName": "[red]X\x1b[2J", "StudyInstanceUID": "1", "StudyDescription": "\u202eevil"}
    )
    found = ResultTree()
    found.add([evil])
    said = "".join(plain(tree_line(row, False, 100)) for row in found.visible)
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert "[red]X␛[2J" in said


@pytest.mark.parametrize("cells", [0, 1, 5, 12, 40])
def test_fit_and_spread_are_exact(cells: int) -> None:
    line: Line = (("abc ", ""), ("山田^太郎", "dim"), (" tail", ""))
    assert width(fit(line, cells)) == cells
    assert width(spread(line, (("right", ""),), cells)) == cells


def test_wrapping_keeps_all_words_within_the_width_and_values_right_of_their_label() -> None:
    line: Line = (("Next step  ", "dim"), ("Ask the administrator of the other side for the port. " + "1." * 40, ""))
    lines = wrapped(line, 40)
    assert all(width(part) <= 40 for part in lines)
    assert plain(lines[1]).startswith(" " * 11)
    assert "".join("".join(map(plain, lines)).split()) == "".join(plain(line).split())
    assert wrapped((), 10) == [()]


def test_the_header_gives_up_the_host_before_anything_else() -> None:
    now = JobsNow(counts={JobState.RUNNING: 1, JobState.VERIFIED: 14, JobState.FAILED: 1})
    wide, narrow = (plain(titles.header("PACSTUI", "ward-7", True, now, cells)) for cells in (120, 70))
    assert "PACSTUI@ward-7" in wide
    assert "worker: 1 running" in wide
    assert "✗ 1 failed" in narrow
    assert "ward-7" not in narrow


def test_a_failure_says_what_to_do() -> None:
    lines = [plain(line) for line in failure(ORTHO1_DOWN)]
    assert lines[0] == "ORTHO1 (10.0.0.7:11114) refused the connection."
    assert {"What happened", "Likely cause", "Next step", "Ask the other side"} <= set(lines)


@pytest.mark.parametrize(
    ("code", "words"),
    [("tcp:refused", "refused"), ("timeout:connect", "timeout"), ("rj:1:1:7", "rejected"), ("abort:0:0", "aborted"),
     ("strange", "failed")],
)  # fmt: skip
def test_short_reasons(code: str, words: str) -> None:
    assert short(Unreachable("no", code)) == words


def test_number_keys_are_shown_where_there_is_room() -> None:
    state = NodeState(FakeStation().book.known[0])
    assert "1 ○" in plain(node_line(state, 1, True, 22))
    assert "1" not in plain(node_line(state, 1, True, 20))


def rows_of(found: ResultTree, level: Level) -> list[Row]:
    return [row for row in found.visible if row.level is level]


def test_targets_of_each_level() -> None:
    found = tree()
    study, series, image = (rows_of(found, level)[0] for level in (Level.STUDY, Level.SERIES, Level.IMAGE))
    assert targets.target(study) == Target(Level.STUDY, "4711", "1.2.3.1")
    assert targets.target(series) == Target(Level.SERIES, "4711", "1.2.3.1", "1.2.3.1.1")
    assert targets.target(image) == Target(Level.IMAGE, "4711", "1.2.3.1", "1.2.3.1.2", ("1.2.3.1.2.1",))


def test_a_patient_stands_for_the_studies_that_are_listed() -> None:
    patient = tree().patients[0]
    assert [t.study_uid for t in targets.targets([patient, patient.children[0]])] == ["1.2.3.1", "1.2.3.3"]


def test_labels_and_command_lines() -> None:
    found = tree()
    study = rows_of(found, Level.STUDY)[0]
    series = study.children[1]
    assert targets.label([study]) == "MEIER^ANNA CT"
    assert targets.label([found.patients[0]]) == "MEIER^ANNA, 2 studies"
    assert targets.label([study, found.patients[1].children[0]]) == "2 patients, 2 studies"
    wanted = targets.targets([study, series])
    assert targets.move_command("IMAGECTN", "ORTHO1", wanted).splitlines() == [
        "pacs-tui move IMAGECTN ORTHO1 --study 1.2.3.1",
        "pacs-tui move IMAGECTN ORTHO1 --study 1.2.3.1 --series 1.2.3.1.2",
    ]
    assert targets.find_command("IMAGECTN", "meier mod:CT") == "pacs-tui find IMAGECTN 'meier mod:CT'"
