"""What came of a transfer, judged by what the destination holds and never by what the source says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pacs_tui.errors import NetworkError
from pacs_tui.model.job import Job, JobState
from pacs_tui.model.node import Node


@dataclass(frozen=True, slots=True)
class Route:
    """Both ends of a transfer."""

    source: Node
    destination: Node

    @property
    def facts(self) -> dict[str, str]:
        """What explanations name: the source is `node`, the destination an AE title and an address."""
        return {
            "node": self.source.name,
            "called": self.source.ae_title,
            "host": self.source.host,
            "port": str(self.source.port),
            "destination": self.destination.ae_title,
            "destination_host": self.destination.host,
            "destination_port": str(self.destination.port),
        }


@dataclass(slots=True)
class Claims:
    """What the source said while it moved."""

    there: int = 0
    """Instances that should be at the destination if the source is right: held before, and sent."""
    failed: int = 0
    """Sub-operations the source counted as failed."""
    error: NetworkError | None = None
    """The first failed C-MOVE."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ends."""

    state: JobState
    reason: str = ""
    code: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


def judge(job: Job, route: Route, seen: int, claims: Claims, unasked: NetworkError | None) -> Outcome:
    """Verified only where every planned instance was seen.

    `seen` counts planned instances the destination was asked for and holds; `unasked` says why it could not be asked.
    """
    if seen == job.total:
        return Outcome(JobState.VERIFIED)
    facts = route.facts | {"held": str(seen), "total": str(job.total)}
    short = JobState.PARTIAL if seen else JobState.FAILED
    if claims.error is not None:
        said = str(claims.error)
        if unasked is not None:
            said += f" {job.destination} cannot be asked since, so more may be there than was seen."
        return Outcome(short, _reason(job, seen, said), claims.error.code, facts | claims.error.facts)
    if claims.failed:
        said = f"{job.source} counted {claims.failed} as failed"
        if unasked is not None:
            said += f"; {job.destination} cannot be asked"
        return Outcome(short, _reason(job, seen, said), "status:C-MOVE:B000", facts)
    if unasked is not None:
        calling = {name: value for name, value in unasked.facts.items() if name == "calling"}
        said = f"{job.destination} cannot be asked what it holds: {unasked}"
        return Outcome(JobState.UNVERIFIED, _reason(job, seen, said), "verify:impossible", facts | calling)
    if seen:
        return Outcome(short, _reason(job, seen, f"{job.source} answered Success"), "verify:partial", facts)
    return Outcome(short, f"{job.source} answered Success, but nothing is at {job.destination}", "verify:none", facts)


def _reason(job: Job, seen: int, why: str) -> str:
    return f"{seen} of {job.total} were seen there; {why}" if seen else why
