"""Previews from a real archive: by C-GET, and by C-MOVE to the console's own listener."""

from __future__ import annotations

import threading

import pydicom
import pytest
from msgspec.structs import replace

from pacs_tui.errors import NetworkError
from pacs_tui.model.level import Level
from pacs_tui.model.node import Node
from pacs_tui.model.picture import Canvas
from pacs_tui.model.transfer import Held, Target
from pacs_tui.settings import load
from pacs_tui.station import Station
from tests.dimse.test_dataset import bundled
from tests.interop.conftest import Served
from tests.interop.foreign import free_port

pytestmark = pytest.mark.interop
CANVAS = Canvas(40, 16, 10, 20, "quadrant", "truecolor", "cells")


def series_of(name: str) -> Target:
    whole = pydicom.dcmread(bundled(name), stop_before_pixels=True)
    return Target(Level.SERIES, "", str(whole.StudyInstanceUID), str(whole.SeriesInstanceUID))


@pytest.mark.parametrize("how", ["get", "move", "auto"])
def test_a_picture_comes_whichever_way_the_node_is_asked(served: Served, instances: list[Held], how: str) -> None:
    assert all(sent.status == 0 for sent in served.peer().send(instances))
    port = free_port()
    served.book.save_node(replace(served.book.node("IMAGECTN"), retrieve=how))
    served.book.save_node(Node("CONSOLE", "PACSTUI", "127.0.0.1", port))
    station = Station(replace(load(served.environ), receiver_port=port))
    try:
        for name in ("CT_small.dcm", "JPEG2000.dcm", "MR_small_RLE.dcm"):
            picture = station.viewer.picture("IMAGECTN", series_of(name), CANVAS, threading.Event())
            shades = {picture.foreground[i : i + 3] for i in range(0, len(picture.foreground), 3)}
            assert (picture.columns, picture.rows) == (40, 16)
            assert len(shades) > 8, name
    finally:
        station.close()


def test_a_node_that_does_not_know_the_console_says_what_to_add(served: Served, instances: list[Held]) -> None:
    assert all(sent.status == 0 for sent in served.peer().send(instances[:1]))
    served.book.save_node(replace(served.book.node("IMAGECTN"), retrieve="move"))
    station = Station(load(served.environ))
    try:
        with pytest.raises(NetworkError) as caught:
            station.viewer.picture("IMAGECTN", series_of("CT_small.dcm"), CANVAS, threading.Event())
        assert caught.value.code == "status:C-MOVE:A801"
        assert caught.value.facts["destination"] == "PACSTUI"
    finally:
        station.close()
