"""Statements that run once for every instance: compiled once, run on the driver's own cursor at a tenth of the cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.sql import ClauseElement


class Prepared:
    """A Core statement in the SQL of one database; `names` are the values it wants."""

    __slots__ = ("_names", "sql")

    def __init__(self, statement: ClauseElement, dialect: Dialect, columns: Sequence[str] | None = None) -> None:
        """`columns` are those an INSERT fills. Every value has to be a bound one: constants are lost."""
        compiled = statement.compile(dialect=dialect, column_keys=list(columns) if columns is not None else None)
        self.sql = str(compiled)
        self._names: Sequence[str] | None = getattr(compiled, "positiontup", None)

    def run(self, cursor: Any, values: Mapping[str, Any]) -> Any:
        """Run it on a driver's cursor and return that cursor."""
        names = self._names
        cursor.execute(self.sql, values if names is None else [values[name] for name in names])
        return cursor
