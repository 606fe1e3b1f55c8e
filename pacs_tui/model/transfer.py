"""Values of moving instances: what is asked for, what is announced, what came of it."""

from __future__ import annotations

import re
import struct
from functools import lru_cache
from pathlib import Path

from msgspec import Struct

from pacs_tui.errors import UsageError
from pacs_tui.model.level import Level, Root

IMPLEMENTATION_CLASS_UID = "1.2.826.0.1.3680043.8.498.45787841905188114249811200"
IMPLEMENTATION_VERSION_NAME = "PACS_TUI_0_1"


_UID = re.compile(r"[0-9]+(?:\.[0-9]+)*")


def is_uid(text: str) -> bool:
    """True for 1 to 64 characters of digits and single dots (PS3.5 9.1); leading zeros, seen in the wild, pass."""
    return len(text) <= 64 and _is_dotted(text)


@lru_cache(maxsize=1024)
def _is_dotted(text: str) -> bool:
    # asked again and again of the same classes, syntaxes, studies and series
    return _UID.fullmatch(text) is not None


class Target(Struct, frozen=True):
    """What to retrieve: a patient, a study, a series, or some instances of one series (PS3.4 C.4.2.1.4)."""

    level: Level
    patient_id: str = ""
    study_uid: str = ""
    series_uid: str = ""
    instance_uids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for uid in (self.study_uid, self.series_uid, *self.instance_uids):
            if uid and not is_uid(uid):
                raise UsageError(f"{uid!r} is not a UID: digits and dots, at most 64 characters.")

    @property
    def root(self) -> Root:
        """Patient Root for a whole patient, Study Root for everything else."""
        return Root.PATIENT if self.level is Level.PATIENT else Root.STUDY


class Progress(Struct, frozen=True):
    """Sub-operations of a C-MOVE or C-GET as the peer last counted them (PS3.7 9.1.4)."""

    remaining: int
    completed: int
    failed: int
    warning: int
    status: int
    """Pending 0xFF00, or the final status."""
    failed_uids: tuple[str, ...] = ()

    @property
    def pending(self) -> bool:
        """True while more is to come."""
        return self.status in (0xFF00, 0xFF01)


class Sent(Struct, frozen=True):
    """One instance answered by the receiving peer."""

    sop_instance: str
    status: int
    """DIMSE status of the C-STORE-RSP; 0 and 0xB000-0xBFFF mean that the peer keeps it (PS3.4 B.2.3)."""
    comment: str = ""

    @property
    def kept(self) -> bool:
        return self.status == 0 or 0xB000 <= self.status <= 0xBFFF


class StoreRequest(Struct, frozen=True):
    """A C-STORE-RQ that has arrived, before its data set (PS3.7 9.1.1)."""

    calling: str
    called: str
    host: str
    sop_class: str
    sop_instance: str
    transfer_syntax: str
    move_originator: str = ""

    def part10_header(self) -> bytes:
        """Preamble, DICM and File Meta Information (PS3.10 7.1): what stands before the data set in a file."""
        body = b"\x02\x00\x01\x00OB\x00\x00\x02\x00\x00\x00\x00\x01" + b"".join((
            _ui(0x0002, self.sop_class), _ui(0x0003, self.sop_instance), _rest(self.transfer_syntax, self.calling),
        ))  # fmt: skip
        return bytes(128) + b"DICM" + struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(body)) + body


class Held(Struct, frozen=True):
    """An instance an archive holds: a Part 10 file and what its File Meta Information says."""

    sop_class: str
    sop_instance: str
    transfer_syntax: str
    path: Path
    study_uid: str = ""
    """Named in failure lists and logs; may be empty for loose files."""


@lru_cache(maxsize=64)
def _rest(transfer_syntax: str, calling: str) -> bytes:
    # the same for every instance of an association
    return b"".join((
        _ui(0x0010, transfer_syntax), _ui(0x0012, IMPLEMENTATION_CLASS_UID),
        _text(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME), _text(0x0016, b"AE", calling),
    ))  # fmt: skip


def _ui(element: int, uid: str) -> bytes:
    value = uid.encode("ascii")
    value += b"\0" * (len(value) & 1)
    return struct.pack("<HH2sH", 2, element, b"UI", len(value)) + value


def _text(element: int, vr: bytes, text: str) -> bytes:
    value = text.encode("ascii", "replace")
    value += b" " * (len(value) & 1)
    return struct.pack("<HH2sH", 2, element, vr, len(value)) + value
