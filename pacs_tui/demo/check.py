"""The main job by script: find it, see it, route it, know that it arrived."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from pacs_tui.errors import NetworkError, PacsError
from pacs_tui.model.job import JobState
from pacs_tui.model.level import Level
from pacs_tui.model.match import Match
from pacs_tui.model.picture import Canvas
from pacs_tui.model.query import children, parse
from pacs_tui.model.text import printable
from pacs_tui.model.transfer import Target
from pacs_tui.station import Station

SOURCE, DESTINATION = "MED1", "ORTHO1"
_PATIENCE = 120.0
_CANVAS = Canvas(60, 20, 10, 20, "quadrant", "truecolor", "cells")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the main job and what came of it."""

    ok: bool
    what: str

    def __str__(self) -> str:
        return f"{'ok    ' if self.ok else 'FAILED'}  {self.what}"


def play(station: Station) -> Iterator[Step]:
    """Every step on the real parts; ends after the first that fails."""
    try:
        yield from _echo_all(station)
        found = list(station.peer(SOURCE).find(parse("mod:CT", date.today())))
        yield Step(bool(found), f"find mod:CT at {SOURCE}: {len(found)} studies")
        study = _to_route(station, found)
        yield Step(study is not None, f"one of them is not yet at {DESTINATION}: {_named(study)}")
        if study is not None:
            yield from _see(station, study)
            yield from _route(station, study)
    except PacsError as error:
        yield Step(False, str(error))


def _echo_all(station: Station) -> Iterator[Step]:
    for node in station.book.nodes():
        try:
            for echo in station.peer(node.name).echo():
                yield Step(True, f"echo {node.name}: {echo.milliseconds:.1f} ms")
        except NetworkError as error:
            yield Step(False, f"echo {node.name}: {error}")


def _to_route(station: Station, found: list[Match]) -> Match | None:
    """The study with most instances that the destination lacks; when it has them all, the largest one again."""
    held = {match.uid for match in station.peer(DESTINATION).find(parse("mod:CT", date.today()))}
    by_size = sorted(found, key=lambda match: match.count("NumberOfStudyRelatedInstances") or 0, reverse=True)
    return next((match for match in by_size if match.uid not in held), by_size[0] if by_size else None)


def _see(station: Station, study: Match) -> Iterator[Step]:
    series = list(station.peer(SOURCE).find(children([study])))
    yield Step(bool(series), f"open the study: {len(series)} series")
    largest = max(series, key=lambda match: match.count("NumberOfSeriesRelatedInstances") or 0)
    target = Target(Level.SERIES, "", study.uid, largest.uid)
    began = time.perf_counter()
    picture = station.viewer.picture(SOURCE, target, _CANVAS, threading.Event())
    spent = (time.perf_counter() - began) * 1000
    greys = len(set(zip(*[iter(picture.foreground)] * 3, strict=True)))
    yield Step(
        greys > 8, f"see its middle slice: {greys} shades in {picture.columns}x{picture.rows} cells, {spent:.0f} ms"
    )


def _route(station: Station, study: Match) -> Iterator[Step]:
    plan = station.planner.plan(SOURCE, DESTINATION, _named(study), [Target(Level.STUDY, "", study.uid)])
    yield Step(True, f"plan {SOURCE} -> {DESTINATION}: {plan.series} series, {len(plan.instances)} instances")
    job = station.queue.enqueue(plan)
    station.launch_worker()
    waiting = threading.Event()
    deadline = time.monotonic() + _PATIENCE
    while not job.state.ended and time.monotonic() < deadline:
        waiting.wait(0.1)
        job = station.queue.job(job.id)
    told = f" {job.reason}" if job.reason else ""
    ok = job.state is JobState.VERIFIED
    yield Step(ok, f"job {job.id}: {job.state.value} {job.verified}/{job.total}{told}")


def _named(study: Match | None) -> str:
    if study is None:
        return "none"
    return printable(f"{study.get('PatientName')} {study.get('ModalitiesInStudy')}")
