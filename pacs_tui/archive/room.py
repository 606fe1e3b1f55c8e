"""Is there room for another instance: free space of the disk, and the area's quota."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

_KEEP_SECONDS = 1.0
_GIGABYTE = 10**9
_MEGABYTE = 10**6


class Room:
    """Asked before every instance; looks at disk and index once a second at most. Thread-safe."""

    def __init__(self, folder: Path, quota_gigabytes: float, low_water_megabytes: int, held: Callable[[], int]) -> None:
        """`held` gives the bytes of the instances in the area."""
        self._folder = folder
        self._quota = quota_gigabytes * _GIGABYTE
        self._low_water = low_water_megabytes * _MEGABYTE
        self._held = held
        self._answer = ""
        self._until = 0.0

    def lacking(self) -> str:
        """Why there is none, as a sentence for the sender; empty where there is. OSError where the disk is gone."""
        now = time.monotonic()
        if now >= self._until:
            self._answer = self._look()
            self._until = now + _KEEP_SECONDS
        return self._answer

    def _look(self) -> str:
        if self._low_water:
            state = os.statvfs(self._folder)
            if state.f_bavail * state.f_frsize < self._low_water:
                return f"less than {self._low_water // _MEGABYTE} MB are free"
        if self._quota and self._held() >= self._quota:
            return f"the quota of {self._quota / _GIGABYTE:g} GB is used up"
        return ""
