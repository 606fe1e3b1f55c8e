"""Items of a sequence as one text: what a column holds, what is compared, and what an answer returns.

Every item begins with RS, and every value in it ends with US; a column has the values of `Attribute.items`, in order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from pacs_tui.archive.attributes import Attribute
from pacs_tui.model.tag import Column

RS, US = "\x1e", "\x1f"
MAX_TEXT = 4096
"""Characters kept of a sequence; items beyond are left out whole."""
MAX_ITEMS = 16


def kept(attribute: Attribute, text: str, cut: Callable[[Attribute, str], str]) -> str:
    """The column's text from that of a header, whose values are named: `RS 00401001=R17 US 00400009=S4 US`."""
    found = ""
    for item in text.split(RS)[1 : MAX_ITEMS + 1]:
        named = dict(part.partition("=")[::2] for part in item.split(US))
        values = [cut(each, named.get(f"{each.tag:08X}", "")) for each in attribute.items]
        if any(values):
            found += RS + "".join(value + US for value in values)
    while len(found) > MAX_TEXT:
        found = found[: found.rindex(RS)]
    return found


def shape(attribute: Attribute, columns: Sequence[Column], expression: str) -> Callable[[str], str]:
    """What turns a column's text into an answer: items that match the expression, with the values asked for."""
    places = {each.tag: place for place, each in enumerate(attribute.items)}
    chosen = [places.get(column.tag) for column in columns]
    matching = re.compile(expression)

    def shaped(text: str) -> str:
        out = ""
        for item in text.split(RS)[1:]:
            if matching.match(RS + item):
                values = item.split(US)
                out += RS + "".join(("" if place is None else values[place]) + US for place in chosen)
        return out

    return shaped
