"""The tree of results: grouping, folding, filter, order, marks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pacs_tui.model.level import Level
from pacs_tui.model.match import Match
from pacs_tui.tui.tree import ResultTree
from tests.fakes import HOSPITAL, FakeStudy


def match(study: FakeStudy) -> Match:
    return Match(Level.STUDY, "IMAGECTN", study.row())


@pytest.fixture
def tree() -> ResultTree:
    tree = ResultTree()
    for study in HOSPITAL:
        tree.add([match(study)])
    return tree


def shown(tree: ResultTree) -> list[str]:
    return [row.match.uid for row in tree.visible]


def test_studies_are_grouped_under_their_patients_as_they_come(tree: ResultTree) -> None:
    assert shown(tree) == [
        "4711", "1.2.3.1", "1.2.3.3", "0815", "1.2.3.2", "9001", "1.2.3.4", "3141", "1.2.3.5"
    ]  # fmt: skip
    assert tree.studies == 5
    assert tree.patients[0].match.get("NumberOfPatientRelatedStudies") == "2"


def test_streaming_shows_the_same_as_one_batch(tree: ResultTree) -> None:
    whole = ResultTree()
    whole.add(match(study) for study in HOSPITAL)
    assert shown(whole) == shown(tree)


def test_the_same_name_with_another_id_is_another_patient() -> None:
    tree = ResultTree()
    tree.add([match(HOSPITAL[0]), match(replace(HOSPITAL[0], uid="9.9", patient_id="4712"))])
    assert [row.match.uid for row in tree.patients] == ["4711", "4712"]


def test_a_study_that_is_answered_twice_is_shown_once(tree: ResultTree) -> None:
    tree.add([match(HOSPITAL[0])])
    assert tree.studies == 5
    assert shown(tree).count("1.2.3.1") == 1


def test_children_are_in_the_order_of_their_numbers(tree: ResultTree) -> None:
    study = tree.visible[1]
    tree.set_expanded(study, True)
    rows = [Match(Level.SERIES, "IMAGECTN", row) for row in HOSPITAL[3].series_rows()]
    tree.add_children(study, [rows[2], rows[0]])
    tree.add_children(study, [rows[3], rows[1]])
    assert [row.match.get("SeriesNumber") for row in study.children] == ["1", "2", "3", "4"]
    assert shown(tree)[2:6] == [row.match.uid for row in study.children]


def test_folding_hides_and_unfolding_shows_again(tree: ResultTree) -> None:
    before = shown(tree)
    tree.fold_all(True)
    assert shown(tree) == ["4711", "0815", "9001", "3141"]
    tree.fold_all(False)
    assert shown(tree) == before


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("rossi", ["9001", "1.2.3.4"]),
        ("KNEE", ["0815", "1.2.3.2"]),
        ("anna cr", ["4711", "1.2.3.3"]),
        ("1.2.3.5", ["3141", "1.2.3.5"]),
        ("nobody", []),
    ],
)
def test_the_filter_keeps_rows_that_hold_all_words_and_what_leads_to_them(
    tree: ResultTree, words: str, kept: list[str]
) -> None:
    tree.filter = words
    tree.arrange()
    assert shown(tree) == kept


def test_rows_that_stream_in_pass_the_filter_too(tree: ResultTree) -> None:
    tree.filter = "novak"
    tree.arrange()
    tree.add([match(replace(HOSPITAL[0], uid="7.7", name="NOVAK^JAN", patient_id="77"))])
    assert shown(tree) == ["77", "7.7"]


@pytest.mark.parametrize(
    ("order", "patients"),
    [
        ("name", ["4711", "0815", "9001", "3141"]),
        ("newest first", ["3141", "4711", "9001", "0815"]),
        ("oldest first", ["4711", "0815", "9001", "3141"]),
    ],
)
def test_orders(tree: ResultTree, order: str, patients: list[str]) -> None:
    tree.order = order
    tree.arrange()
    assert [row.match.uid for row in tree.visible if row.level is Level.PATIENT] == patients


def test_all_marks_every_study_shown_and_again_none(tree: ResultTree) -> None:
    tree.filter = "meier"
    tree.arrange()
    tree.set_expanded(tree.visible[0], False)
    tree.mark_all()
    assert sorted(row.match.uid for row in tree.marks.values()) == ["1.2.3.1", "1.2.3.2", "1.2.3.3"]
    tree.mark_all()
    assert not tree.marks


def test_without_marks_an_action_is_about_the_row_under_the_cursor(tree: ResultTree) -> None:
    row = tree.visible[1]
    assert tree.chosen(row) == [row]
    tree.toggle_mark(tree.visible[2])
    assert tree.chosen(row) == [tree.visible[2]]
    assert ResultTree().chosen(None) == []
