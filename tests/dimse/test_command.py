"""Command sets: what we pack pynetdicom reads, what pynetdicom packs we read, and rubbish is a Violation."""

from __future__ import annotations

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import decode

from pacs_tui.dimse import command as cmd
from pacs_tui.dimse.upper_layer import Violation

UIDS = st.from_regex(r"1\.2\.[1-9][0-9]{0,20}", fullmatch=True)
US = st.integers(0, 0xFFFF)


@given(UIDS, UIDS, US, st.text("ABCDEFGHIJ 0123456789", min_size=1, max_size=16).filter(str.strip))
def test_pynetdicom_reads_what_we_pack(sop_class: str, instance: str, number: int, originator: str) -> None:
    packed = cmd.pack(
        (cmd.AFFECTED_CLASS, sop_class),
        (cmd.FIELD, cmd.C_STORE_RQ),
        (cmd.MESSAGE_ID, number),
        (cmd.PRIORITY, 0),
        (cmd.DATA_SET_TYPE, cmd.DATA_SET),
        (cmd.AFFECTED_INSTANCE, instance),
        (cmd.ORIGINATOR, originator),
        (cmd.ORIGINATOR_ID, 7),
    )
    read = decode(io.BytesIO(packed), True, True)
    assert read.CommandGroupLength == len(packed) - 12
    assert (read.AffectedSOPClassUID, read.AffectedSOPInstanceUID) == (sop_class, instance)
    assert (read.MessageID, read.CommandField) == (number, 1)
    assert read.MoveOriginatorApplicationEntityTitle.strip() == originator.strip()


@given(UIDS, UIDS, st.integers(0, 0xFFFF))
def test_we_read_what_pynetdicom_packs(sop_class: str, instance: str, number: int) -> None:
    primitive = C_STORE()
    primitive.MessageID = number
    primitive.AffectedSOPClassUID, primitive.AffectedSOPInstanceUID = sop_class, instance
    primitive.DataSet = io.BytesIO(b"x" * 10)
    message = C_STORE_RQ()
    message.primitive_to_message(primitive)
    read = cmd.unpack(encoded(message.command_set))
    assert read.number(cmd.FIELD) == cmd.C_STORE_RQ
    assert read.number(cmd.MESSAGE_ID) == number
    assert (read.text(cmd.AFFECTED_CLASS), read.text(cmd.AFFECTED_INSTANCE)) == (sop_class, instance)
    assert read.has_data


def encoded(dataset: Dataset) -> bytes:
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, True
    write_dataset(stream, dataset)
    return bytes(stream.getvalue())


@given(st.binary(max_size=200))
def test_rubbish_is_a_violation_and_nothing_else(data: bytes) -> None:
    with contextlib.suppress(Violation):
        assert isinstance(cmd.unpack(data), cmd.Command)


@given(st.integers(0, 60), st.binary(min_size=1, max_size=4))
def test_a_damaged_command_set_is_a_violation_and_nothing_else(at: int, damage: bytes) -> None:
    whole = cmd.pack((cmd.AFFECTED_CLASS, "1.2.3"), (cmd.FIELD, cmd.C_ECHO_RQ), (cmd.MESSAGE_ID, 1))
    with contextlib.suppress(Violation):
        cmd.unpack(whole[:at] + damage + whole[at + len(damage) :]).number(cmd.MESSAGE_ID)


def test_a_number_that_is_missing_is_named() -> None:
    command = cmd.unpack(cmd.pack((cmd.FIELD, cmd.C_ECHO_RQ)))
    with pytest.raises(Violation, match="0000,0110"):
        command.number(cmd.MESSAGE_ID)
    assert command.number(cmd.MESSAGE_ID, 5) == 5
    assert not command.has_data
