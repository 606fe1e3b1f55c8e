"""A Part 10 file -> one frame ready to be drawn: 8-bit greys or RGB, its pixel aspect and its caption."""

from __future__ import annotations

import copy
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut

from pacs_tui.errors import PictureError
from pacs_tui.imaging.cells import Pixels
from pacs_tui.imaging.pixels import Source, Stored
from pacs_tui.imaging.window import Shown, first_number, show


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: `pixels` is (H, W) or (H, W, 3), `aspect` the height of a pixel over its width."""

    pixels: Pixels
    aspect: float
    caption: str
    note: str = ""


def read_frame(path: Path, frame: int | None = None, room: tuple[int, int] | None = None) -> Frame:
    """Frame number `frame` of a file, from 1; without one the only frame, or the middle of several.

    `room` (width, height in pixels) allows a lower resolution level of that size or more. PictureError says in one
    sentence why there is nothing to draw.
    """
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            source = Source(file)
            number = _frame_number(source, frame)
            stored = source.decode(number, room)
            header = of_frame(source.header, number)
            shown = _display(stored, header)
            return Frame(shown.pixels, _aspect(header), _caption(source, number, shown.window), shown.note)
    except OSError as error:
        raise PictureError(f"The file cannot be read: {error.strerror or error}.") from error
    except MemoryError as error:
        raise PictureError("This image is too large to be drawn within the memory limit of the decoder.") from error
    except (
        ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, NotImplementedError,
        RuntimeError, SyntaxError, TypeError, ValueError, struct.error,
    ) as error:  # fmt: skip
        # What pydicom and its plugins raise for broken files is not documented; this is the border.
        raise PictureError(f"This image cannot be decoded: {_first_line(error)}") from error


def of_frame(header: Dataset, number: int) -> Dataset:
    """The header with the functional groups of frame `number` moved to the top level (PS3.3 C.7.6.16)."""
    merged = copy.copy(header)
    shared = header.get("SharedFunctionalGroupsSequence") or []
    each = header.get("PerFrameFunctionalGroupsSequence") or []
    for group in [*shared[:1], *each[number - 1 : number]]:
        for keyword in ("PixelValueTransformationSequence", "FrameVOILUTSequence", "PixelMeasuresSequence"):
            for item in (group.get(keyword) or [])[:1]:
                merged.update({element.tag: element for element in item})
    return merged


def _frame_number(source: Source, frame: int | None) -> int:
    if frame is None:
        return source.frames // 2 + 1 if source.frames > 1 else 1
    if not 1 <= frame <= source.frames:
        raise PictureError(f"There is no frame {frame}: the file has {source.frames}.")
    return frame


def _display(stored: Stored, header: Dataset) -> Shown:
    """Greys through their window; colours as they are, cut to 8 bits."""
    values = stored.values
    if stored.photometric == "PALETTE COLOR":
        coloured = apply_color_lut(values, header)[..., :3]
        return Shown(_eight_bits(coloured, 16 if coloured.dtype.itemsize > 1 and coloured.max() > 255 else 8), "", "")
    if values.ndim == 2:
        return show(values, header)
    if stored.photometric not in ("RGB", "YBR_RCT", "YBR_ICT") or values.shape[2] != 3:
        raise PictureError(f"Photometric interpretation {stored.photometric} is not drawn.")
    return Shown(_eight_bits(values, int(header.BitsStored)), "", "")


def _eight_bits(values: np.ndarray, bits: int) -> Pixels:
    """The eight most significant of `bits` bits."""
    if bits > 8:
        values = values >> (bits - 8)
    elif bits < 8:
        values = values.astype(np.uint16) * 255 // ((1 << bits) - 1)
    return np.ascontiguousarray(values.astype(np.uint8))


def _aspect(header: Dataset) -> float:
    """Height over width of a pixel, from Pixel Aspect Ratio or a spacing (PS3.3 C.7.6.3.1.7); 1 where it is absurd."""
    for keyword in ("PixelAspectRatio", "PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        try:
            down, across = (float(value) for value in header.get(keyword) or ())
        except (TypeError, ValueError):
            continue
        if down > 0 and across > 0 and 0.05 <= down / across <= 20:
            return down / across
    spacing = [first_number(region, name) for region in (header.get("SequenceOfUltrasoundRegions") or [])[:1]
               for name in ("PhysicalDeltaY", "PhysicalDeltaX")]  # fmt: skip
    if len(spacing) == 2 and spacing[0] and spacing[1]:
        ratio = abs(spacing[0] / spacing[1])
        # Only where both axes are centimetres (PS3.3 C.8.5.5.1.1); a Doppler strip has seconds across.
        region = header.SequenceOfUltrasoundRegions[0]
        units = (region.get("PhysicalUnitsXDirection"), region.get("PhysicalUnitsYDirection"))
        if units == (3, 3) and 0.2 <= ratio <= 5:
            return ratio
    return 1.0


def _caption(source: Source, number: int, window: str) -> str:
    parts = [window, f"{source.columns}x{source.rows}"]
    if source.frames > 1:
        parts.append(f"{number}/{source.frames}")
    return "   ".join(part for part in parts if part)


def _first_line(error: BaseException) -> str:
    text = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
    return text if text.endswith(".") else text + "."
