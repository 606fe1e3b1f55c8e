"""Command sets (PS3.7 6.3 and annex E): group 0000, Implicit VR Little Endian, packed and unpacked directly."""

from __future__ import annotations

import struct

from pacs_tui.dimse.upper_layer import Violation

AFFECTED_CLASS, REQUESTED_CLASS, FIELD, MESSAGE_ID, RESPONDED_ID = 0x0002, 0x0003, 0x0100, 0x0110, 0x0120
DESTINATION, PRIORITY, DATA_SET_TYPE, STATUS, OFFENDING, COMMENT = 0x0600, 0x0700, 0x0800, 0x0900, 0x0901, 0x0902
AFFECTED_INSTANCE, REMAINING, COMPLETED, FAILED, WARNING = 0x1000, 0x1020, 0x1021, 0x1022, 0x1023
ORIGINATOR, ORIGINATOR_ID = 0x1030, 0x1031

C_STORE_RQ, C_STORE_RSP = 0x0001, 0x8001
C_GET_RQ, C_GET_RSP = 0x0010, 0x8010
C_FIND_RQ, C_FIND_RSP = 0x0020, 0x8020
C_MOVE_RQ, C_MOVE_RSP = 0x0021, 0x8021
C_ECHO_RQ, C_ECHO_RSP = 0x0030, 0x8030
C_CANCEL_RQ = 0x0FFF

NAMES = {
    C_STORE_RQ: "C-STORE", C_GET_RQ: "C-GET", C_FIND_RQ: "C-FIND", C_MOVE_RQ: "C-MOVE", C_ECHO_RQ: "C-ECHO",
}  # fmt: skip

NO_DATA_SET, DATA_SET = 0x0101, 0x0001
COMMAND_CAP = 1 << 16

_NUMBER = struct.Struct("<HHIH")
_HEAD = struct.Struct("<HHI")
_LENGTH = struct.Struct("<HHII")

Value = int | str | bytes


def pack(*elements: tuple[int, Value]) -> bytes:
    """A command set; elements are (element number in ascending order, US as int or text as str/bytes)."""
    out = []
    for element, value in elements:
        if isinstance(value, int):
            out.append(_NUMBER.pack(0, element, 2, value))
            continue
        data = value if isinstance(value, bytes) else value.encode("latin-1", "replace")
        if len(data) & 1:
            data += b" " if element in (DESTINATION, COMMENT, ORIGINATOR) else b"\0"
        out.append(_HEAD.pack(0, element, len(data)) + data)
    body = b"".join(out)
    return _LENGTH.pack(0, 0, 4, len(body)) + body


class Command(dict[int, int | bytes]):
    """A received command set: element number -> number, or bytes for text."""

    def number(self, element: int, default: int | None = None) -> int:
        """An US value; Violation when it is missing without a default, or is not two bytes."""
        value = self.get(element, default)
        if not isinstance(value, int):
            raise Violation(f"a command set without a valid (0000,{element:04X})", 6)
        return value

    def text(self, element: int) -> str:
        """A text value without padding, empty where absent."""
        value = self.get(element, b"")
        if isinstance(value, int):
            value = value.to_bytes(2, "little")
        return value.decode("latin-1").strip(" \0")

    @property
    def has_data(self) -> bool:
        return self.get(DATA_SET_TYPE, NO_DATA_SET) != NO_DATA_SET


_TEXT = frozenset((AFFECTED_CLASS, REQUESTED_CLASS, DESTINATION, COMMENT, AFFECTED_INSTANCE, 0x1001, ORIGINATOR))


def unpack(data: bytes | memoryview) -> Command:
    """Read a command set; Violation when a length runs over the end or the field is missing."""
    command = Command()
    at, end = 0, len(data)
    while at < end:
        if end - at < 8:
            raise Violation("a truncated command set", 6)
        group, element, length = _HEAD.unpack_from(data, at)
        at += 8
        stop = at + length
        if group != 0 or stop > end:
            raise Violation(f"a command set with ({group:04X},{element:04X}) of {length} bytes", 6)
        if length == 2 and element not in _TEXT:
            command[element] = data[at] | data[at + 1] << 8
        else:
            command[element] = bytes(data[at:stop])
        at = stop
    if not isinstance(command.get(FIELD), int):
        raise Violation("a command set without a command field", 6)
    return command
