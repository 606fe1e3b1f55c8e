"""Stored pixel values of one frame, checked against what the header claims before anything is allocated.

pydicom decodes; here it is decided what it may be asked for, and of which plugin.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

import numpy as np
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.errors import InvalidDicomError
from pydicom.pixels import as_pixel_options, get_decoder
from pydicom.pixels.utils import get_j2k_parameters
from pydicom.uid import UID

from pacs_tui.errors import PictureError

MEGAPIXELS = 200
"""Largest frame that is decoded, in samples of one frame."""

_UNDEFINED = 0xFFFFFFFF
_KEYWORDS = {0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData", 0x7FE00010: "PixelData"}
_VIDEO = "1.2.840.10008.1.2.4.10"  # .100 to .108: MPEG-2, MPEG-4, HEVC
_JPIP = ("1.2.840.10008.1.2.4.94", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.204", "1.2.840.10008.1.2.4.205")
_JPEG2000 = frozenset({"1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"})
_HTJ2K = frozenset({f"1.2.840.10008.1.2.4.{n}" for n in (201, 202, 203)})
_DCT = frozenset({"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"})
_PLUGINS = {
    "1.2.840.10008.1.2.4.50": "pillow",
    "1.2.840.10008.1.2.4.80": "pyjpegls",
    "1.2.840.10008.1.2.4.81": "pyjpegls",
    "1.2.840.10008.1.2.5": "pylibjpeg",
} | dict.fromkeys(_JPEG2000 | _HTJ2K, "pylibjpeg")


@dataclass(frozen=True, slots=True)
class Stored:
    """One frame as stored: (H, W) or (H, W, 3), of the file's own type; `photometric` is what the array holds."""

    values: np.ndarray
    photometric: str


class Source:
    """An open Part 10 file, positioned at its pixel data (PS3.5 8)."""

    def __init__(self, file: BinaryIO) -> None:
        """Read the header; PictureError where there are no pixels or the claims about them cannot be true."""
        self._file = file
        self.header, self.syntax = _header(file)
        self._options = self._locate()
        _refuse_undecodable(self.syntax)
        self.rows, self.columns, self.samples, self.bits = _shape(self.header)
        self.frames = max(1, int(self._options["number_of_frames"]))

    def decode(self, frame: int, room: tuple[int, int] | None = None) -> Stored:
        """Frame number `frame`, from 1; not much finer than `room` (width, height in pixels) where that is cheap."""
        self._check_length(frame)
        if room is not None and (small := self._reduced(frame, room)) is not None:
            return small
        plugin = _PLUGINS.get(str(self.syntax))
        try:
            return self._decode(frame, plugin or "")
        except (RuntimeError, NotImplementedError, ValueError) as error:
            try:
                if plugin is None:
                    raise
                return self._decode(frame, "")
            except (RuntimeError, NotImplementedError) as last:
                # "plugin: reason", a line for each plugin
                reason = (str(last).splitlines() or [""])[-1].partition(": ")[2].strip().rstrip(".")
                raise PictureError(f"{self.syntax.name} pixels cannot be decoded here: {reason}.") from error

    def native(self) -> Iterator[Stored]:
        """Every frame in turn as it lies in an uncompressed file, unused bits and all.

        Colours that a cosine transform has made YBR come as RGB, as every decoder gives them; others as they were
        encoded, since a conversion would round.
        """
        plugin = _PLUGINS.get(str(self.syntax), "")
        frames = self._each(plugin)
        try:
            first = next(frames, None)
        except (RuntimeError, NotImplementedError, ValueError):
            if not plugin:
                raise
            frames = self._each("")
            first = next(frames, None)
        if first is not None:
            yield first
            yield from frames

    def _each(self, plugin: str) -> Iterator[Stored]:
        """Decode frame after frame."""
        options = self._options | {"correct_unused_bits": False, "raw": str(self.syntax) not in _DCT}
        for values, properties in get_decoder(self.syntax).iter_array(
            self._pixels(), decoding_plugin=plugin, **options
        ):  # fmt: skip
            yield Stored(values, str(properties["photometric_interpretation"]))

    def _decode(self, frame: int, plugin: str) -> Stored:
        """Decode with one plugin, or with whichever can where the name is empty."""
        values, properties = get_decoder(self.syntax).as_array(
            self._pixels(), index=frame - 1, decoding_plugin=plugin, **self._options
        )
        return Stored(values, str(properties["photometric_interpretation"]))

    def _locate(self) -> dict[str, Any]:
        """Decoding options; the file is left at the first byte of the pixel data's value."""
        if self.syntax.is_deflated:
            keyword = next((k for k in _KEYWORDS.values() if k in self.header), "")
            self._position, self._length = 0, len(self.header[keyword].value or b"") if keyword else 0
        else:
            keyword, self._length = self._read_element_header()
            self._position = self._file.tell()
        if not keyword:
            raise PictureError(_no_pixels(self.header))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            options: dict[str, Any] = as_pixel_options(
                self.header, transfer_syntax_uid=self.syntax, pixel_keyword=keyword
            )
        if not self.syntax.is_implicit_VR:
            options["pixel_vr"] = self._vr
        return options

    def _read_element_header(self) -> tuple[str, int]:
        """Keyword and length of the element the header stopped at; "" at the end of the file (PS3.5 7.1)."""
        order: Literal["little", "big"] = "little" if self.syntax.is_little_endian else "big"
        head = self._file.read(8)
        if len(head) < 8:
            return "", 0
        tag = int.from_bytes(head[:2], order) << 16 | int.from_bytes(head[2:4], order)
        length = head[4:8]
        if not self.syntax.is_implicit_VR:
            self._vr = head[4:6].decode("ascii", "replace")
            length = self._file.read(4)
        return _KEYWORDS.get(tag, ""), int.from_bytes(length, order)

    _vr = "OW"

    def _pixels(self) -> BinaryIO | Dataset:
        if self.syntax.is_deflated:
            return self.header
        self._file.seek(self._position)
        return self._file

    def _check_length(self, frame: int) -> None:
        """Refuse a native frame that lies beyond the bytes there are (PS3.5 8.1.1)."""
        if self.syntax.is_encapsulated:
            return
        there = self._length
        if not self.syntax.is_deflated:
            here = self._file.seek(0, io.SEEK_END) - self._position
            there = here if self._length == _UNDEFINED else min(self._length, here)
        bits = self.rows * self.columns * self.samples * self.bits
        if self._options.get("photometric_interpretation") == "YBR_FULL_422":
            bits = bits * 2 // 3  # two luminances share their colours (PS3.3 C.7.6.3.1.2)
        needed = math.ceil(bits * frame / 8)
        if there < needed:
            raise PictureError(
                f"The pixel data ends early: frame {frame} of {self.rows} rows and {self.columns} columns needs"
                f" {needed} bytes, the file holds {there}."
            )

    def _reduced(self, frame: int, room: tuple[int, int]) -> Stored | None:
        """A lower resolution level of a large one-component JPEG 2000 frame; None where that does not apply."""
        level = math.floor(math.log2(max(1.0, max(self.columns / room[0], self.rows / room[1]) / 2)))
        known = str(self.syntax) in _JPEG2000 | _HTJ2K
        if not known or level < 1 or self.samples != 1 or self.rows * self.columns < 1 << 20:
            return None
        code = get_frame(
            self._pixels(),
            frame - 1,
            number_of_frames=self.frames,
            extended_offsets=self._options.get("extended_offsets"),
        )
        for less in range(min(level, 5), 0, -1):  # the file may hold fewer levels
            try:
                values = _reduced_values(code, less, self._options)
            except (OSError, ValueError, SyntaxError, TypeError):
                continue
            return None if values is None else Stored(values, str(self._options.get("photometric_interpretation", "")))
        return None


