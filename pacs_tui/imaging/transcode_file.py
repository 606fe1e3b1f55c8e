"""A Part 10 file in another transfer syntax: compressed to native, and among the native ones; nothing is ever lost.

Pixel data goes frame by frame, or in pieces of a megabyte, from file to file: only the rest is held in memory.
"""

from __future__ import annotations

import io
import mmap
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from pydicom.filereader import read_dataset
from pydicom.pixels import get_decoder
from pydicom.uid import UID

from pacs_tui.errors import PictureError
from pacs_tui.imaging.pixels import Source, Stored
from pacs_tui.imaging.transcode_elements import (
    UNDEFINED,
    WIDTHS,
    Damaged,
    Data,
    Encoding,
    Rewriter,
    encode,
    encode_head,
    end_of_fragments,
    even,
    joined,
    read_head,
    swapped,
)
from pacs_tui.model.transfer import StoreRequest

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
DEFLATED, BIG_ENDIAN = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
NATIVE = {
    EXPLICIT: Encoding(True), IMPLICIT: Encoding(False), DEFLATED: Encoding(True), BIG_ENDIAN: Encoding(True, False),
}  # fmt: skip
"""The transfer syntaxes that are written."""

_LOSSY = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 81, 91, 203))
_PHOTOMETRIC, _PLANAR, _LOSSY_COMPRESSION = 0x00280004, 0x00280006, 0x00282110
_OFFSETS, _LENGTHS, _PIXEL_DATA = 0x7FE00001, 0x7FE00002, 0x7FE00010
_PIECE = 1 << 20
_LARGEST = 0xFFFFFFFE
_INFLATED = 1 << 30


@dataclass(frozen=True, slots=True)
class Plan:
    """A file to be written: its size, or the most it can be, and its pieces in order."""

    size: int
    pieces: Iterator[bytes]


def plan(path: Path, sop_class: str, sop_instance: str, target: str, stack: ExitStack) -> Plan:
    """How the instance becomes one in `target`; what is open stays so until `stack` closes.

    PictureError in a sentence where it cannot be done. The pieces raise it too, for a frame that cannot be decoded.
    """
    file = stack.enter_context(path.open("rb"))
    data = stack.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    syntax, begin = _meta(data)
    meta = StoreRequest("", "", "", sop_class, sop_instance, target).part10_header()
    uid = UID(syntax)
    if syntax in NATIVE:
        body = _converted(data, begin, syntax, NATIVE[target])
    elif uid.is_transfer_syntax and uid.is_encapsulated:
        body = _decoded(file, data, begin, uid, NATIVE[target])
    else:
        raise PictureError(f"The transfer syntax {uid.name} is not converted here.")
    pieces = _deflated(body.pieces) if target == DEFLATED else body.pieces
    # Deflate makes what it cannot compress a little longer.
    slack = body.size // 1000 + 1024 if target == DEFLATED else 0
    return Plan(len(meta) + body.size + slack, _chain(meta, pieces))


def _meta(data: Data) -> tuple[str, int]:
    """Transfer syntax and the place of the data set (PS3.10 7.1)."""
    if data[128:132] != b"DICM":
        raise PictureError("This is not a DICOM file (PS3.10 7.1: no DICM prefix).")
    at, syntax = 132, ""
    while at < len(data):
        # Group 2 is little endian whatever follows it.
        if data[at : at + 2] != b"\x02\x00":
            break
        head = read_head(data, at, Encoding(True))
        at = head.value + head.length
        if head.tag == 0x00020010:
            syntax = data[head.value : at].decode("ascii", "replace").strip(" \0")
    return syntax, at


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


# ---------------------------------------------------------------------- native to native


def _converted(whole: mmap.mmap, begin: int, syntax: str, target: Encoding) -> Plan:
    data: Data = whole
    if syntax == DEFLATED:
        data, begin = _inflated(whole[begin:]), 0
    source = NATIVE[syntax]
    rewriter = Rewriter(data, source, target)
    elements, pixels = rewriter.top(begin)
    before = joined(elements)
    if pixels is None:
        return Plan(len(before), iter([before]))
    if pixels.length == UNDEFINED:
        raise Damaged("its pixel data is encapsulated in a transfer syntax that has none")
    end = pixels.value + pixels.length
    if end > len(data):
        raise Damaged("it ends in the middle of its pixel data")
    after = joined(rewriter.top(end)[0])
    vr = pixels.vr or _pixel_vr(pixels.tag, rewriter.bits_allocated)
    before += encode_head(pixels.tag, vr, pixels.length, target)
    width = WIDTHS.get(vr, 1)
    if vr == b"OW" and rewriter.bits_allocated in (32, 64):
        width = rewriter.bits_allocated // 8
    if source.little == target.little:
        width = 1
    pieces = (swapped(data[at : min(at + _PIECE, end)], width) for at in range(pixels.value, end, _PIECE))
    return Plan(len(before) + pixels.length + len(after), _surround(before, pieces, after))


