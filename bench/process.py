"""What a server's processes cost, read from /proc: processor seconds and memory, children included."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """Of a process and all below it."""

    cpu: float
    """Seconds, in user and kernel mode; those of children that have ended count with their parent."""
    peak: float
    """Megabytes: the greatest resident sets of those alive, pages that several share counted once."""


def cost(pid: int) -> Cost:
    """The cost so far."""
    ticks, peak = 0, 0
    for one in tree(pid):
        fields = _stat(one)
        # utime, stime, cutime, cstime: 14 to 17 of proc(5), after the name
        ticks += sum(map(int, fields[11:15]))
        status, rollup = _kilobytes(one, "status"), _kilobytes(one, "smaps_rollup")
        peak += max(0, rollup.get("Pss", 0) + status.get("VmHWM", 0) - status.get("VmRSS", 0))
    return Cost(ticks / _TICK, peak * 1024 / 1e6)


def tree(pid: int) -> list[int]:
    """The process and its descendants that are alive."""
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := _stat(int(entry))):
            parents.setdefault(int(fields[1]), []).append(int(entry))
    found = [pid]
    for one in found:
        found += parents.get(one, [])
    return found


def _stat(pid: int) -> list[str]:
    """Fields of /proc/<pid>/stat from the state on; none where the process has gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    # the name stands in parentheses and may hold any character
    return text[text.rindex(")") + 2 :].split()


def _kilobytes(pid: int, name: str) -> dict[str, int]:
    """What /proc/<pid>/<name> gives in kB, by name; empty where the process has gone."""
    try:
        lines = Path(f"/proc/{pid}/{name}").read_text().splitlines()
    except OSError:
        return {}
    fields = [line.split() for line in lines if line.endswith(" kB")]
    return {words[0].rstrip(":"): int(words[1]) for words in fields}
