"""Pixels over the cells: kitty placements that travel in the same write as the frame they belong to.

The cells of a picture are always on the screen. Where the terminal places pixels, they are laid on top for as long as
nothing covers or clips the view; then they are deleted, and what is under them is right already. One private method of
Textual is overridden (App._display), so that a frame and its pixels cannot be torn apart.
"""

from __future__ import annotations

import os
import re
import struct
import sys
from itertools import count
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace
from rich.console import Console, RenderableType
from textual import events
from textual._compositor import CompositorUpdate
from textual.app import App
from textual.dom import NoScreen
from textual.geometry import Region
from textual.screen import Screen

from pacs_tui.model.picture import Picture, Terminal
from pacs_tui.tui.widgets.picture import PictureView

Result = TypeVar("Result")

# Image ids are shared by all programs in a terminal window, so ours start at a place of this process.
_ids = count((os.getpid() & 0xFFFFF) << 8 | 1)
_FIRST = re.compile(r"\x1b_G([^;]*);")


class GraphicsApp(App[Result]):
    """An app that knows what its terminal draws and shows PictureViews as pixels where it can."""

    terminal: Terminal = Terminal()
    """Set before `run`, from the probe; its cell size follows the terminal's font."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._overlay = Overlay(self)

    def picture_mounted(self, view: PictureView) -> None:
        self._overlay.add(view)

    def picture_removed(self, view: PictureView) -> None:
        self._write(self._overlay.remove(view))

    def on_mount(self) -> None:
        # What others draw while we are suspended must not lie under our pixels.
        self.app_suspend_signal.subscribe(self, lambda _: self._write(self._overlay.forget()), immediate=True)

    def on_resize(self, event: events.Resize) -> None:
        self.terminal = _with_cell_size(self.terminal, event)
        self._overlay.displaced()

    def exit(self, *args: Any, **options: Any) -> None:
        """Leave the app, and no pixels behind."""
        self._write(self._overlay.close())
        super().exit(*args, **options)

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        if isinstance(renderable, CompositorUpdate):
            renderable = _Frame(renderable, self._overlay)
        super()._display(screen, renderable)

    def _write(self, commands: str) -> None:
        if commands and self._driver is not None and not self.is_headless:
            self._driver.write(commands)


class _Frame(CompositorUpdate):
    """A frame that ends with the graphics commands which make the pixels fit it."""

    def __init__(self, frame: CompositorUpdate, overlay: Overlay) -> None:
        self._frame, self._overlay = frame, overlay

    def render_segments(self, console: Console) -> str:
        # Asked only when the frame is really written, so what the overlay believes is what the terminal got.
        return self._frame.render_segments(console) + self._overlay.commands()


class _Layer(Struct):
    """What the terminal has of one view: its image's id, the picture it was sent, where that is placed."""

    id: int
    sent: Picture | None = None
    placed: Region | None = None


class Overlay:
    """The kitty images of an app's views, kept in step with its compositor."""

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._layers: dict[PictureView, _Layer] = {}
        self._closed = False

    def add(self, view: PictureView) -> None:
        """Follow a view."""
        self._layers[view] = _Layer(next(_ids))

    def remove(self, view: PictureView) -> str:
        """Forget a view; the commands that free its image."""
        layer = self._layers.pop(view, None)
        return "" if layer is None else _free(layer)

    def forget(self) -> str:
        """The commands that free every image; they are sent anew with the next frame."""
        return "".join(_free(layer) for layer in self._layers.values())

    def close(self) -> str:
        """The commands that free every image, for good."""
        self._closed = True
        return self.forget()

    def displaced(self) -> None:
        """The terminal may have moved or dropped placements by itself: place them again."""
        for layer in self._layers.values():
            layer.placed = None

    def commands(self) -> str:
        """What makes the pixels fit the compositor's present state."""
        if self._closed:
            return ""
        return "".join(self._update(view, layer) for view, layer in self._layers.items())

    def _update(self, view: PictureView, layer: _Layer) -> str:
        picture = view.picture
        if picture is None or not picture.payload:
            return _free(layer)
        region = self._uncovered(view)
        if region is None or region.size != (picture.columns, picture.rows):
            return _lift(layer)
        commands = ""
        if layer.sent is not picture:
            commands = _free(layer) + _transmit(picture.payload, layer.id)
            layer.sent = picture
        if layer.placed != region:
            commands += _place(layer.id, region)
            layer.placed = region
        return commands

    def _uncovered(self, view: PictureView) -> Region | None:
        """The view's place on the screen; None while any of it is hidden or in the last row, where some scroll."""
        try:
            screen = view.screen
        except NoScreen:
            return None
        if screen is not self._app.screen:
            return None
        visible = screen._compositor.visible_widgets
        if view not in visible:
            return None
        region, clip = visible[view]
        place = region.shrink(view.gutter)
        if not clip.contains_region(place) or place.bottom >= screen.size.height or not place:
            return None
        for other, (its_region, its_clip) in visible.items():  # front to back
            if other is view:
                return place
            if other.styles.visibility != "hidden" and its_region.intersection(its_clip).overlaps(place):
                return None
        return place


def _transmit(payload: str, image: int) -> str:
    """The payload's commands, turned from "show here" into "keep under this id, and do not answer"."""
    match = _FIRST.match(payload)
    if match is None:
        return ""
    keys = dict(pair.partition("=")[::2] for pair in match[1].split(","))
    kept = ",".join(f"{key}={keys[key]}" for key in ("f", "t", "s", "v", "o", "m") if key in keys)
    # An answer would arrive as key presses.
    rest = payload[match.end() :].replace("\x1b_Gm=", "\x1b_Gq=2,m=")
    return f"\x1b_Ga=t,i={image},q=2,{kept};{rest}"


def _place(image: int, region: Region) -> str:
    """Show an image in a region; placing it again moves it. C=1 leaves the cursor alone."""
    return (
        f"\x1b[{region.y + 1};{region.x + 1}H\x1b_Ga=p,i={image},p=1,q=2,C=1,c={region.width},r={region.height}\x1b\\"
    )


def _lift(layer: _Layer) -> str:
    """Take an image off the screen; the terminal keeps its data."""
    if layer.placed is None:
        return ""
    layer.placed = None
    return f"\x1b_Ga=d,d=i,i={layer.id},q=2\x1b\\"


def _free(layer: _Layer) -> str:
    """Take an image off the screen and out of the terminal's memory."""
    if layer.sent is None:
        return ""
    layer.sent = layer.placed = None
    return f"\x1b_Ga=d,d=I,i={layer.id},q=2\x1b\\"


def _with_cell_size(terminal: Terminal, event: events.Resize) -> Terminal:
    """The terminal with the cell size it has after a resize: a font may grow without a change of rows."""
    columns, rows = event.size
    width, height = event.pixel_size or _pixels()
    if columns and rows and 4 <= width // columns <= 100 and 6 <= height // rows <= 200:
        return replace(terminal, cell_width=width // columns, cell_height=height // rows)
    return terminal


def _pixels() -> tuple[int, int]:
    """Width and height of the terminal in pixels as the kernel knows them; 0, 0 where it does not."""
    try:
        import fcntl
        import termios

        answer = fcntl.ioctl(sys.__stdout__.fileno(), termios.TIOCGWINSZ, bytes(8))  # type: ignore[union-attr]
    except (ImportError, AttributeError, OSError, ValueError):
        return 0, 0
    _, _, width, height = struct.unpack("HHHH", answer)
    return width, height
