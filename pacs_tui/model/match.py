"""What a query found: one patient, study, series or instance at one node."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from pacs_tui.model.level import Level


class Match(Struct, frozen=True):
    """One row of a C-FIND answer.

    `values` maps DICOM keywords to decoded text (several values joined by a backslash). It may decode lazily, so a
    hundred thousand rows cost their bytes and a screen of rows costs their text. A key the peer left out is absent.
    """

    level: Level
    node: str
    values: Mapping[str, str]

    def get(self, keyword: str) -> str:
        """The text of an attribute, empty where the peer gave none."""
        return self.values.get(keyword, "")

    @property
    def uid(self) -> str:
        """The unique key of this level: PatientID, or the entity's UID."""
        return self.get(self.level.key)

    def count(self, keyword: str) -> int | None:
        """A whole number, or None where the peer gave none or nonsense."""
        text = self.get(keyword).strip()
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None
