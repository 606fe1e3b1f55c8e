"""Attributes by tag: the keys of a query and the columns of its answer."""

from __future__ import annotations

from msgspec import Struct


class Element(Struct, frozen=True):
    """One attribute of an identifier: tag as 0xGGGGEEEE, its VR, its decoded text; items where it is a sequence."""

    tag: int
    vr: str
    text: str = ""
    items: tuple[tuple[Element, ...], ...] = ()


class Column(Struct, frozen=True):
    """One attribute of every row of an answer; of a sequence, `items` are the attributes of its items."""

    tag: int
    vr: str
    items: tuple[Column, ...] = ()