def _reduced_values(code: bytes, level: int, options: Mapping[str, Any]) -> np.ndarray | None:
    """Stored values at 1/2**level of the size, undoing Pillow's scaling to whole bytes."""
    if not code.startswith(b"\xff\x4f"):
        return None
    found = get_j2k_parameters(code)
    signed = options.get("pixel_representation") == 1
    precision = int(found.get("precision", 0))
    if not 1 <= precision <= 16 or found.get("is_signed") != signed or precision != options.get("bits_stored"):
        return None
    with Image.open(io.BytesIO(code), formats=("JPEG2000",)) as image:
        if image.mode not in ("L", "I;16"):
            return None
        image.reduce = level
        image.load()
        values = np.asarray(image)
    container = values.dtype.itemsize * 8
    values = values.astype(np.int32)
    if signed:
        values -= 1 << (container - 1)
    values >>= container - precision
    size = "1" if int(options["bits_allocated"]) == 8 else "2"
    return values.astype(("i" if signed else "u") + size)


def _header(file: BinaryIO) -> tuple[Dataset, UID]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = dcmread(file, stop_before_pixels=True)
            syntax = header.file_meta.get("TransferSyntaxUID")
            if syntax is not None and UID(syntax).is_deflated:
                file.seek(0)
                header = dcmread(file)
    except (InvalidDicomError, EOFError) as error:
        raise PictureError(
            "This is not a DICOM file (PS3.10 7.1: no DICM prefix), or its header is cut short."
        ) from error
    if not syntax or not UID(syntax).is_transfer_syntax:
        raise PictureError("The file names no transfer syntax (0002,0010) that is known here.")
    return header, UID(syntax)


def _no_pixels(header: Dataset) -> str:
    uid = UID(str(header.get("SOPClassUID", "")))
    name = uid.name if uid and uid.name != uid else f"An instance of SOP class {uid or 'unknown'}"
    return f"{name} has no image: there is no pixel data to draw."


def _refuse_undecodable(syntax: UID) -> None:
    if str(syntax).startswith(_VIDEO):
        raise PictureError(f"This is a video ({syntax.name}); a video is not drawn in the terminal.")
    if str(syntax) in _JPIP:
        raise PictureError(f"The pixels are not in the file but behind a link ({syntax.name}), which is not followed.")


def _shape(header: Dataset) -> tuple[int, int, int, int]:
    """Rows, columns, samples and bits allocated, believed only within reason (PS3.3 C.7.6.3.1)."""
    claims = []
    for keyword, least, most, default in (
        ("Rows", 1, 65535, None),
        ("Columns", 1, 65535, None),
        ("SamplesPerPixel", 1, 4, 1),
        ("BitsAllocated", 1, 64, None),
    ):
        value = header.get(keyword, default)
        if not isinstance(value, int) or not least <= value <= most:
            raise PictureError(f"{keyword} is {value!r} in this file, so its pixels cannot be read.")
        claims.append(int(value))
    rows, columns, samples, bits = claims
    if rows * columns * samples > MEGAPIXELS * 1_000_000:
        raise PictureError(
            f"The file claims {columns} x {rows} pixels of {samples} samples; more than {MEGAPIXELS} megapixel"
            " are not decoded for a preview."
        )
    return rows, columns, samples, bits
