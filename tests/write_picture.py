"""The picture in the README: the real console on the demo hospital, by Textual's own SVG export.

python -m tests.write_picture [HOME [COLUMNS ROWS FILE]]
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pacs_tui.demo.hospital import Hospital
from pacs_tui.model.picture import Terminal
from pacs_tui.station import Station

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "console.svg"
_PATIENCE = 60.0
_TERMINAL = Terminal(colours="truecolor", glyphs="quadrant")


async def take(home: Path, columns: int, rows: int, file: Path) -> None:
    """Find Anna Meier, open her study, route it, and take the picture when it is verified."""
    from pacs_tui.tui.app import PacsApp
    from pacs_tui.tui.widgets.picture import PictureView

    station = Station(Hospital(home).settings)
    app = PacsApp(station, _TERMINAL)
    async with app.run_test(size=(columns, rows), notifications=True) as pilot:

        async def until(fact: Callable[[], object]) -> None:
            deadline = time.monotonic() + _PATIENCE
            while not fact():
                assert time.monotonic() < deadline, "the console did not come to it"
                await pilot.pause(0.05)

        def shows(text: str) -> bool:
            strips = app.screen._compositor.render_strips(app.screen.size)
            return text in "\n".join("".join(segment.text for segment in strip) for strip in strips)

        await until(lambda: shows(" ms"))
        await pilot.press("2", "f")
        await pilot.press(*"mod:ct", "enter")
        await until(lambda: shows("MEIER^ANNA"))
        await pilot.press("down", "space", "m")
        await until(lambda: shows("Enter shows the plan"))
        await pilot.press("home", "down", "down", "down", "enter")
        await until(lambda: shows("Enter starts the transfer"))
        await pilot.press("enter")
        await until(lambda: shows("verified 139/139") and not shows("Enter starts"))
        await pilot.press("up", "right")
        await until(lambda: shows("AXIAL"))
        await pilot.press("down", "down")
        await until(lambda: app.screen.query_one(PictureView).picture is not None)
        await until(lambda: not shows("instances to ORTHO1"))
        file.write_text(app.export_screenshot(title="pacs-tui"), encoding="utf-8")
    station.close()


def main() -> None:
    words = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(words[0]) if words else Path(folder) / "hospital"
        columns, rows, file = (int(words[1]), int(words[2]), Path(words[3])) if len(words) > 1 else (120, 38, PICTURE)
        hospital = Hospital(home)
        try:
            for _ in hospital.start():
                pass
            asyncio.run(take(home, columns, rows, file))
        finally:
            hospital.stop()
    print(file)


if __name__ == "__main__":
    main()
