"""The made-up patients: every name fits its character set, its groups and its data element."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset
from pydicom.valuerep import PersonName

from pacs_tui.demo.identities import IDENTITIES, Identity


def test_patient_ids_are_given_once() -> None:
    assert len({person.patient_id for person in IDENTITIES}) == len(IDENTITIES) >= 40


def test_the_promised_character_sets_are_there() -> None:
    promised = {
        (),
        ("ISO_IR 100",),
        ("ISO_IR 126",),
        ("ISO_IR 127",),
        ("ISO_IR 144",),
        ("ISO_IR 192",),
        ("GB18030",),
        ("ISO 2022 IR 6", "ISO 2022 IR 87"),
        ("ISO 2022 IR 13", "ISO 2022 IR 87"),
        ("", "ISO 2022 IR 149"),
    }
    assert promised <= {person.charset for person in IDENTITIES}


def test_japanese_and_korean_names_have_three_groups() -> None:
    eastern = [person for person in IDENTITIES if "ISO 2022 IR" in "".join(person.charset)]
    assert len(eastern) >= 8
    assert all(person.name and person.ideographic and person.phonetic for person in eastern)


@pytest.mark.parametrize("person", IDENTITIES, ids=lambda person: person.patient_id)
def test_a_name_survives_its_character_set(person: Identity) -> None:
    assert all(len(group) <= 64 for group in person.person_name.split("="))
    written = Dataset()
    written.PatientName = person.person_name
    encodings = [_python_codec(name) for name in person.charset or ("",)]
    value = written.PatientName.encode(encodings)
    assert str(PersonName(value, encodings)) == person.person_name


def _python_codec(defined_term: str) -> str:
    from pydicom.charset import python_encoding

    return str(python_encoding[defined_term])
