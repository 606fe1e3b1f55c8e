"""A job: one transfer that somebody asked for, from its plan to its proof."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from pacs_tui.model.transfer import Target


class JobState(Enum):
    """Where a job stands. Only `verified` is green."""

    WAITING = "waiting"
    RUNNING = "running"
    VERIFYING = "verifying"
    VERIFIED = "verified"
    PARTIAL = "partial"
    UNVERIFIED = "unverified"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """True when no worker will touch the job again by itself."""
        return self not in (JobState.WAITING, JobState.RUNNING, JobState.VERIFYING)


class PlannedInstance(Struct, frozen=True):
    """One instance the source said it holds when the job was planned."""

    study_uid: str
    series_uid: str
    sop_instance: str
    sop_class: str = ""


class Plan(Struct, frozen=True):
    """What a job will do, asked from the source before anything is sent."""

    source: str
    destination: str
    label: str
    """For people: patient and modality of what was marked."""
    targets: tuple[Target, ...]
    instances: tuple[PlannedInstance, ...]

    @property
    def studies(self) -> int:
        return len({i.study_uid for i in self.instances})

    @property
    def series(self) -> int:
        return len({i.series_uid for i in self.instances})


class Job(Struct, frozen=True):
    """A job as the queue knows it now. Times are seconds since the epoch, None where not reached."""

    id: int
    state: JobState
    source: str
    destination: str
    label: str
    total: int
    """Instances planned."""
    sent: int
    """Sub-operations the source counted as completed so far."""
    verified: int
    """Planned instances the destination was asked for and holds."""
    created: float
    started: float | None = None
    finished: float | None = None
    rate: float | None = None
    """Instances a second, as the worker last measured it."""
    worker: str = ""
    attempts: int = 0
    code: str = ""
    """explain.py code of the failure, empty where there is none."""
    reason: str = ""
    """One line: why it waits, failed or is partial."""
    facts: tuple[tuple[str, str], ...] = ()
    """What fills the placeholders of the explanation."""

    @property
    def eta(self) -> float | None:
        """Seconds to go at the present rate."""
        if self.state is not JobState.RUNNING or not self.rate:
            return None
        return max(0, self.total - self.sent) / self.rate


class JobEvent(Struct, frozen=True):
    """One line of a job's append-only log."""

    time: float
    text: str
