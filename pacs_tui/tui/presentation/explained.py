"""Failures as lines for people: the sentence, and what explain.py knows about it."""

from __future__ import annotations

from collections.abc import Mapping

from pacs_tui.errors import NetworkError, PacsError
from pacs_tui.tui.presentation.line import Line, span


def explained(code: str, facts: Mapping[str, str]) -> list[Line]:
    """What happened, why, what to do and what to ask, each under its heading."""
    # the tables of explanations are not read before something has failed
    from pacs_tui.explain import explain

    found = explain(code, facts)
    parts = (
        ("What happened", found.happened),
        ("Likely cause", found.cause),
        ("Next step", found.next_step),
        ("Ask the other side", found.ask),
    )
    lines: list[Line] = []
    for heading, words in parts:
        if words:
            lines += [((heading, "title"),), *((span(part),) for part in words.split("\n")), ()]
    return lines[:-1]


def failure(error: PacsError) -> list[Line]:
    """The sentence of an error, and its explanation where a peer is behind it."""
    lines: list[Line] = [(span(part, "bad"),) for part in str(error).split("\n")]
    if isinstance(error, NetworkError):
        lines += [(), *explained(error.code, error.facts)]
    return lines


_SHORT = {
    "tcp:refused": "refused",
    "tcp:unresolved": "no such host",
    "timeout": "timeout",
    "tcp": "no route",
    "rj": "rejected",
    "abort": "aborted",
    "context": "no service",
    "closed": "hung up",
    "tls": "TLS",
    "status": "error",
}


def short(error: PacsError) -> str:
    """One or two words for a narrow column."""
    if not isinstance(error, NetworkError):
        return "error"
    return _SHORT.get(error.code) or _SHORT.get(error.code.partition(":")[0], "failed")
