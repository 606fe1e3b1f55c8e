"""Several serving processes on the same ports, and the one that watches over them.

The supervisor has one thread and no archive of its own, so that it can fork at any time. A child says on its pipe that
it is ready, and what its checks find; silence, a failing check or its death bring a new one.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from pacs_tui.errors import PacsError
from pacs_tui.model.activity import Snapshot, Totals
from pacs_tui.service.notify import Notifier
from pacs_tui.service.reloading import reread
from pacs_tui.service.reports import EVERY_SECONDS, Reporter, sweep
from pacs_tui.service.serving import STOPPING, Part, Serving, Word
from pacs_tui.service.waking import Waking
from pacs_tui.settings import Settings

_log = logging.getLogger(__name__)
_READY, _GOOD, _BAD = b"r", b"+", b"-"
_EARLY_SECONDS = 5.0
"""A child that ends so soon after its start would do so again."""
_PAUSES = (0.0, 0.2, 1.0, 3.0, 10.0, 30.0)
"""Before the first, second ... new start of a child that ends early."""
_BEYOND_GRACE = 5.0
"""After the grace time, before children are killed: a listener breaks off what is left, and the index is closed."""
_SIGNALS = frozenset((*STOPPING, signal.SIGHUP, signal.SIGCHLD))


@dataclass(slots=True)
class _Child:
    """One of the serving processes; another takes its place when it ends."""

    pid: int = 0
    """0 where there is none now."""
    pipe: int = -1
    started: float = 0.0
    good: float = 0.0
    """When its last check passed (monotonic)."""
    ready: bool = False
    trouble: bool = False
    early: int = 0
    """How often in a row it has ended early."""
    due: float = 0.0
    """When the next one is to be started."""


@dataclass(slots=True)
class _Asked:
    """What signals have asked for since we last looked."""

    stop: bool = False
    reload: bool = False


class Supervisor:
    """Starts as many serving processes as settings say, and ends when it is told to."""

    def __init__(
        self, settings: Settings, environ: Mapping[str, str], part: Part, notifier: Notifier,
        ready: Callable[[], None],
    ) -> None:  # fmt: skip
        """`part` is what each child is told; its lifeline is ours. `ready` is called once, when all of them serve."""
        self._settings = settings
        self._environ = environ
        self._part = part
        self._notifier = notifier
        self._ready: Callable[[], None] | None = ready
        self._children = [_Child() for _ in range(settings.archive.processes)]
        self._asked = _Asked()
        self._waking = Waking()
        # children live as long as somebody holds the other end
        self._lifeline, self._life = os.pipe2(os.O_CLOEXEC)
        self._reporter = Reporter(settings.state, "supervising", {})
        self._next = _Next()

    def run(self) -> None:
        """Until SIGTERM, SIGINT or the end of the lifeline, and until every child has ended."""
        sweep(self._settings.state)
        for number in STOPPING:
            signal.signal(number, lambda *_: setattr(self._asked, "stop", True))
        signal.signal(signal.SIGHUP, lambda *_: setattr(self._asked, "reload", True))
        signal.signal(signal.SIGCHLD, lambda *_: None)
        # what is here now stays on pages that all processes share
        gc.collect()
        gc.freeze()
        try:
            while not self._asked.stop:
                self._reap()
                self._start_due()
                self._replace_hung()
                self._tell()
                self._listen()
                if self._asked.reload:
                    self._reload()
        finally:
            self._drain()

    # ------------------------------------------------------------------ children

    def _start_due(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if not child.pid and now >= child.due:
                self._start(child)

    def _start(self, child: _Child) -> None:
        pipe, told = os.pipe2(os.O_CLOEXEC)
        # a signal that comes between the fork and the child's own handlers has to wait
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        pid = os.fork()
        if not pid:
            self._be_child(told, pipe)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        os.close(told)
        os.set_blocking(pipe, False)
        now = time.monotonic()
        child.pid, child.pipe, child.started, child.good = pid, pipe, now, now
        child.ready = child.trouble = False

    def _be_child(self, told: int, pipe: int) -> None:
        """Serve, and end the process; nothing of the parent's stack is unwound."""
        code = 1
        try:
            os.close(pipe)
            os.close(self._life)
            self._waking.close()
            for other in self._children:
                if other.pipe >= 0:
                    os.close(other.pipe)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            part = replace(self._part, lifeline=self._lifeline, share=len(self._children))
            serving = Serving(self._settings, self._environ, part, _word(told))
            serving.heed_signals()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            serving.run()
            code = 0
        except PacsError as error:
            _log.error("a serving process cannot start: %s", error)
        except Exception:  # noqa: BLE001  the log is all that is left of a child
            _log.exception("a serving process ended by an error of ours")
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.flush()
            os._exit(code)

    def _reap(self) -> None:
        """Note which children have ended, and when others are to take their places."""
        for child in self._children:
            if not child.pid:
                continue
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if not pid:
                continue
            now = time.monotonic()
            early = not child.ready or now - child.started < _EARLY_SECONDS
            pause = _PAUSES[min(child.early, len(_PAUSES) - 1)] if early else 0.0
            if not self._asked.stop:
                _log.error(
                    "serving process %d %s: another one starts%s",
                    pid, _ending(status), f" in {pause:g} s" if pause else "",
                )  # fmt: skip
            os.close(child.pipe)
            child.pid, child.pipe = 0, -1
            child.early = child.early + 1 if early else 0
            child.due = now + pause
            sweep(self._settings.state)

    def _replace_hung(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if child.pid and now - child.good > self._settings.archive.hung_seconds:
                _log.error("serving process %d has passed no check for %.0f s: killed", child.pid, now - child.good)
                os.kill(child.pid, signal.SIGKILL)
                child.good = now

    # ------------------------------------------------------------------ listening and telling

    def _listen(self) -> None:
        """Wait for a signal, a child's word, the end of our lifeline, or the next thing that is due."""
        lifeline = [] if self._part.lifeline is None else [self._part.lifeline]
        now = time.monotonic()
        due = [child.due for child in self._children if not child.pid]
        seconds = min([EVERY_SECONDS, *(max(0.0, moment - now) for moment in due)])
        pipes = {child.pipe: child for child in self._children if child.pid}
        for number in self._waking.wait(seconds, [*pipes, *lifeline]):
            if number in pipes:
                self._hear(pipes[number])
            elif not os.read(number, 4096):
                self._asked.stop = True

    def _hear(self, child: _Child) -> None:
        try:
            words = os.read(child.pipe, 4096)
        except BlockingIOError:
            return
        if not words:
            # it has ended, or is about to: the kernel tells us next
            self._waking.wait(0.05)
            return
        if _READY in words:
            child.ready = True
        if words[-1:] in (_GOOD, _READY):
            child.good = time.monotonic()
        child.trouble = words.endswith(_BAD)
        if self._ready is not None and all(one.ready for one in self._children):
            self._ready()
            self._ready = None
            self._notifier.ready(self._summary())

    def _tell(self) -> None:
        """Our own report, and the watchdog's ration while every child does well."""
        now = time.monotonic()
        if now >= self._next.report:
            self._next.report = now + EVERY_SECONDS
            self._reporter.write(Snapshot((), Totals()), 0, "")
        if self._ready is None and self._notifier.interval and now >= self._next.alive:
            self._next.alive = now + self._notifier.interval
            stale = max(2 * self._part.every + 5.0, self._part.every * 3)
            if all(child.pid and not child.trouble and now - child.good < stale for child in self._children):
                self._notifier.alive()
            self._notifier.status(self._summary())

    def _summary(self) -> str:
        serving = sum(1 for child in self._children if child.pid and child.ready)
        troubled = sum(child.trouble for child in self._children)
        text = f"{serving} of {len(self._children)} processes serve"
        return f"{text}, {troubled} in trouble" if troubled else text

    def _reload(self) -> None:
        self._asked.reload = False
        self._notifier.reloading()
        settings = reread(self._settings, self._environ)
        if settings is not None:
            self._settings = settings
            self._signal(signal.SIGHUP)
        self._notifier.ready()

    # ------------------------------------------------------------------ end

    def _drain(self) -> None:
        """Let the children end what they do; kill those that do not."""
        self._asked.stop = True
        _log.info("stopping: open operations may end")
        self._notifier.stopping()
        for sock in self._part.sockets:
            sock.close()
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + self._settings.archive.grace_seconds + _BEYOND_GRACE
        while any(child.pid for child in self._children):
            self._reap()
            if time.monotonic() > deadline:
                _log.error("serving processes that do not end are killed")
                self._signal(signal.SIGKILL)
                deadline += _BEYOND_GRACE
            if any(child.pid for child in self._children):
                self._waking.wait(min(1.0, max(0.0, deadline - time.monotonic())))
        self._reporter.remove()
        os.close(self._life)
        os.close(self._lifeline)
        self._waking.close()

    def _signal(self, number: int) -> None:
        for child in self._children:
            if child.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child.pid, number)


@dataclass(slots=True)
class _Next:
    """When something is said again (monotonic)."""

    report: float = field(default=0.0)
    alive: float = field(default=0.0)


def _word(told: int) -> Word:
    """What a child says to us; nobody listening is for the lifeline to notice."""

    def say(letter: bytes) -> None:
        with contextlib.suppress(OSError):
            os.write(told, letter)

    return Word(
        ready=lambda: say(_READY), checked=lambda trouble: say(_BAD if trouble else _GOOD),
        reloading=lambda: None, reloaded=lambda: None, stopping=lambda: None,
    )  # fmt: skip


def _ending(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"was ended by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"ended with {os.WEXITSTATUS(status)}"
