"""C-GET as we serve it, transcoding, and counts beyond 16 bits."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pydicom
import pytest
from msgspec.structs import replace

from pacs_tui.dimse import command as cmd
from pacs_tui.dimse import contexts as ctx
from pacs_tui.dimse.association import Message
from pacs_tui.dimse.storing import Transcode
from pacs_tui.errors import PictureError
from pacs_tui.model.transfer import Held
from tests.dimse.retrieving import (
    DEADLINE,
    Destination,
    Shelf,
    copies,
    counts,
    getting,
    moving,
    serving,
    uids,
)
from tests.dimse.test_dataset import bundled

pytestmark = pytest.mark.interop


@pytest.fixture
def instances(tmp_path: Path) -> list[Held]:
    """Forty small instances."""
    return copies(tmp_path / "shelf", 40)


# ---------------------------------------------------------------------- C-GET


def test_get_sends_everything_and_tells(instances: list[Held]) -> None:
    with serving(Shelf(instances)) as node, getting(node, instances) as asking:
        asking.ask()
        assert counts(asking.final()) == (0, 40, 0, 0)
        assert asking.stored == 40
        instances[4].path.unlink()
        asking.ask()
        final = asking.final()
        assert (counts(final), asking.failed(final)) == ((0xB000, 39, 1, 0), [instances[4].sop_instance])


def test_get_is_cancelled_before_an_answer(instances: list[Held]) -> None:
    with serving(Shelf(instances)) as node, getting(node, instances) as asking:

        def third(message: Message) -> None:
            if asking.stored == 2:
                asking.cancel()

        asking.ask()
        final = deque(asking.responses(third), 1)[0]
        assert counts(final) == (0xFE00, 3, 0, 0)
        assert final.command.number(cmd.REMAINING) == 37
        asking.ask()
        assert counts(asking.final()) == (0, 40, 0, 0)


def slowly(go: threading.Event, made: list[str]) -> Transcode:
    @contextmanager
    def transcode(held: Held, syntaxes: Sequence[str]) -> Iterator[Held]:
        if held.sop_instance.endswith(".2"):
            raise PictureError("This one cannot be.")
        made.append(held.sop_instance)
        assert go.wait(DEADLINE)
        yield replace(held, transfer_syntax=syntaxes[0], path=held.path.with_suffix(".other"))
        made.remove(held.sop_instance)

    return transcode


@pytest.fixture
def big_endian(tmp_path: Path) -> list[Held]:
    """Instances in a syntax that is not accepted, and each also in one that is."""
    held = copies(tmp_path / "big", 5, "ExplVR_BigEnd.dcm")
    for one in held:
        dataset = pydicom.dcmread(bundled("CT_small.dcm"))
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = one.sop_instance
        dataset.save_as(one.path.with_suffix(".other"))
    return held


def test_get_is_not_silent_while_it_transcodes(big_endian: list[Held]) -> None:
    go: threading.Event = threading.Event()
    made: list[str] = []
    with serving(Shelf(big_endian), 1, slowly(go, made)) as node, getting(node, big_endian) as asking:
        asking.ask()
        responses = asking.responses()
        for _ in range(2):
            pending = next(responses)
            assert (pending.command.number(cmd.STATUS), pending.command.number(cmd.REMAINING)) == (0xFF00, 5)
        go.set()
        final = deque(responses, 1)[0]
        assert (counts(final), asking.failed(final)) == ((0xB000, 4, 1, 0), ["1.2.3.2"])
        assert made == []


def test_get_is_cancelled_while_it_transcodes(big_endian: list[Held]) -> None:
    go: threading.Event = threading.Event()
    made: list[str] = []
    with serving(Shelf(big_endian), 1, slowly(go, made)) as node, getting(node, big_endian) as asking:
        asking.ask()
        asking.cancel()
        final = asking.final()
        assert (counts(final), final.command.number(cmd.REMAINING)) == ((0xFE00, 0, 0, 0), 5)
        go.set()
    assert made == []


def test_move_transcodes_only_what_was_not_accepted(big_endian: list[Held]) -> None:
    go: threading.Event = threading.Event()
    go.set()
    made: list[str] = []
    destination = Destination()
    shelf = Shelf(big_endian)
    with destination.running() as there, serving(shelf, 1, slowly(go, made)) as node, moving(node) as asking:
        shelf.node = there
        asking.ask()
        assert counts(asking.final()) == (0, 5, 0, 0)
    assert len(destination.arrived) == 5


# ---------------------------------------------------------------------- counts beyond 16 bits


@pytest.mark.parametrize("syntax", [ctx.EXPLICIT, ctx.IMPLICIT])
def test_more_than_65535_sub_operations(instances: list[Held], syntax: str) -> None:
    """Counts are clamped, status and Error Comment are right, and as many failed instances are listed as fit."""
    one = instances[0]
    many = [replace(one, sop_instance=f"1.2.840.113619.2.{number}", sop_class="1.2.3.4") for number in range(70_000)]
    with serving(Shelf([one, *many])) as node, getting(node, [one], syntax) as asking:
        asking.ask()
        responses = list(asking.responses())
        final = responses[-1]
        assert counts(final) == (0xB000, 1, 65535, 0)
        assert final.command.text(cmd.COMMENT) == "of 70001: 1 completed, 70000 failed"
        assert all(r.command.number(cmd.REMAINING) <= 65535 for r in responses[:-1])
        failed = asking.failed(final)
        assert failed == uids(many)[: len(failed)]
        assert len(failed) == 70_000 if syntax == ctx.IMPLICIT else len("\\".join(failed)) > 65_500
