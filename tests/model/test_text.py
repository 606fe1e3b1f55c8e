"""Text from a peer cannot drive the terminal, and fits the cells it is given."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_tui.model import text

anything = st.text(st.characters())  # lone surrogates included


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("MEIER^ANNA", "MEIER^ANNA"),
        ("Müller 山田 é", "Müller 山田 é"),
        ("e\u0301", "e\u0301"),
        ("a\x1b[2Jb", "a␛[2Jb"),
        ("a\r\nb\t", "a␍␊b␉"),
        ("\x00\x7f", "␀␡"),
        ("\x9b31m", "�31m"),
        ("\u202eabc\u2066", "�abc�"),
        ("a\u200b\u2060\ufeffb", "a���b"),
        ("\udc80\ud83d", "��"),
        ("\u2028\u2029", "��"),
        ("\u3164\u115f\u034f", "���"),
        ("x\ufe0f\U000e0101\U000e0041", "x���"),
        ("\ue000\uffff", "��"),
    ],
)
def test_what_is_not_text_is_shown_as_a_stand_in(raw: str, shown: str) -> None:
    assert text.printable(raw) == shown


@given(anything)
def test_printable_text_is_harmless(raw: str) -> None:
    shown = text.printable(raw)
    assert len(shown) == len(raw)
    assert text.printable(shown) == shown
    shown.encode()
    assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"}


@given(anything.map(text.printable), st.integers(0, 40), st.sampled_from(["left", "right"]))
def test_padded_text_takes_exactly_its_cells(shown: str, cells: int, align: str) -> None:
    assert text.width(text.cut(shown, cells)) <= cells
    assert text.width(text.pad(shown, cells, align)) == cells


@pytest.mark.parametrize(
    ("raw", "cells", "shown"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdef", 5, "abcd…"),
        ("山田太郎", 8, "山田太郎"),
        ("山田太郎", 7, "山田太…"),
        ("山田太郎", 6, "山田…"),
        ("e\u0301e\u0301e\u0301", 2, "e\u0301…"),
        ("ab", 1, "…"),
        ("ab", 0, ""),
    ],
)
def test_cut_counts_cells(raw: str, cells: int, shown: str) -> None:
    assert text.cut(raw, cells) == shown


def test_padding() -> None:
    assert text.pad("山", 4) == "山  "
    assert text.pad("7", 3, "right") == "  7"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("20261120", "2026-11-20"),
        ("2026.11.20", "2026-11-20"),
        ("", ""),
        ("soon\x1b", "soon␛"),
        (" 20261120 ", "2026-11-20"),
    ],
)
def test_dates(raw: str, shown: str) -> None:
    assert text.date(raw) == shown


@pytest.mark.parametrize(
    ("raw", "shown"), [("101112.00", "10:11"), ("1011", "10:11"), ("10:11:12", "10:11"), ("10", "10"), ("x\n", "x")]
)
def test_times(raw: str, shown: str) -> None:
    assert text.time(raw) == shown


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("MEIER^ANNA", "MEIER^ANNA"),
        ("MEIER^ANNA^^^", "MEIER^ANNA"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada^Tarou (山田^太郎)"),
        ("=山田^太郎", "山田^太郎"),
        ("==やまだ", "やまだ"),
        ("^", ""),
        ("a\x1b=b=c=d", "a␛ (b)"),
    ],
)
def test_person_names(raw: str, shown: str) -> None:
    assert text.person_name(raw) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-1, "0.0 s"),
        (0.42, "0.4 s"),
        (42.4, "42 s"),
        (59.7, "1 min"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (7200, "2 h"),
        (273_600, "3 d 4 h"),
    ],
)
def test_durations(seconds: float, shown: str) -> None:
    assert text.duration(seconds) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (512, "512 B"), (999, "999 B"), (1000, "1.0 kB"), (12_500_000, "12.5 MB"), (999_999, "1.0 MB"),
     (250_000_000, "250 MB"), (5 * 10**15, "5000 TB")],
)  # fmt: skip
def test_sizes(count: int, shown: str) -> None:
    assert text.size(count) == shown


def test_rates() -> None:
    assert text.rate(58.2) == "58/s"
    assert text.rate(9.96) == "10/s"
    assert text.rate(0.4) == "0.4/s"
