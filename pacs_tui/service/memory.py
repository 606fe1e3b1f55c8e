"""The allocator of a process that lives for months and has a thread for every association."""

from __future__ import annotations

import contextlib
import ctypes

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8
"""mallopt(3) of the GNU C library."""
_BUFFER_BYTES = 128 << 10
_ARENAS = 2


def tame() -> None:
    """Give large buffers back when they are freed, and let threads share their heaps; elsewhere than glibc, nothing.

    Left alone, glibc learns to keep freed receive buffers and gives each thread a heap of its own, none of which
    shrinks: resident memory then grows with the most associations there ever were.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, _BUFFER_BYTES)
        mallopt(_ARENA_MAX, _ARENAS)
