"""Arrived is what the destination lists, by UID."""

from __future__ import annotations

from threading import Event

import pytest

from pacs_tui.errors import Cancelled, Unreachable
from pacs_tui.model.level import Level
from pacs_tui.routing.verification import Verification
from tests.routing.fakes import FakePeer, study

QUICK = 0.001


def test_it_compares_uids_and_not_counts(destination: FakePeer) -> None:
    destination.shelves.put("DEST", study(2, 1, 6))
    renamed = [i for i in study(1) if i.sop_instance != "1.2.1.2.3"]
    destination.shelves.put("DEST", [*renamed, *study(1, 3, 9)[18:]])
    verification = Verification(destination, study(1), Event())
    assert verification.ask()
    assert verification.missing == frozenset({"1.2.1.2.3"})
    assert len(verification.news()) == 5
    assert not verification.news()
    assert not verification.ask()


def test_only_incomplete_series_are_asked_again(destination: FakePeer) -> None:
    destination.shelves.put("DEST", study(1)[:4])
    verification = Verification(destination, study(1), Event())
    verification.ask()
    verification.ask()
    asked = [dict(query.keys)["SeriesInstanceUID"] for query in destination.finds]
    assert asked == ["1.2.1.1", "1.2.1.2", "1.2.1.2"]
    assert {query.level for query in destination.finds} == {Level.IMAGE}


def test_a_slow_destination_is_waited_for(destination: FakePeer) -> None:
    destination.shelves.put("DEST", study(1))
    destination.shows = 0
    verification = Verification(destination, study(1), Event())
    rounds = len(list(verification.watch(30.0, enough=6, pause=QUICK)))
    assert verification.complete
    assert rounds > 1


def test_it_gives_up_when_nothing_comes(destination: FakePeer) -> None:
    destination.shelves.put("DEST", study(1)[:2])
    verification = Verification(destination, study(1), Event())
    assert len(list(verification.watch(0.05, enough=6, pause=QUICK))) > 1
    assert verification.seen == 2


def test_it_does_not_wait_for_what_the_source_did_not_send(destination: FakePeer) -> None:
    destination.shelves.put("DEST", study(1)[:2])
    verification = Verification(destination, study(1), Event())
    assert len(list(verification.watch(3600.0, enough=2))) == 1


def test_a_cancel_ends_the_pause(destination: FakePeer) -> None:
    cancel = Event()
    watching = Verification(destination, study(1), cancel).watch(3600.0, enough=6, pause=3600.0)
    next(watching)
    cancel.set()
    with pytest.raises(Cancelled):
        next(watching)


def test_what_was_seen_before_the_line_broke_stays_seen(destination: FakePeer) -> None:
    destination.shelves.put("DEST", study(1))
    verification = Verification(destination, study(1), Event())

    class Breaking(FakePeer):
        def find(self, query, cancel=None):  # type: ignore[no-untyped-def]
            self.silent = bool(self.finds)
            return super().find(query, cancel)

    verification = Verification(Breaking("DEST", destination.shelves), study(1), Event())
    with pytest.raises(Unreachable):
        verification.ask()
    assert len(verification.news()) == verification.seen == 3
