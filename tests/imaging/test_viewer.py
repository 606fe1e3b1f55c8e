"""The viewer fetches, draws, and remembers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from pacs_tui.errors import Cancelled, PictureError
from pacs_tui.imaging.decoder import Decoder
from pacs_tui.imaging.viewer import Viewer
from pacs_tui.model.level import Level
from pacs_tui.model.picture import Canvas
from pacs_tui.model.transfer import Target
from tests.imaging.files import bundled

pytestmark = pytest.mark.interop

CANVAS = Canvas(40, 12, 10, 20, "sextant", "truecolor", "cells")


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    made = Decoder()
    yield made
    made.close()


def _fetch(node: str, target: Target, cancel: threading.Event) -> Path:
    return bundled({"1.1": "CT_small.dcm", "1.2": "rtplan.dcm"}[target.series_uid])


def _series(uid: str) -> Target:
    return Target(Level.SERIES, study_uid="1", series_uid=uid)


def test_pictures_are_drawn_once_for_each_canvas(decoder: Decoder) -> None:
    viewer, cancel = Viewer(_fetch, decoder), threading.Event()
    first = viewer.picture("ct", _series("1.1"), CANVAS, cancel)
    assert viewer.picture("ct", _series("1.1"), CANVAS, cancel) is first
    assert viewer.picture("ct", _series("1.1"), replace(CANVAS, rows=11), cancel).rows == 11


def test_what_has_no_picture_says_so(decoder: Decoder) -> None:
    with pytest.raises(PictureError, match="RT Plan"):
        Viewer(_fetch, decoder).picture("ct", _series("1.2"), CANVAS, threading.Event())


def test_a_cancelled_picture_is_not_drawn(decoder: Decoder) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        Viewer(_fetch, decoder).picture("ct", _series("1.1"), CANVAS, cancel)
