"""Stored values -> display greys: modality, window, polarity (PS3.4 N.2, PS3.3 C.11.1 and C.11.2).

For 8 and 16 bits the whole transform is computed once for every value there can be, and the frame is looked up in
that table: same result, a fraction of the work.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from pacs_tui.imaging.cells import Pixels

Values = NDArray[np.float64]

_SAMPLE = 1_000_000  # pixels that are looked at for percentiles


@dataclass(frozen=True, slots=True)
class Shown:
    """A grey picture (H, W), how it was windowed ("W 400 L 40"), and a note where that is our choice."""

    pixels: Pixels
    window: str
    note: str


@dataclass(frozen=True, slots=True)
class Window:
    """What maps modality values to 0..1: a LUT item where there is one, else a window (PS3.3 C.11.2.1)."""

    centre: float = 0.0
    width: float = 0.0
    function: str = "LINEAR"
    lut: Dataset | None = None
    note: str = ""
    text: str = ""


def show(stored: NDArray[np.generic], header: Dataset) -> Shown:
    """Greys of a monochrome frame (H, W); `header` holds the attributes of this frame at its top level."""
    if int(header.get("BitsStored", 0) or 0) == 1:
        return Shown(_invert((stored != 0).astype(np.uint8) * np.uint8(255), header), "", "")
    window = _of_file(header) or _plain(stored, header) or _percentiles(stored, header)
    if stored.dtype.kind in "iu" and stored.dtype.itemsize <= 2:
        unsigned = np.dtype(f"u{stored.dtype.itemsize}")
        every = np.arange(1 << 8 * unsigned.itemsize, dtype=unsigned).view(stored.dtype)
        pixels = _apply(every, window, header)[np.ascontiguousarray(stored).view(unsigned)]
    else:
        pixels = _apply(stored, window, header)
    return Shown(_invert(pixels, header), window.text, window.note)


def _apply(stored: NDArray[np.generic], window: Window, header: Dataset) -> Pixels:
    values = _modality(stored, header)
    if window.lut is not None:
        table = _lut_data(window.lut, header)
        # Descriptors often promise more bits than the data use; the data tell the range (PS3.3 C.11.2.1.1).
        full = (1 << max(8, int(table.max()).bit_length())) - 1
        unit = _look_up(values, window.lut, table) / full
    else:
        unit = _windowed(values, window)
    return np.rint(np.clip(unit, 0.0, 1.0) * 255).astype(np.uint8)


def _windowed(values: Values, window: Window) -> Values:
    """0..1 by the VOI LUT Function (PS3.3 C.11.2.1.2, C.11.2.1.3)."""
    centre, width = window.centre, window.width
    if window.function == "SIGMOID":
        with np.errstate(over="ignore"):
            return np.asarray(1.0 / (1.0 + np.exp(-4.0 * (values - centre) / width)), np.float64)
    if window.function != "LINEAR_EXACT" and width >= 1:
        centre, width = centre - 0.5, width - 1
    if width == 0:
        return (values > centre).astype(np.float64)
    return (values - centre) / width + 0.5


def _modality(stored: NDArray[np.generic], header: Dataset) -> Values:
    """Modality LUT or rescale (PS3.3 C.11.1)."""
    values = stored.astype(np.float64)
    if sequence := header.get("ModalityLUTSequence"):
        item = sequence[0]
        return _look_up(values, item, _lut_data(item, header))
    slope, intercept = first_number(header, "RescaleSlope"), first_number(header, "RescaleIntercept")
    if slope is not None and slope != 0:
        values *= slope
    if intercept is not None:
        values += intercept
    return values


def _look_up(values: Values, item: Dataset, table: NDArray[np.uint16]) -> Values:
    """Values below the first mapped one take the first entry, those beyond the last take the last."""
    index = np.clip(np.nan_to_num(values) - int(item.LUTDescriptor[1]), 0, len(table) - 1)
    return table[index.astype(np.intp)].astype(np.float64)


def _lut_data(item: Dataset, header: Dataset) -> NDArray[np.uint16]:
    """LUT Data as numbers; US or OW, 8-bit entries may be packed (PS3.3 C.11.1.1.1)."""
    entries = int(item.LUTDescriptor[0]) or 65536
    data = item.LUTData
    if isinstance(data, bytes):
        order = "<" if header.file_meta.TransferSyntaxUID.is_little_endian else ">"
        packed = len(data) < entries * 2
        data = np.frombuffer(data, np.uint8 if packed else np.dtype(f"{order}u2"), count=-1)
    table = np.asarray(data).ravel()[:entries].astype(np.uint16)
    if not len(table):
        raise ValueError("a lookup table without entries")
    return table


def _of_file(header: Dataset) -> Window | None:
    """The first VOI LUT or window of the file; a LUT goes before a window."""
    if sequence := header.get("VOILUTSequence"):
        return Window(lut=sequence[0], text="VOI LUT")
    centre, width = first_number(header, "WindowCenter"), first_number(header, "WindowWidth")
    if centre is None or width is None or width <= 0:
        return None
    function = str(header.get("VOILUTFunction") or "LINEAR").strip().upper()
    return Window(centre, width, function, text=_words(centre, width))


def _plain(stored: NDArray[np.generic], header: Dataset) -> Window | None:
    """8-bit greys without a window are already what is to be displayed."""
    if stored.dtype != np.uint8 or "RescaleSlope" in header or "ModalityLUTSequence" in header:
        return None
    return Window(127.5, 255.0, "LINEAR_EXACT")


def _percentiles(stored: NDArray[np.generic], header: Dataset) -> Window:
    """A window from the 1st to the 99th percentile of the pixels that are not padding."""
    flat = stored.ravel()
    flat = flat[:: max(1, flat.size // _SAMPLE)]
    values = _modality(flat, header)
    kept = values[np.isfinite(values) & ~_padding(flat, header)]
    if not kept.size:
        kept = values[np.isfinite(values)]
    low, high = (float(v) for v in np.percentile(kept, (1, 99))) if kept.size else (0.0, 1.0)
    if low == high and kept.size:
        low, high = float(kept.min()), float(kept.max())
    width = (high - low) or 1.0
    return Window(
        (low + high) / 2,
        width,
        "LINEAR_EXACT",
        note="No window in the file: shown from the 1st to the 99th percentile.",
        text=_words((low + high) / 2, width),
    )


def _words(centre: float, width: float) -> str:
    """W 400 L 40: whole numbers, or three digits where they are small."""
    width_text, centre_text = (f"{n:.0f}" if abs(n) >= 100 else f"{n:.3g}" for n in (width, centre))
    return f"W {width_text} L {centre_text}"


def _padding(stored: NDArray[np.generic], header: Dataset) -> NDArray[np.bool_]:
    """Where a pixel is padding (PS3.3 C.7.5.1.1.2)."""
    edge = first_number(header, "PixelPaddingValue")
    if edge is None:
        return np.zeros(stored.shape, np.bool_)
    limit = first_number(header, "PixelPaddingRangeLimit")
    low, high = sorted((edge, edge if limit is None else limit))
    values = stored.astype(np.float64)
    return (values >= low) & (values <= high)


def _invert(pixels: Pixels, header: Dataset) -> Pixels:
    """Turned over where the least value is to be white (PS3.3 C.7.6.3.1.2, C.11.6.1.2)."""
    shape = str(header.get("PresentationLUTShape", ""))
    reverse = header.get("PhotometricInterpretation") == "MONOCHROME1" and shape != "IDENTITY"
    return np.invert(pixels) if reverse or shape == "INVERSE" else pixels


def first_number(header: Dataset, keyword: str) -> float | None:
    """The first value of an attribute as a finite number, None where there is none."""
    try:
        value = header.get(keyword)
        if value is None or isinstance(value, str | bytes):
            return None
        number = float(value) if np.isscalar(value) or not hasattr(value, "__len__") else float(value[0])
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return number if math.isfinite(number) else None
