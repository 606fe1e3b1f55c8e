"""Fetches the picture of the row the cursor rests on, and never more than that one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.timer import Timer
from textual.widget import Widget

from pacs_tui.errors import PacsError, UsageError
from pacs_tui.model.level import Level
from pacs_tui.model.picture import Canvas, Picture
from pacs_tui.tui.background import Background
from pacs_tui.tui.tree import Row

if TYPE_CHECKING:
    from threading import Event

    from pacs_tui.station import Station

REST_SECONDS = 0.08
"""A cursor that has not moved for so long rests."""
_LANE = "preview"


class Previewer:
    """Waits until the cursor rests, then asks for one picture; a newer row cancels the older fetch at once.

    The lane admits one thread, and of the requests that wait for it only the last ever starts: holding an arrow key
    down costs nothing but the final picture.
    """

    def __init__(
        self,
        owner: Widget,
        background: Background,
        station: Station,
        canvas: Callable[[], Canvas | None],
        waiting: Callable[[Row], None],
        show: Callable[[Row, Picture], None],
        failed: Callable[[Row, PacsError], None],
    ) -> None:
        self._owner = owner
        self._background = background
        self._station = station
        self._canvas = canvas
        self._waiting, self._show, self._failed = waiting, show, failed
        self._wanted: tuple[Row, Canvas] | None = None
        self._timer: Timer | None = None

    def point(self, row: Row | None) -> None:
        """The cursor is on this row now. A row without pixels, or no room to draw, only stops what runs."""
        canvas = self._canvas()
        wanted = (row, canvas) if row is not None and canvas is not None and has_picture(row) else None
        if wanted == self._wanted:
            return
        self._wanted = wanted
        self._background.stop(_LANE)
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        if wanted is not None:
            self._timer = self._owner.set_timer(REST_SECONDS, self._fetch)

    def _fetch(self) -> None:
        if self._wanted is None:
            return
        from pacs_tui.tui.targets import target

        row, canvas = self._wanted
        try:
            wanted = target(row)
        except UsageError as error:
            self._failed(row, error)
            return
        node = row.match.node

        def work(cancel: Event) -> Picture:
            return self._station.viewer.picture(node, wanted, canvas, cancel)

        self._waiting(row)
        self._background.run(
            _LANE, work, lambda picture: self._show(row, picture), lambda error: self._failed(row, error), wait=True
        )


def has_picture(row: Row) -> bool:
    """Whether a row can be previewed: an instance, or a series by its middle slice."""
    return row.level in (Level.SERIES, Level.IMAGE)
