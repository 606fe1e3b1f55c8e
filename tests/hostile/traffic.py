"""Real traffic, recorded: what pynetdicom, DCMTK and our own peer say to an archive, one stream an association."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation, UserIdentityNegotiation
from pynetdicom.sop_class import (
    CTImageStorage,
    PatientRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
    Verification,
)

from tests.dimse.test_dataset import bundled
from tests.hostile.victim import SECOND, TITLE
from tests.interop.foreign import tool

FIND, PATIENT_FIND = StudyRootQueryRetrieveInformationModelFind, PatientRootQueryRetrieveInformationModelFind
MOVE, GET = StudyRootQueryRetrieveInformationModelMove, StudyRootQueryRetrieveInformationModelGet
FILE = "CT_small.dcm"


@dataclass
class Tap:
    """A TCP connection in the middle: it passes everything on, and keeps what is said, by connection."""

    target: int
    streams: list[bytearray] = field(default_factory=list)
    """What clients say."""
    answers: list[bytearray] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[int]:
        """The port to call."""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            serving = threading.Thread(target=self._serve, args=(listening,), daemon=True)
            serving.start()
            try:
                yield listening.getsockname()[1]
            finally:
                listening.shutdown(socket.SHUT_RDWR)
                serving.join(5.0)

    def _serve(self, listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listening.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                said, answered = bytearray(), bytearray()
                self.streams.append(said)
                self.answers.append(answered)
                for source, sink, kept in ((client, server, said), (server, client, answered)):
                    threading.Thread(target=_pass_on, args=(source, sink, kept), daemon=True).start()


def _pass_on(source: socket.socket, sink: socket.socket, kept: bytearray) -> None:
    with suppress(OSError):
        while part := source.recv(65536):
            kept += part
            sink.sendall(part)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@dataclass(frozen=True, slots=True)
class Seed:
    """What one client said on one association."""

    name: str
    data: bytes


def record(port: int) -> list[Seed]:
    """One association for every thing a client does; the archive on this port then holds one instance."""
    tap = Tap(port)
    names: list[str] = []
    with tap.running() as tapped:
        for name, call in (
            ("echo", _echo), ("store", _store), ("patient", _find), ("study", _find), ("series", _find),
            ("image", _find), ("move", _move), ("get", _get), ("negotiation", _negotiate), ("echoscu", _dcmtk),
            ("storescu", _dcmtk), ("findscu", _dcmtk),
        ):  # fmt: skip
            call(tapped, name)
            names.append(name)
    assert len(tap.streams) == len(names)
    return [Seed(name, bytes(stream)) for name, stream in zip(names, tap.streams, strict=True)]


def keys(level: str) -> Dataset:
    """The identifier of a query or retrieve at a level, for the one instance there is."""
    held = dcmread(bundled(FILE), stop_before_pixels=True)
    query = Dataset()
    query.QueryRetrieveLevel = level
    query.PatientID, query.PatientName = held.PatientID, "*"
    for wanted, keyword in (("SERIES", "StudyInstanceUID"), ("IMAGE", "SeriesInstanceUID")):
        setattr(query, keyword, held[keyword].value if level in (wanted, "IMAGE") else "")
    query.SOPInstanceUID, query.StudyDate, query.ModalitiesInStudy = "", "19000101-", ""
    return query


def _echo(port: int, _name: str) -> None:
    with _associated(port, Verification) as association:
        assert association.send_c_echo().Status == 0


def _store(port: int, _name: str) -> None:
    with _associated(port, CTImageStorage) as association:
        assert association.send_c_store(dcmread(bundled(FILE))).Status == 0


def _find(port: int, name: str) -> None:
    model = PATIENT_FIND if name == "patient" else FIND
    query = keys(name.upper())
    if model is PATIENT_FIND or name == "study":
        del query.SOPInstanceUID
    with _associated(port, model) as association:
        assert [status.Status for status, _ in association.send_c_find(query, model)] == [0xFF00, 0]


def _move(port: int, _name: str) -> None:
    with _associated(port, MOVE) as association:
        found = [status.Status for status, _ in association.send_c_move(_target(), SECOND, MOVE)]
    assert found[-1] == 0


def _get(port: int, _name: str) -> None:
    handlers = [(evt.EVT_C_STORE, lambda _: 0)]
    roles = [build_role(CTImageStorage, scp_role=True)]
    with _associated(port, GET, CTImageStorage, items=roles, handlers=handlers) as association:
        assert [status.Status for status, _ in association.send_c_get(_target(), GET)][-1] == 0


def _target() -> Dataset:
    target = Dataset()
    target.QueryRetrieveLevel = "STUDY"
    target.StudyInstanceUID = dcmread(bundled(FILE), stop_before_pixels=True).StudyInstanceUID
    return target


def _negotiate(port: int, _name: str) -> None:
    """Extended negotiation, roles and a user's name, and nothing done with them."""
    extended = SOPClassExtendedNegotiation()
    extended.sop_class_uid, extended.service_class_application_information = FIND, b"\1\1\1\1\1"
    user = UserIdentityNegotiation()
    user.user_identity_type, user.primary_field, user.secondary_field = 2, b"somebody", b"secret"
    items = [extended, user, build_role(CTImageStorage, scu_role=True, scp_role=True)]
    with _associated(port, FIND, CTImageStorage, Verification, items=items):
        """Opened and released."""


@contextmanager
def _associated(port: int, *classes: str, items: object = None, handlers: object = None) -> Iterator[Any]:
    ae = AE("RECORDER")
    for uid in classes:
        ae.add_requested_context(uid)
    association = ae.associate("127.0.0.1", port, ae_title=TITLE, ext_neg=items, evt_handlers=handlers)
    assert association.is_established
    try:
        yield association
    finally:
        association.release()


def _dcmtk(port: int, name: str) -> None:
    more = {
        "echoscu": ([], []),
        "storescu": ([], [str(bundled("MR_small.dcm"))]),
        "findscu": (["-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "PatientName=*"], []),
    }[name]
    done = tool(name, "-aet", "DCMTK", "-aec", TITLE, *more[0], "127.0.0.1", str(port), *more[1])
    assert done.returncode == 0, done.stderr
