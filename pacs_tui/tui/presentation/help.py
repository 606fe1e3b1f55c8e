"""The help of a view, made from the keys it really has."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from textual.binding import Binding

from pacs_tui.model.query import FIELDS
from pacs_tui.tui.commands import COMMANDS
from pacs_tui.tui.presentation.line import Line, span

_KEY_CELLS = 16


def bindings_of(cls: type[Any]) -> list[Binding]:
    """The described bindings a class declares itself."""
    declared = cls.__dict__.get("BINDINGS", [])
    return [binding for binding in Binding.make_bindings(declared) if binding.description]


def key_lines(bindings: Iterable[Binding], display: Callable[[Binding], str]) -> list[Line]:
    """One line for each thing keys do; keys that do the same stand together."""
    keys: dict[str, list[str]] = {}
    for binding in bindings:
        description = "ask node 1 to 9" if binding.action.startswith("choose_node") else binding.description
        shown = keys.setdefault(description, [])
        if display(binding) not in shown:
            shown.append(display(binding))
    return [((f"  {_together(shown):<{_KEY_CELLS}}", "key"), (description, "")) for description, shown in keys.items()]


def field_lines() -> list[Line]:
    """The fields of the query line."""
    lines: list[Line] = [((f"  {field.name + ':':<{_KEY_CELLS}}", "key"), span(field.help)) for field in FIELDS]
    example = "  meier date:-7d mod:CT      the patient's name begins with meier, a CT of the last seven days"
    return [*lines, ((example, "dim"),)]


def command_lines() -> list[Line]:
    """What can be typed after the colon."""
    return [((f"  {f':{c.name} {c.takes}':<{_KEY_CELLS}}", "key"), (c.help, "")) for c in COMMANDS]


def _together(keys: list[str]) -> str:
    return f"{keys[0]}…{keys[-1]}" if len(keys) > 3 else " ".join(keys)
