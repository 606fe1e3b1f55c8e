"""One job from its claim to its end."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from threading import Event

from pacs_tui.errors import Cancelled, NetworkError, Refused, Unreachable
from pacs_tui.model.job import Job, JobState, Plan
from pacs_tui.model.transfer import Progress, Target
from pacs_tui.routing.jobs import JobQueue
from pacs_tui.routing.outcome import Claims, Outcome, Route, judge
from pacs_tui.routing.peers import QueryPeer, RoutingPeer
from pacs_tui.routing.targets import requests
from pacs_tui.routing.verification import Verification

_CANCELLED = 0xFE00
_DESTINATION_UNKNOWN = 0xA801
_REPORT_SECONDS = 0.25
"""Between two written progress counts: each is a commit to disk."""


class Run:
    """Moves what the destination does not hold yet, then proves what it holds.

    It keeps nothing that the queue and the destination could not tell again, so it may end anywhere.
    """

    def __init__(
        self,
        queue: JobQueue,
        job: Job,
        source: RoutingPeer,
        destination: QueryPeer,
        route: Route,
        cancel: Event,
        verify_seconds: float,
    ) -> None:
        self._queue = queue
        self._job = job
        self._source = source
        self._destination = destination
        self._route = route
        self._title = route.destination.ae_title
        self._cancel = cancel
        self._verify_seconds = verify_seconds
        self._plan = queue.plan_of(job.id)
        self._verification = Verification(destination, self._plan.instances, cancel)
        self._pace = Pace()
        self._reported = 0.0

    def perform(self) -> Outcome:
        """Runs the job; how it should end.

        Raises Cancelled where the event was set, LeaseLost where the job is not ours any more, StorageError.
        """
        self._ask_before()
        claims = Claims(there=self._verification.seen)
        self._report(claims.there, final=True)
        if not self._verification.complete:
            self._move(self._plan, claims)
        unasked = None if self._verification.complete else self._verify(claims)
        return judge(self._job, self._route, self._verification.seen, claims, unasked)

    def _ask_before(self) -> None:
        """What is there already, from an earlier attempt or another way."""
        name, total = self._job.destination, self._job.total
        try:
            self._verification.ask()
        except NetworkError as error:
            # The source may still reach it, and it may answer when all is sent.
            self._queue.note(self._job.id, f"{name} cannot be asked what it holds: {error}")
        self._mark(self._verification)
        if self._verification.seen:
            self._queue.note(self._job.id, f"{name} holds {self._verification.seen} of {total} already")

    def cancelled(self, stop: Event) -> Outcome:
        """How the job ends when somebody cancelled it: asks once more what had arrived. Raises Cancelled on `stop`."""
        last = Verification(self._destination, self._plan.instances, stop)
        try:
            last.ask()
        except NetworkError:
            return Outcome(JobState.CANCELLED, f"{self._job.destination} cannot be asked what had arrived")
        self._mark(last)
        if last.complete:
            return Outcome(JobState.VERIFIED)
        return Outcome(JobState.CANCELLED, f"{last.seen} of {self._job.total} had arrived")

    def _verify(self, claims: Claims) -> NetworkError | None:
        self._queue.set_state(self._job, JobState.VERIFYING)
        enough = self._job.total if claims.error is None and not claims.failed else claims.there
        try:
            for _ in self._verification.watch(self._verify_seconds, enough):
                self._mark(self._verification)
        except NetworkError as error:
            return error
        finally:
            self._mark(self._verification)
        return None

    def _mark(self, verification: Verification) -> None:
        if news := verification.news():
            self._queue.mark_verified(self._job, news)

    def _move(self, plan: Plan, claims: Claims) -> None:
        for target, count in requests(plan, self._verification.missing):
            try:
                self._request(target, count, claims)
            except NetworkError as error:
                claims.error = claims.error or error
                self._queue.note(self._job.id, f"C-MOVE of {_named(target)}: {error}")
                if not isinstance(error, Refused) or error.status in (None, _DESTINATION_UNKNOWN):
                    break  # the next target would fare the same
        self._report(claims.there, final=True)

    def _request(self, target: Target, count: int, claims: Claims) -> None:
        """One C-MOVE (PS3.4 C.4.2); NetworkError where it failed as a whole."""
        self._queue.note(self._job.id, f"C-MOVE of {_named(target)} ({count}) to {self._title}")
        base = claims.there
        last: Progress | None = None
        for last in self._progress(target):
            # Counters are the peer's word, and wrap at 16 bits: never more than was asked for.
            claims.there = max(claims.there, base + min(last.completed + last.warning, count))
            self._report(claims.there, final=not last.pending)
        if last is None or last.pending:
            raise Unreachable(f"{self._job.source} ended the C-MOVE without a final answer.", "unexpected")
        if not _ran(last.status):
            code = f"status:C-MOVE:{last.status:04X}"
            raise Refused(f"{self._job.source} answered status {last.status:04X}.", code, status=last.status)
        failed = min(max(last.failed, len(last.failed_uids)), count)
        claims.failed += failed
        claims.there = max(claims.there, base + count - failed)
        if last.failed_uids:
            named = ", ".join(last.failed_uids[:10]) + (" ..." if len(last.failed_uids) > 10 else "")
            self._queue.note(self._job.id, f"{self._job.source} failed to send {len(last.failed_uids)}: {named}")

    def _progress(self, target: Target) -> Iterator[Progress]:
        try:
            yield from self._source.move(target, self._title, self._cancel)
        except Cancelled as error:
            if self._cancel.is_set():
                raise
            code = f"status:C-MOVE:{_CANCELLED:04X}"  # nobody here asked for it: somebody at the source did
            raise Refused(f"{self._job.source} cancelled the C-MOVE.", code, status=_CANCELLED) from error

    def _report(self, sent: int, final: bool) -> None:
        now = time.monotonic()
        self._pace.add(now, sent)
        if final or now - self._reported >= _REPORT_SECONDS:
            self._reported = now
            self._queue.progress(self._job, sent, self._pace.rate)


class Pace:
    """Instances a second over the last few seconds."""

    WINDOW = 5.0
    SHORTEST = 0.2

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def add(self, now: float, count: int) -> None:
        self._samples.append((now, count))
        while len(self._samples) > 2 and self._samples[1][0] < now - self.WINDOW:
            self._samples.popleft()

    @property
    def rate(self) -> float | None:
        """None until there is enough to measure."""
        if len(self._samples) < 2:
            return None
        (start, first), (end, last) = self._samples[0], self._samples[-1]
        return (last - first) / (end - start) if end - start >= self.SHORTEST else None


def _ran(status: int) -> bool:
    """True for success and warnings (PS3.7 C): the sub-operations were performed, perhaps not all of them well."""
    return status in (0x0000, 0x0001, 0x0107, 0x0116) or 0xB000 <= status <= 0xBFFF


def _named(target: Target) -> str:
    uid = target.series_uid or target.study_uid
    some = f"{len(target.instance_uids)} instances of series" if target.instance_uids else target.level.word
    return f"{some} {uid}"