def _surround(before: bytes, pieces: Iterator[bytes], after: bytes) -> Iterator[bytes]:
    yield before
    yield from pieces
    yield after


def _pixel_vr(tag: int, bits: int) -> bytes:
    """The VR of pixel data that came without one (PS3.5 A.1, A.2)."""
    if tag != _PIXEL_DATA:
        return b"OF" if tag == 0x7FE00008 else b"OD"
    return b"OW" if bits > 8 else b"OB"


def _inflated(data: bytes) -> bytes:
    """A deflated data set (PS3.5 A.5), at most a gigabyte of it."""
    engine = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        out = engine.decompress(data, _INFLATED)
    except zlib.error as error:
        raise Damaged(f"it cannot be inflated: {error}") from None
    if len(out) == _INFLATED:
        raise PictureError("The data set is a gigabyte or more when it is inflated.")
    if not engine.eof:
        raise Damaged("it ends in the middle of the deflated data")
    return out


def _deflated(pieces: Iterator[bytes]) -> Iterator[bytes]:
    engine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    size = 0
    for piece in pieces:
        out = engine.compress(piece)
        size += len(out)
        yield out
    out = engine.flush()
    yield out + b"\0" * ((size + len(out)) & 1)


# ---------------------------------------------------------------------- compressed to native


def _decoded(file: BinaryIO, data: mmap.mmap, begin: int, syntax: UID, target: Encoding) -> Plan:
    rewriter = Rewriter(data, Encoding(True), target, lambda item: _icon(item, syntax))
    elements, pixels = rewriter.top(begin)
    if pixels is None:
        before = joined(elements)
        return Plan(len(before), iter([before]))
    if pixels.length != UNDEFINED:
        raise Damaged("its pixel data is not encapsulated, as its transfer syntax says")
    source = Source(file)
    if source.bits % 8:
        raise PictureError(f"Compressed pixels with BitsAllocated {source.bits} are not converted here.")
    frames = source.native()
    first = next(frames, None)
    if first is None:
        raise Damaged("there is no frame in its compressed pixel data")
    length = source.frames * source.rows * source.columns * source.samples * source.bits // 8
    if length > _LARGEST:
        raise PictureError(f"Its pixels are {length >> 20} MB uncompressed; a native element holds 4095.")
    odd = length & 1
    vr = b"OW" if source.bits > 8 or not target.explicit else b"OB"
    before = joined(elements | _changes(source, first, syntax, target))
    before += encode_head(_PIXEL_DATA, vr, length + odd, target)
    after = b"\0" * odd + joined(rewriter.top(end_of_fragments(data, pixels.value))[0])
    pieces = _native_frames(source, first, frames, target.little)
    return Plan(len(before) + length + len(after), _surround(before, pieces, after))


def _changes(source: Source, first: Stored, syntax: UID, target: Encoding) -> dict[int, bytes]:
    """What decoding changes in the header, encoded."""
    changes = {_OFFSETS: b"", _LENGTHS: b""}
    if source.samples > 1:
        photometric = "YBR_FULL" if first.photometric == "YBR_FULL_422" else first.photometric
        changes[_PHOTOMETRIC] = encode(_PHOTOMETRIC, b"CS", even(photometric.encode("ascii"), b" "), target)
        changes[_PLANAR] = encode(_PLANAR, b"US", b"\0\0", target)
    if str(syntax) in _LOSSY and not source.header.get("LossyImageCompression"):
        # What may have lost something must not look as if it had not (PS3.3 C.7.6.1.1.5).
        changes[_LOSSY_COMPRESSION] = encode(_LOSSY_COMPRESSION, b"CS", b"01", target)
    return changes


def _native_frames(source: Source, first: Stored, rest: Iterator[Stored], little: bool) -> Iterator[bytes]:
    """The bytes of exactly as many frames as the header names (PS3.5 8.1.1)."""
    yield _native_bytes(first.values, source, little)
    for number in range(2, source.frames + 1):
        stored = next(rest, None)
        if stored is None:
            raise Damaged(f"it has {number - 1} frames where its header says {source.frames}")
        yield _native_bytes(stored.values, source, little)


def _native_bytes(values: np.ndarray, source: Source, little: bool) -> bytes:
    shape = (source.rows, source.columns) + ((source.samples,) if source.samples > 1 else ())
    if values.shape != shape or values.dtype.itemsize * 8 > source.bits:
        raise PictureError(f"A frame decodes to {values.shape} of {values.dtype}, which is not what the header says.")
    return values.astype(f"{'<' if little else '>'}{values.dtype.kind}{source.bits // 8}", copy=False).tobytes()


def _icon(item: bytes, syntax: UID) -> tuple[bytes, str]:
    """The native pixels of an icon (PS3.3 F.7) and their photometric interpretation."""
    header = read_dataset(io.BytesIO(item), False, True)
    values, properties = get_decoder(syntax).as_array(header, raw=True, correct_unused_bits=False)
    return values.tobytes(), str(properties["photometric_interpretation"])
