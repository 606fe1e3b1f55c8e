"""The demo hospital as it is planned: large enough, spread over the years, the same every time."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest

from pacs_tui.demo.corpus import arrange, plan
from pacs_tui.demo.corpus_studies import studies
from pacs_tui.demo.corpus_visits import AE_TITLES
from pacs_tui.errors import StorageError
from tests.demo.conftest import TODAY


def test_the_plan_is_large_enough_and_touches_every_node() -> None:
    blueprint = plan(TODAY)
    assert blueprint.patients >= 40
    assert blueprint.studies >= 70
    assert blueprint.instances >= 900
    assert set(blueprint.held) == set(AE_TITLES)
    assert min(blueprint.held.values()) > 0
    assert max(blueprint.held, key=lambda ae_title: blueprint.held[ae_title]) == "IMAGECTN"


def test_some_patients_have_many_studies() -> None:
    assert max(Counter(study.person.patient_id for study in studies(TODAY)).values()) >= 6


def test_another_day_makes_other_uids() -> None:
    one = {study.uid for study in studies(TODAY)}
    other = {study.uid for study in studies(TODAY + timedelta(days=1))}
    assert studies(TODAY) == studies(TODAY)
    assert not one & other


@pytest.mark.parametrize("today", [date(2024, 2, 29), date(2030, 1, 1)])
def test_any_day_can_be_today(today: date) -> None:
    moments = [study.moment.date() for study in studies(today)]
    assert max(moments) == today


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(StorageError, match="file"):
        next(arrange(blocked / "folder", TODAY))


def test_planning_loads_no_dicom_library() -> None:
    program = (
        "import sys, datetime; from pacs_tui.demo.corpus import plan; plan(datetime.date(2026, 11, 20));"
        "sys.exit('pydicom' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
