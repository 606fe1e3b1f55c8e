"""The form of a node."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from pacs_tui.errors import UsageError
from pacs_tui.model.node import Node
from pacs_tui.tui.presentation.line import content, span
from pacs_tui.tui.widgets.key_bar import KeyBar

_FIELDS = (
    ("name", "Name", "what you call it, e.g. ORTHO1"),
    ("ae_title", "AE title", "what it calls itself, e.g. ORTHO1"),
    ("host", "Host", "name or address"),
    ("port", "Port", "104 or 11112"),
    ("calling", "We are", "our AE title towards it; empty: the usual one"),
    ("retrieve", "Previews", "auto, get or move"),
    ("charset", "Charset", "assumed where it names none, e.g. ISO_IR 100"),
    ("readonly", "Read-only", "yes or no; to a read-only node nothing is ever sent"),
    ("comment", "Comment", ""),
)
_USUAL = {"retrieve": "auto", "readonly": "no"}


class NodeDialog(ModalScreen[Node | None]):
    """Dismisses with a node that can be saved, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel"),
        Binding("ctrl+s", "save", "save"),
        Binding("up", "app.focus_previous", "field above", show=False),
        Binding("down", "app.focus_next", "field below", show=False),
    ]

    def __init__(self, node: Node | None, taken: frozenset[str] = frozenset()) -> None:
        super().__init__()
        self._node, self._taken = node, taken

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as box:
            title = f" Node {self._node.name} " if self._node else " New node "
            box.border_title = content([(span(title, "title"),)])
            for name, label, hint in _FIELDS:
                value = _typed(getattr(self._node, name)) if self._node else _USUAL.get(name, "")
                fixed = name == "name" and self._node is not None
                with Horizontal(classes="field"):
                    yield Static(label, markup=False)
                    yield Input(value, hint, id=name, compact=True, disabled=fixed, select_on_focus=False)
            yield Static(id="problem", markup=False)
        yield KeyBar()

    def on_mount(self) -> None:
        self.query_one("#ae_title" if self._node else "#name").focus()

    @on(Input.Submitted)
    def _entered(self) -> None:
        self.action_save()

    def action_save(self) -> None:
        try:
            node = self._read()
        except UsageError as error:
            self.query_one("#problem", Static).update(content([(span(str(error), "bad"),)]))
            return
        self.dismiss(node)

    def action_cancel(self) -> None:
        self.dismiss(None)

    def _read(self) -> Node:
        values = {name: self.query_one(f"#{name}", Input).value.strip() for name, _, _ in _FIELDS}
        port, readonly = values.pop("port"), values.pop("readonly").lower() or "no"
        if readonly not in ("yes", "no"):
            raise UsageError(f"Read-only is {readonly!r}; write yes or no.")
        if not (port.isascii() and port.isdigit()):
            raise UsageError(f"Port {port!r} is not a number; DICOM's own are 104 and 11112.")
        if self._node is None and values["name"] in self._taken:
            raise UsageError(f"There is a node {values['name']} already; choose another name, or edit that one.")
        values["retrieve"] = values["retrieve"] or "auto"
        return Node(port=int(port), readonly=readonly == "yes", **values)


def _typed(value: object) -> str:
    """A value of a node as it is typed."""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
