"""Every rejection, abort, status and socket error -> what happened, the likely cause, the next step, what to ask.

The words are the same in the console, on the command line and in JSON; they stand in explanations.py and
explanations_status.py, keyed by the codes of errors.NetworkError. Facts that fill their placeholders: node, host,
port, called and calling (the peer that was asked), comment (its ErrorComment), destination, destination_host and
destination_port (AE title and address instances were to go to), held and total (verification), path, worker.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct
from msgspec.structs import asdict

from pacs_tui.explanations import ABORTS, CONNECTION, NEUTRAL, OUR_SIDE, REJECTIONS, Entry
from pacs_tui.explanations_status import STATUSES

TABLE: dict[str, Entry] = {**CONNECTION, **REJECTIONS, **ABORTS, **STATUSES, **OUR_SIDE}

_LONGEST_FACT = 200


class Explanation(Struct, frozen=True):
    """Advice for an administrator; plain sentences, `ask` may have several lines."""

    happened: str
    cause: str
    next_step: str
    ask: str
    """What to ask or send to the administrator of the other side."""


def explain(code: str, facts: Mapping[str, str]) -> Explanation:
    """The explanation of a code; a general one that names the code where the table has none. Never raises."""
    entry = next((TABLE[key] for key in _keys(code) if key in TABLE), TABLE["unknown"])
    words = _Words(_derived(code) | {name: _printable(value) for name, value in facts.items() if value})
    happened, cause, next_step, ask = (template.format_map(words) for template in entry)
    if code.startswith("rj:2:"):
        next_step += " The peer calls this transient: the same request may succeed later."
    if comment := words.given.get("comment"):
        happened += f' It says: "{comment}".'
    return Explanation(happened, cause, next_step, ask)


def as_lines(explanation: Explanation) -> list[str]:
    """For terminals: one labelled line each, further lines of a text indented below it."""
    labels = {"happened": "Happened", "cause": "Likely cause", "next_step": "Next step", "ask": "Ask them"}
    lines: list[str] = []
    for name, label in labels.items():
        first, *more = getattr(explanation, name).split("\n")
        lines.append(f"{label + ':':<14}{first}")
        lines.extend(" " * 14 + line for line in more)
    return lines


def as_dict(explanation: Explanation) -> dict[str, str]:
    """For JSON."""
    return asdict(explanation)


def _keys(code: str) -> Iterator[str]:
    """The keys to look up, the narrowest first."""
    yield code
    kind, *parts = code.split(":")
    if kind == "rj" and len(parts) == 3:
        yield f"rj:{parts[1]}:{parts[2]}"
    elif kind == "abort" and parts:
        yield f"abort:{parts[0]}"
    elif kind == "status" and len(parts) == 2:
        service, status = parts[0], parts[1].upper()
        forms = (status, f"{status[:2]}xx", f"{status[:1]}xxx")
        yield from (f"status:{service}:{forms[0]}", f"status:*:{forms[0]}")
        yield from (f"status:{who}:{form}" for who in (service, "*") for form in forms[1:])
    yield kind


def _derived(code: str) -> dict[str, str]:
    """The facts that the code itself holds."""
    kind, _, rest = _printable(code).partition(":")
    derived = {"code": _printable(code) or "(none)"}
    if kind == "rj":
        derived["lasting"] = "for now" if rest.startswith("2") else "for good"
    elif kind == "context" and rest:
        derived["what"] = rest
    elif kind == "status" and rest:
        derived["status"] = rest.rpartition(":")[2]
    return derived


class _Words(dict[str, str]):
    """Fills every placeholder: a given fact, else a neutral word, else the name of the fact."""

    def __init__(self, given: dict[str, str]) -> None:
        super().__init__(given)
        self.given = given

    def __missing__(self, name: str) -> str:
        if name == "Node":
            return self.given.get("node") or "The peer"
        if name == "symbol":
            # A name that dcmqrscp.cfg and Orthanc both take.
            return re.sub(r"[^a-z0-9_]", "_", self.given.get("destination", "destination").lower())
        return NEUTRAL.get(name, name)


def _printable(value: object) -> str:
    """Text of a peer without anything that drives a terminal; model.text is a sibling and cannot be asked."""
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(value)[:_LONGEST_FACT])
    return shown.strip()
