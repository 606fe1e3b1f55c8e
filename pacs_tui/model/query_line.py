"""The one-line query language: `meier date:-7d mod:ct` -> matching keys by keyword.

Words are separated by spaces. A word is `field:value`, or part of the patient's name. Double quotes keep a value as it
is written, spaces included. `*` and `?` match as in PS3.4 C.2.2.2.4.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import date
from difflib import get_close_matches

from msgspec import Struct

from pacs_tui.errors import QueryError
from pacs_tui.model.text import printable
from pacs_tui.model.transfer import is_uid
from pacs_tui.model.typed_dates import DATE_FORMS, TIME_FORMS, date_range, time_range


class Field(Struct, frozen=True):
    """One field of the language, for the parser, the form and the help text."""

    name: str
    keyword: str
    """DICOM keyword of the key that is sent."""
    kind: str
    """How a value is read: name, date, time, uid, modality, sex, inside (text found anywhere), exact."""
    length: int
    """Characters a value may have (PS3.5 6.2)."""
    help: str


FIELDS: tuple[Field, ...] = (
    Field("name", "PatientName", "name", 64, "patient's name, from its beginning; free words mean the same"),
    Field("id", "PatientID", "exact", 64, "patient ID, exactly, unless it has * or ?"),
    Field("acc", "AccessionNumber", "exact", 16, "accession number, exactly, unless it has * or ?"),
    Field("date", "StudyDate", "date", 17, f"study date: {DATE_FORMS}"),
    Field("time", "StudyTime", "time", 13, f"study time: {TIME_FORMS}"),
    Field("mod", "ModalitiesInStudy", "modality", 16, "modality in the study: CT, or several: CT,MR"),
    Field("desc", "StudyDescription", "inside", 64, "text anywhere in the study description"),
    Field("uid", "StudyInstanceUID", "uid", 64, "study UID, or several with commas; a bare UID means the same"),
    Field("study", "StudyID", "exact", 16, "study ID, exactly, unless it has * or ?"),
    Field("series", "SeriesInstanceUID", "uid", 64, "study with this series UID (needs a relational peer)"),
    Field("birth", "PatientBirthDate", "date", 17, "birth date, written as in date:"),
    Field("sex", "PatientSex", "sex", 1, "sex: F, M or O"),
    Field("ref", "ReferringPhysicianName", "name", 64, "referring physician's name, from its beginning"),
)  # fmt: skip

_BY_NAME = {field.name: field for field in FIELDS}
_NAME = _BY_NAME["name"]
_WORD = re.compile(r'(?:(?P<field>[A-Za-z_]+):)?(?:"(?P<quoted>[^"]*)"(?=\s|$)|(?P<plain>\S*))')
_SEXES = {"f": "F", "female": "F", "m": "M", "male": "M", "o": "O", "other": "O"}
_MODALITY = re.compile(r"[A-Z0-9_*?]{1,16}")


class _Word(Struct, frozen=True):
    """One word of the line; `field` is empty for a free word."""

    field: str
    value: str
    quoted: bool


def matching_keys(line: str, today: date) -> dict[str, str]:
    """The keys a line asks to match, in the order they were typed; QueryError names the word that cannot be read."""
    keys: dict[str, str] = {}
    names: list[_Word] = []
    for word in _joined(_words(line)):
        if not word.field and not word.quoted and word.value.count(".") >= 3 and set(word.value) <= set("0123456789."):
            word = _Word("uid", word.value, quoted=False)
        field = _field(word)
        if field is _NAME:
            names.append(word)
            keys.setdefault(_NAME.keyword, "")  # keeps its place
        elif field.keyword in keys:
            raise QueryError(
                f"{field.name}: is given twice; put several values behind one, with commas where it takes them."
            )
        else:
            keys[field.keyword] = _value(field, word, today)
    if names:
        keys[_NAME.keyword] = _patient_name(names)
    return keys


def _words(line: str) -> Iterator[_Word]:
    line = line.replace("\t", " ")
    for character in line:
        if character == "\\":
            raise QueryError("A backslash cannot be sent: it separates values in DICOM. Use a comma in mod: and uid:.")
        if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp"):
            raise QueryError(f"The character {character!a} cannot be sent; the line takes printable text only.")
    position = 0
    while position < len(line):
        if line[position].isspace():
            position += 1
            continue
        found = _WORD.match(line, position)
        assert found is not None  # the pattern matches the empty word
        position = found.end()
        value, quoted = found["plain"], found["quoted"] is not None
        if not quoted and '"' in value:
            raise QueryError(
                f'The quotes in {found[0]!r} do not fit: they enclose a whole value, as in name:"Meier^Anna".'
            )
        yield _Word((found["field"] or "").lower(), found["quoted"] if quoted else value, quoted)


def _joined(words: Iterator[_Word]) -> Iterator[_Word]:
    """The words, with a value that was typed behind a space (`id: 4711`) put to its field."""
    for word in words:
        if word.field and not word.value and not word.quoted:
            value = next(words, None)
            if value is None or value.field:
                raise QueryError(f"{_field(word).name}: has no value; write for example {_example(word.field)}.")
            word = _Word(word.field, value.value, value.quoted)
        yield word


def _field(word: _Word) -> Field:
    if not word.field:
        return _NAME
    if word.field in _BY_NAME:
        return _BY_NAME[word.field]
    near = get_close_matches(word.field, _BY_NAME, 1, 0.5)
    advice = f"did you mean '{near[0]}:'?" if near else f"there are {', '.join(f'{name}:' for name in _BY_NAME)}."
    raise QueryError(f"There is no field '{word.field}:'; {advice}")


def _example(field: str) -> str:
    kinds = {
        "date": "date:-7d",
        "time": "time:08:00-10:00",
        "mod": "mod:CT",
        "sex": "sex:F",
        "birth": "birth:1961-02-03",
    }
    return kinds.get(field, f"{field}:1.2.840.1" if _BY_NAME[field].kind == "uid" else f"{field}:text")


def _value(field: Field, word: _Word, today: date) -> str:
    """The value as it is sent."""
    value = word.value.strip()
    if not value:
        raise QueryError(f"{field.name}: has no value; write for example {_example(field.name)}.")
    if field.kind == "uid":
        return _uids(field, value)
    if field.kind == "name" and not word.quoted:
        value = _name_pattern([value])
    elif field.kind == "inside" and not word.quoted and not _wild(value):
        value = f"*{value}*"
    elif field.kind == "date":
        return date_range(value, today)
    elif field.kind == "time":
        return time_range(value)
    elif field.kind == "modality":
        return _modalities(value)
    elif field.kind == "sex":
        return _sex(value)
    return _fitting(field, value)


def _patient_name(words: list[_Word]) -> str:
    """Free words and name: together, in the order they were typed, or one quoted value exactly."""
    quoted = [word for word in words if word.quoted]
    if quoted and len(words) > 1:
        raise QueryError(
            f'The name "{quoted[0].value}" is quoted, so it is matched exactly; drop the other words or the quotes.'
        )
    for word in words:
        if not word.quoted and ":" in word.value:
            raise QueryError(f"{word.value!r} is no field and no name; put a value with a colon into quotes.")
        if not word.field and word.value.startswith("@"):
            raise QueryError(f"{word.value!r} looks like a node; this query goes to the node that is chosen.")
    value = words[0].value.strip() if quoted else _name_pattern([word.value for word in words])
    if not value:
        raise QueryError("name: has no value; write for example name:meier.")
    return _fitting(_NAME, value)


def _name_pattern(words: list[str]) -> str:
    """`meier, anna` -> `MEIER*ANNA*`: names are stored in capitals nearly everywhere, and matched from their beginning.

    Words with wildcards, and words beyond ASCII (whose capitals a peer may not know), stay as they were typed.
    """
    pattern = ""
    for word in (part for typed in words for part in typed.split(",") if part):
        if pattern and not pattern.endswith("*") and not word.startswith("*"):
            pattern += "*"
        pattern += word if _wild(word) else f"{word.upper() if word.isascii() else word}*"
    return pattern


def _uids(field: Field, value: str) -> str:
    """One UID, or several: a list of UIDs is matched as any of them (PS3.4 C.2.2.2.2)."""
    uids = [uid.strip() for uid in value.split(",")]
    for uid in uids:
        if not is_uid(uid):
            raise QueryError(
                f"{field.name}:{printable(value)} is not a UID: digits and dots without wildcards, "
                f"at most {field.length} characters."
            )
    return "\\".join(uids)


def _modalities(value: str) -> str:
    codes = [code.strip() for code in value.upper().split(",")]
    for code in codes:
        if not _MODALITY.fullmatch(code):
            raise QueryError(f"mod:{value} is not a modality; write for example mod:CT or mod:CT,MR.")
    return "\\".join(codes)


def _sex(value: str) -> str:
    if value.lower() not in _SEXES:
        raise QueryError(f"sex:{value} is not known; write sex:F, sex:M or sex:O.")
    return _SEXES[value.lower()]


def _fitting(field: Field, value: str) -> str:
    # A person name has its length in each of its component groups (PS3.5 6.2); elsewhere "=" is text.
    parts = value.split("=") if field.kind == "name" else [value]
    if max(map(len, parts)) > field.length or len(parts) > 3:
        raise QueryError(
            f"The value of {field.name}: is too long; {field.keyword} holds at most {field.length} characters."
        )
    return value


def _wild(value: str) -> bool:
    return "*" in value or "?" in value
