"""The rows of an answer, as the database finds them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Engine, Select
from sqlalchemy.exc import SQLAlchemyError

from pacs_tui.archive.database import translating
from pacs_tui.errors import Refused

_log = logging.getLogger(__name__)
_FIRST_CHUNK, _CHUNK = 10, 200
"""Rows fetched at once; a scan that finds few must not keep the first waiting."""


class Rows:
    """Iterate once; the connection is its own and goes back when the iteration ends or is dropped."""

    def __init__(self, engine: Engine, query: Select[Any], cap: int) -> None:
        """After `cap` rows comes Refused (A700): an answer is never cut off in silence."""
        self._engine = engine
        self._query = query
        self._cap = cap
        self._raw: Any = None

    def __iter__(self) -> Iterator[Sequence[str]]:
        try:
            with translating(self._engine), self._engine.connect() as connection:
                self._raw = connection.connection.driver_connection
                # the driver's own rows: every column is text already, and SQLAlchemy's cost more than the encoding
                result = connection.execute(self._query)
                cursor = result.cursor
                assert cursor is not None
                left = self._cap
                chunk = _FIRST_CHUNK
                while rows := cursor.fetchmany(chunk):
                    chunk = _CHUNK
                    yield from rows[:left]
                    left -= len(rows)
                    if left < 0:
                        raise Refused(
                            f"More than {self._cap} matches: narrow the query.", "status:C-FIND:A700", status=0xA700
                        )
        except SQLAlchemyError as error:
            _log.error("a query failed: %s", error)
            raise Refused("The archive's index cannot be read.", "status:C-FIND:C000", status=0xC000) from error
        finally:
            self._raw = None

    def interrupt(self) -> None:
        """End a scan that finds nothing, from any thread; the iteration then raises Refused."""
        raw = self._raw
        if raw is not None and hasattr(raw, "interrupt"):
            raw.interrupt()
