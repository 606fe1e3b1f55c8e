"""Matching of person names (PS3.4 C.2.2.2.1, PS3.5 6.2.1), to the letter and by sound."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacs_tui.archive import names
from pacs_tui.archive.archive import Archive
from pacs_tui.errors import Refused
from pacs_tui.model.level import Level
from pacs_tui.settings import ArchiveSettings
from tests.archive.conftest import ask
from tests.archive.test_matching import found, store

JAPANESE = "Yamada^Tarou=山田^太郎=やまだ^たろう"
GREEK = "Διονυσιος^Παπάς"


@pytest.mark.parametrize(
    ("key", "places"),
    [
        ("", "1234"), ("*", "1234"), ("**", "1234"), ("*^*", "1234"), ("==", "1234"), ("^^", "1234"),
        ("MEIER^ANNA", "1"), ("meier^anna", "1"), ("Meier^Anna^^^", "1"), ("MEIER", ""), ("MEIER*", "12"),
        ("*er*", "12"), ("M?IER^A*", "1"), ("MEIER^ANNA\\MEIER^B*", "12"), ("MEIER^ANNA\\", "1"),
        ("MEIER^ANNA\\*", "1234"), (" MEIER^ANNA ", "1"),
        ("yamada*", "3"), ("山田*", "3"), ("やまだ^たろう", "3"), ("*=山田*", "3"), ("=山田^太郎", "3"),
        ("YAMADA^TAROU=山田^太郎", "3"), ("yamada*=田*", ""), ("==やまだ*", "3"), ("山?^太郎", "3"),
        ("ΔΙΟΝΥΣΙΟΣ*", "4"), ("διονυσιος^*", "4"), ("*ΠΑΠΆΣ", "4"),
    ],
)  # fmt: skip
def test_names_in_any_case_and_every_group(archive: Archive, key: str, places: str) -> None:
    store(archive, *({"PatientName": n} for n in ("MEIER^ANNA", "Meier^Bert^^^", JAPANESE, GREEK)))
    assert found(archive, PatientName=key) == places


def test_names_come_back_as_they_were_written(archive: Archive) -> None:
    store(archive, {"PatientName": JAPANESE, "ReferringPhysicianName": GREEK})
    [row] = ask(archive, Level.STUDY, PatientName="山田*", ReferringPhysicianName="*ΠΑΠΆΣ")
    assert (row["PatientName"], row["ReferringPhysicianName"]) == (JAPANESE, GREEK)


def test_half_width_katakana_is_the_same_name(archive: Archive) -> None:
    store(archive, {"PatientName": "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎"})
    assert found(archive, PatientName="ヤマダ*") == "1"


@pytest.mark.parametrize(
    ("key", "places"), [("PAUL*", "1"), ("meier^anna", "1"), ("*ANNA", "12"), ("MEIER^*B", ""), ('""', "3")]
)
def test_one_of_several_names(archive: Archive, key: str, places: str) -> None:
    store(archive, *({"OperatorsName": n} for n in ("Paul^Otto=保羅\\Meier^Anna", "Beck^Anna", "")))
    rows = ask(archive, Level.SERIES, relational=True, OperatorsName=key, StudyInstanceUID="")
    assert "".join(sorted(r["StudyInstanceUID"].removeprefix("1.2.") for r in rows)) == places


@pytest.mark.parametrize(
    ("key", "places"),
    [
        ("MULLER^JORG", "123"), ("MÜLLER", "123"), ("MUELLER", "123"), ("JOERG MUELLER", "123"), ("Jörg", "123"),
        ("Miller", "123"), ("MÜL*", "123"), ("J*", "1234"), ("*GIT*", ""), ("SMYTH", "4"), ("SMITH^J", "4"),
        ("SCHMIDT JON", "4"), ("JON^SMITHSON", ""), ("ONEILL", "5"), ("O'NEIL", "5"), ("山田*", "6"), ("tarou", "6"),
        ("DVORAK", "7"), ("x", ""), ("*", "1234567"), ("S?ITH", "4"), ("^^", "1234567"), ("MULLER=山田", ""),
        ("tarou=山田*", "6"),
    ],
)  # fmt: skip
def test_names_by_words_and_sounds(make: Callable[..., Archive], key: str, places: str) -> None:
    archive = make(options=ArchiveSettings(fuzzy="always"))
    people = ("MÜLLER^JÖRG", "Mueller^Joerg", "MULLER^JORG^^DR", "Smith^John", "O’Neill^Mary", JAPANESE, "Dvořák^A")
    store(archive, *({"PatientName": name} for name in people))
    assert found(archive, PatientName=key) == places


def test_names_are_not_fuzzy_unless_that_was_agreed(archive: Archive) -> None:
    store(archive, {"PatientName": "MÜLLER^JÖRG"})
    assert found(archive, PatientName="MULLER*") == ""


def test_more_words_than_a_name_has_are_refused(make: Callable[..., Archive]) -> None:
    with pytest.raises(Refused, match="PatientName has over 10 words"):
        found(make(options=ArchiveSettings(fuzzy="always")), PatientName=" ".join("abcdefghijkl"))


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("robert", "R163"), ("rupert", "R163"), ("rubin", "R150"), ("ashcraft", "A261"), ("tymczak", "T522"),
        ("pfister", "P236"), ("honeyman", "H555"), ("a", "A000"), ("山田", ""), ("", ""),
    ],
)  # fmt: skip
def test_sounds_are_those_of_american_soundex(word: str, code: str) -> None:
    assert names.sound(word) == code


@settings(deadline=None)
@given(st.text(max_size=30))
def test_any_text_has_words(text: str) -> None:
    kept = names.words([text])
    assert kept == "" or (kept.startswith(" ") and kept.endswith(" "))
    assert names.words([text]) == names.words([text.upper().lower()]) or not text.isascii()
