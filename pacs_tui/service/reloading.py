"""Which settings a running archive takes over, and which need a new start."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from msgspec.structs import replace

from pacs_tui.errors import SettingsError
from pacs_tui.settings import ArchiveSettings, Area, Settings, load

_log = logging.getLogger(__name__)
_FIXED = ("host", "durability", "processes", "index_wait_seconds")
"""Keys of [archive] that stay as they were at the start."""
_FIXED_OF_AREA = ("port", "sta", "lta")


def reread(running: Settings, environ: Mapping[str, str], aloud: bool = True) -> Settings | None:
    """The settings from now on; None where config.toml is wrong, which changes nothing.

    What needs a new start stays as it is. All this is logged, if `aloud`.
    """
    try:
        wanted = load(environ)
    except SettingsError as error:
        if aloud:
            _log.error("not reloaded: %s", error)
        return None
    settings, left = merged(running, wanted)
    if aloud:
        for sentence in left:
            _log.warning("%s: start the archive again for that", sentence)
        _log.info("settings reloaded from %s", settings.config)
    return settings


def merged(running: Settings, wanted: Settings) -> tuple[Settings, list[str]]:
    """What can change now, changed; and a sentence for each change that cannot."""
    left = [
        f"archive.{key} changed from {getattr(running.archive, key)!r} to {getattr(wanted.archive, key)!r}"
        for key in _FIXED
        if getattr(running.archive, key) != getattr(wanted.archive, key)
    ]
    if running.timeouts != wanted.timeouts:
        left.append("[timeouts] changed")
    if running.data != wanted.data:
        left.append(f"the data folder changed to {wanted.data}")
    areas = _areas(running.archive.areas, wanted.archive.areas, left)
    fixed = {key: getattr(running.archive, key) for key in _FIXED}
    archive: ArchiveSettings = replace(wanted.archive, areas=areas, **fixed)
    return replace(running, archive=archive), left


def _areas(running: tuple[Area, ...], wanted: tuple[Area, ...], left: list[str]) -> tuple[Area, ...]:
    told = {area.ae_title: area for area in wanted}
    areas = []
    for area in running:
        new = told.pop(area.ae_title, None)
        if new is None:
            left.append(f"area {area.ae_title} is gone")
            areas.append(area)
            continue
        left += [
            f"{key} of area {area.ae_title} changed from {getattr(area, key)} to {getattr(new, key)}"
            for key in _FIXED_OF_AREA
            if getattr(area, key) != getattr(new, key)
        ]
        areas.append(replace(new, **{key: getattr(area, key) for key in _FIXED_OF_AREA}))
    left += [f"area {title} is new" for title in told]
    return tuple(areas)
