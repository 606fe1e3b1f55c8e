"""C-FIND answered: what ends an answer early, and that everything before it arrives."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind

from pacs_tui.dimse import command as cmd
from pacs_tui.dimse.association import Association
from pacs_tui.dimse.contexts import EXPLICIT, FIND, Proposal
from pacs_tui.dimse.identifier import encode_keys
from pacs_tui.errors import Refused
from pacs_tui.model.find import FindAnswer
from pacs_tui.model.level import Level, Root
from pacs_tui.model.node import Node
from pacs_tui.settings import Timeouts
from tests.dimse.fakes import PATIENT_ID, FakeServices, serving

pytestmark = pytest.mark.interop


def asked_by_pynetdicom(node: Node) -> list[tuple[Dataset, Dataset | None]]:
    ae = AE("PYND")
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelFind)
    association = ae.associate(node.host, node.port, ae_title="FAKE")
    query = Dataset()
    query.QueryRetrieveLevel, query.PatientID = "STUDY", ""
    answers = list(association.send_c_find(query, StudyRootQueryRetrieveInformationModelFind))
    association.release()
    assert association.is_released
    return answers


@pytest.mark.parametrize(
    ("error", "status", "comment", "offending"),
    [
        (Refused("more than 3 matches", "", status=0xA700), 0xA700, "more than 3 matches", None),
        (Refused("no such key", "", status=0xA900, element="00100020"), 0xA900, "no such key", 0x00100020),
        (Refused("odd", "", status=0xC001, element="what"), 0xC001, "odd", None),
        (OSError("the disk of the index is gone"), 0xC000, "the query failed here", None),
    ],
)
def test_rows_before_a_failure_arrive_before_its_status(
    error: Exception, status: int, comment: str, offending: int | None
) -> None:
    def rows() -> Iterator[Sequence[str]]:
        yield from (("1",), ("2",), ("3",))
        raise error

    services = FakeServices()
    services.answer = lambda _: FindAnswer(PATIENT_ID, rows())
    with serving(services) as (_, node):
        *pending, (last, _) = asked_by_pynetdicom(node)
    assert [(s.Status, row.PatientID) for s, row in pending if row] == [(0xFF00, n) for n in "123"]
    assert (last.Status, last.ErrorComment.startswith(comment)) == (status, True)
    assert last.get("OffendingElement") == offending


def test_a_key_that_was_not_used_is_said_with_every_row() -> None:
    services = FakeServices()
    services.answer = lambda _: FindAnswer(PATIENT_ID, [("1",), ("2",)], unsupported=True)
    with serving(services) as (_, node):
        assert [status.Status for status, _ in asked_by_pynetdicom(node)] == [0xFF01, 0xFF01, 0]


def asking(node: Node) -> Association:
    """An association on which a query was just sent."""
    made = Association.request(
        node.host, node.port, "FAKE", "ME", "FAKE", [Proposal(FIND[Root.STUDY], (EXPLICIT,))], Timeouts(message=10)
    )
    made.send(1, cmd.pack(
        (cmd.AFFECTED_CLASS, FIND[Root.STUDY]), (cmd.FIELD, cmd.C_FIND_RQ), (cmd.MESSAGE_ID, 9), (cmd.DATA_SET_TYPE, 1)
    ), encode_keys({"PatientID": ""}, Level.STUDY, True))  # fmt: skip
    return made


def cancel(association: Association) -> int:
    """Say C-CANCEL, and read to the final status."""
    association.send(1, cmd.pack(
        (cmd.FIELD, cmd.C_CANCEL_RQ), (cmd.RESPONDED_ID, 9), (cmd.DATA_SET_TYPE, cmd.NO_DATA_SET)))  # fmt: skip
    while (status := association.receive().command.number(cmd.STATUS)) in (0xFF00, 0xFF01):
        continue
    return status


def test_slow_rows_are_not_held_back_and_a_cancel_between_them_is_seen() -> None:
    gone = threading.Event()
    closed_in: list[str] = []

    def rows() -> Iterator[Sequence[str]]:
        try:
            while not gone.wait(0.03):
                yield ("1",)
        finally:
            closed_in.append(threading.current_thread().name)

    services = FakeServices()
    services.answer = lambda _: FindAnswer(PATIENT_ID, rows())
    with serving(services) as (_, node):
        association = asking(node)
        assert association.receive().command.number(cmd.STATUS) == 0xFF00
        assert cancel(association) == 0xFE00
        association.release()
    gone.set()
    assert closed_in == ["dimse-127.0.0.1"]


class Scan:
    """A search of the database that finds nothing and does not end by itself."""

    def __init__(self, failure: Exception) -> None:
        self.failure = failure
        self.began, self.stop = threading.Event(), threading.Event()

    def rows(self) -> Iterator[Sequence[str]]:
        yield ("1",)
        self.began.set()
        assert self.stop.wait(10)
        raise self.failure

    def answer(self) -> FindAnswer:
        return FindAnswer(PATIENT_ID, self.rows(), interrupt=self.stop.set)


@pytest.mark.parametrize("failure", [Refused("interrupted", "", status=0xC001), RuntimeError("interrupted")])
def test_a_cancel_interrupts_a_scan_that_yields_nothing(failure: Exception) -> None:
    services = FakeServices()
    with serving(services) as (_, node):
        for _ in range(2):
            scan = Scan(failure)
            services.answer = lambda _, scan=scan: scan.answer()  # type: ignore[misc]
            association = asking(node)
            assert scan.began.wait(5)
            began = time.monotonic()
            assert cancel(association) == 0xFE00
            assert time.monotonic() - began < 5
            association.release()


def test_a_peer_that_hangs_up_ends_the_scan_it_asked_for() -> None:
    scan = Scan(Refused("interrupted", "", status=0xC001))
    services = FakeServices()
    services.answer = lambda _: scan.answer()
    with serving(services) as (_, node):
        association = asking(node)
        assert scan.began.wait(5)
        association.connection.close()
        assert scan.stop.wait(5)
