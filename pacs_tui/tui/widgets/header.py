"""The first line of the console."""

from __future__ import annotations

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from pacs_tui.tui.job_board import JobsNow
from pacs_tui.tui.presentation import titles
from pacs_tui.tui.presentation.line import content


class Header(Widget):
    """Who we are, and how the transfers stand."""

    now: reactive[JobsNow] = reactive(JobsNow())

    def __init__(self, ae_title: str, host: str, readonly: bool) -> None:
        super().__init__()
        self._ae_title, self._host, self._readonly = ae_title, host, readonly

    def render(self) -> Content:
        return content([titles.header(self._ae_title, self._host, self._readonly, self.now, self.size.width)])
