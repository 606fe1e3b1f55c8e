"""Rows of text to the identifiers of C-FIND responses (PS3.4 C.4.1.1.3, PS3.5 7)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from pacs_tui.dimse.identifier import ITEM_MARK, NUMBERS, UTF8, VALUE_MARK, element
from pacs_tui.model.level import Level
from pacs_tui.model.tag import Column

_CHARSET, _LEVEL = 0x00080005, 0x00080052
_VALUE_CAP = 0xFFFE
_SHORT = 80
"""Bytes of a value up to which the head of its element is packed beforehand."""

_Other = Callable[[str, bytes], bytes]
"""Text and its UTF-8 to the value of an element."""


class RowEncoder:
    """Answers of one C-FIND: rows of text to identifier bytes; UTF-8 with its name where a row needs it."""

    def __init__(self, columns: Sequence[Column], level: Level, explicit: bool) -> None:
        self._explicit = explicit
        self._plain = element(_CHARSET, "CS", b"", explicit)
        self._utf8 = element(_CHARSET, "CS", UTF8.encode("ascii"), explicit)
        self._plan: list[tuple[int, Column, list[bytes], bytes, _Other | None]] = []
        # What is the same in every row is part of the head of the column behind it.
        before = b""
        fixed = element(_LEVEL, "CS", level.value.encode("ascii"), explicit)
        for index, column in sorted(enumerate(columns), key=lambda pair: pair[1].tag):
            if column.tag in (_CHARSET, _LEVEL):
                continue
            if fixed and column.tag > _LEVEL:
                before, fixed = fixed, b""
            heads = [before + head for head in self._heads(column)]
            self._plan.append((index, column, heads, b"\0" if column.vr == "UI" else b" ", self._other(column)))
            before = b""
        self._end = fixed

    def encode(self, row: Sequence[str]) -> bytes:
        """One identifier."""
        out = [self._plain]
        add = out.append
        # The loop of every value of every answer.
        for index, column, heads, pad, other in self._plan:
            text = row[index]
            value = text.encode()
            size = len(value)
            if size != len(text):
                out[0] = self._utf8
            if other is None and size <= _SHORT:
                add(heads[size])
                add(value)
                if size & 1:
                    add(pad)
            else:
                add(self._unusual(column, heads[0], value if other is None else other(text, value)))
        add(self._end)
        return b"".join(out)

    def _heads(self, column: Column) -> list[bytes]:
        """The head of an element for every short length."""
        empty = len(element(column.tag, column.vr, b"", self._explicit))
        return [element(column.tag, column.vr, bytes(size), self._explicit)[:empty] for size in range(_SHORT + 1)]

    def _unusual(self, column: Column, head: bytes, value: bytes) -> bytes:
        """An element whose head is not at hand; `head` is that of an empty one, and what stands before it."""
        if len(value) > _VALUE_CAP:
            # An explicit length has 16 bits: whole values are left out, rather than the answer.
            value = value[: value.rfind(b"\\", 0, _VALUE_CAP)] if b"\\" in value[:_VALUE_CAP] else b""
        before = head[: len(head) - len(element(column.tag, column.vr, b"", self._explicit))]
        return before + element(column.tag, column.vr, value, self._explicit)

    def _other(self, column: Column) -> _Other | None:
        """How the value of a column is made, where it is not simply its text."""
        if column.vr == "SQ":
            return lambda text, _: b"".join(self._item(column.items, item) for item in text.split(ITEM_MARK)[1:])
        if column.vr in NUMBERS:
            return lambda text, _: b"".join(_number(column.vr, part) for part in text.split("\\")) if text else b""
        return None

    def _item(self, columns: Sequence[Column], text: str) -> bytes:
        """An item of a sequence: values in the order of its columns, each ended by a mark."""
        values = zip(columns, text.split(VALUE_MARK), strict=False)
        body = b"".join(element(column.tag, column.vr, value.encode("utf-8"), self._explicit)
                        for column, value in values)  # fmt: skip
        return struct.pack("<HHI", 0xFFFE, 0xE000, len(body)) + body


def _number(vr: str, text: str) -> bytes:
    try:
        return struct.pack("<" + NUMBERS[vr], float(text) if vr in ("FL", "FD") else int(text))
    except (struct.error, ValueError):
        return b""
