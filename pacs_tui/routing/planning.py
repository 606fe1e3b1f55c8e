"""Planning: asking the source which instances a transfer consists of, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from threading import Event

from pacs_tui.errors import Cancelled, NotFound, Refused, UsageError
from pacs_tui.model.job import Plan, PlannedInstance
from pacs_tui.model.level import Level, Root
from pacs_tui.model.match import Match
from pacs_tui.model.node import Node
from pacs_tui.model.query import Query, by_uid
from pacs_tui.model.text import printable
from pacs_tui.model.transfer import Target, is_uid
from pacs_tui.routing.peers import QueryPeer
from pacs_tui.routing.targets import collapse, within


class Planner:
    """Turns what was marked into the exact set of instances the source holds of it."""

    def __init__(self, peer_for: Callable[[str], QueryPeer], node_for: Callable[[str], Node]) -> None:
        self._peer_for = peer_for
        self._node_for = node_for

    def plan(
        self, source: str, destination: str, label: str, targets: Sequence[Target], cancel: Event | None = None
    ) -> Plan:
        """Asks `source` with hierarchical C-FINDs (PS3.4 C.4.1.2.1) down to every instance.

        Targets that overlap are planned once; a patient becomes the studies it has now. Raises UsageError where the
        pair of nodes or a target cannot be used, NotFound where the source holds nothing of a target, NetworkError
        where it cannot be asked, Cancelled.
        """
        check_route(self._node_for(source), self._node_for(destination))
        if not targets:
            raise UsageError("Nothing is marked: there is nothing to move.")
        inquiry = _Inquiry(source, self._peer_for(source), cancel)
        kept = collapse(part for target in collapse(targets) for part in inquiry.parts(target))
        found: dict[str, PlannedInstance] = {}
        for target in kept:
            for instance in _some(inquiry, target, source):
                found.setdefault(instance.sop_instance, instance)
        return Plan(source, destination, label, kept, tuple(found.values()))


def check_route(source: Node, destination: Node) -> None:
    """Raises UsageError where nothing may be sent from one node to the other."""
    here, there = (node.host.lower() for node in (source, destination))
    if source.name == destination.name or (here, source.port, source.ae_title) == (
        there, destination.port, destination.ae_title,
    ):  # fmt: skip
        raise UsageError(f"Source and destination are the same node ({source.name}): choose another destination.")
    if destination.readonly:
        raise UsageError(f"{destination.name} is marked read-only: nothing is sent to it.")


def _some(inquiry: _Inquiry, target: Target, source: str) -> list[PlannedInstance]:
    found = within(target, inquiry.instances(target))
    absent = set(target.instance_uids) - {instance.sop_instance for instance in found}
    if absent:
        raise NotFound(f"{source} does not hold instance {min(absent)} ({len(absent)} of {len(target.instance_uids)}).")
    if not found:
        raise NotFound(f"{source} holds no instances of {target.level.word} {target.series_uid or target.study_uid}.")
    return found


class _Inquiry:
    """C-FINDs at one source. Answers outside of what was asked for are dropped: some peers ignore a key."""

    def __init__(self, source: str, peer: QueryPeer, cancel: Event | None) -> None:
        self._source = source
        self._peer = peer
        self._cancel = cancel

    def parts(self, target: Target) -> list[Target]:
        """The studies of a patient; any other target as it is."""
        if target.level is not Level.PATIENT:
            return [target]
        # Study Root: every archive has it, and it asks for a patient's studies just as well (PS3.4 C.6.2.1).
        keys = (("PatientID", target.patient_id), ("StudyInstanceUID", ""))
        uids = self._uids(Query(Level.STUDY, Root.STUDY, keys), PatientID=target.patient_id)
        if not uids:
            raise NotFound(f"{self._source} holds no studies of patient {printable(target.patient_id)}.")
        return [Target(Level.STUDY, target.patient_id, uid) for uid in uids]

    def instances(self, target: Target) -> Iterator[PlannedInstance]:
        study_uid = target.study_uid
        series = [target.series_uid] if target.series_uid else self._uids(by_uid(Level.SERIES, study_uid), study_uid)
        for series_uid in series:
            query = by_uid(Level.IMAGE, study_uid, series_uid)
            for match in self._matches(query, StudyInstanceUID=study_uid, SeriesInstanceUID=series_uid):
                sop_class = _stripped(match, "SOPClassUID")
                yield PlannedInstance(study_uid, series_uid, self._uid(match), sop_class if is_uid(sop_class) else "")

    def _uids(self, query: Query, study_uid: str = "", **asked: str) -> list[str]:
        if study_uid:
            asked["StudyInstanceUID"] = study_uid
        return list(dict.fromkeys(self._uid(match) for match in self._matches(query, **asked)))

    def _matches(self, query: Query, **asked: str) -> Iterator[Match]:
        for match in self._peer.find(query, self._cancel):
            if self._cancel is not None and self._cancel.is_set():
                raise Cancelled("Planning was cancelled.")
            if all(_stripped(match, keyword) in ("", value.strip()) for keyword, value in asked.items()):
                yield match

    def _uid(self, match: Match) -> str:
        uid = _stripped(match, match.level.key)
        if not is_uid(uid):
            raise Refused(
                f"{self._source} answered with a {match.level.word} whose UID is {printable(uid)[:64]!r}.",
                "unexpected",
                node=self._source,
            )
        return uid


def _stripped(match: Match, keyword: str) -> str:
    return match.get(keyword).strip(" \0")
