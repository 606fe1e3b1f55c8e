"""Nodes out of the configuration of other DICOM systems: DCMTK's dcmqrscp.cfg and Orthanc's JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pacs_tui.errors import StorageError, UsageError
from pacs_tui.model.node import Node
from pacs_tui.model.text import printable

_LARGEST_FILE = 4 << 20
_ENTRY = re.compile(r"(?P<name>[^\s=(),]+)\s*=\s*\((?P<values>[^()]*)\)")
_GROUP = re.compile(r"[^\s=(),]+\s*=\s*[^\s=(),]+(?:\s*,\s*[^\s=(),]+)*")
_COMMENT_OR_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_JSON_BEGINS = re.compile(r"(?:\s|//[^\n]*\n|/\*.*?\*/)*[{\[]", re.DOTALL)


def read_nodes(path: Path) -> list[Node]:
    """The nodes a configuration file names, in its order; which kind of file it is, its content tells.

    Raises UsageError, naming the line or the entry, for anything that cannot be read as a node, and StorageError where
    the file cannot be read at all.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}.") from error
    if len(content) > _LARGEST_FILE:
        raise UsageError(f"{path} has {len(content)} bytes; that is no configuration file.")
    text = content.decode("utf-8-sig", "replace").replace("\r\n", "\n")
    nodes = list(_orthanc(path, text) if _JSON_BEGINS.match(text) else _dcmqrscp(path, text))
    if not nodes:
        raise UsageError(f"{path} names no nodes.")
    for node in nodes:
        if sum(other.name == node.name for other in nodes) > 1:
            raise UsageError(f"{path} names two nodes {node.name}.")
    return nodes


def _dcmqrscp(path: Path, text: str) -> Iterator[Node]:
    """The HostTable: `name = (AETITLE, host, port)`; groups of names (`group = name, name`) are no nodes."""
    inside = found = False
    for number, line in enumerate(text.split("\n"), 1):
        words = line.partition("#")[0].strip()
        marks = words.lower().split()
        if marks[:2] in (["hosttable", "begin"], ["hosttable", "end"]):
            inside, found = marks[1] == "begin", True
        elif inside and words:
            if entry := _ENTRY.fullmatch(words):
                yield _host(f"{path}, line {number}", entry["name"], entry["values"])
            elif not _GROUP.fullmatch(words):
                raise UsageError(
                    f"{path}, line {number}: {printable(words)!r} is neither `name = (AETITLE, host, port)`"
                    " nor a group."
                )
    if not found:
        raise UsageError(f"{path} is neither a dcmqrscp.cfg (no HostTable BEGIN) nor Orthanc's JSON.")
    if inside:
        raise UsageError(f"{path}: HostTable END is missing.")


def _host(place: str, name: str, values: str) -> Node:
    parts = [part.strip() for part in values.split(",")]
    if len(parts) != 3:
        raise UsageError(f"{place}: {name} has {len(parts)} values; expected (AETITLE, host, port).")
    return _made(place, name, *parts)


def _orthanc(path: Path, text: str) -> Iterator[Node]:
    """`DicomModalities`, as an object of arrays or of objects; the file may be that object itself."""
    plain = _without_comments(text)
    try:
        document = json.loads(plain)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: this is not JSON: {error}.") from None
    modalities = document.get("DicomModalities", document) if isinstance(document, dict) else None
    if not isinstance(modalities, dict):
        raise UsageError(f'{path}: "DicomModalities" is missing, or is no JSON object.')
    for name, value in modalities.items():
        line = next((i for i, row in enumerate(plain.split("\n"), 1) if json.dumps(name) in row), 1)
        place = f"{path}, line {line}"
        if isinstance(value, list) and len(value) >= 3:
            yield _made(place, name, *value[:3])
        elif isinstance(value, dict):
            given = {key.lower(): each for key, each in value.items()}
            yield _made(place, name, *(given.get(key) for key in ("aet", "host", "port")))
        else:
            raise UsageError(
                f'{place}: {printable(name)!r} is no modality; expected ["AET", "host", port] or'
                ' {"AET": ..., "Host": ..., "Port": ...} below "DicomModalities".'
            )


def _without_comments(text: str) -> str:
    """The JSON without // and /* */, which Orthanc allows; line numbers stay, and so does // inside a string."""

    def blank(found: re.Match[str]) -> str:
        return found[0] if found[0].startswith('"') else re.sub(r"[^\n]", " ", found[0])

    return _COMMENT_OR_STRING.sub(blank, text)


def _made(place: str, name: str, title: Any, host: Any, port: Any) -> Node:
    """The node, under a name that the book takes; UsageError begins with the place."""
    shown = printable(name)
    for what, value in (("AE title", title), ("host", host)):
        if not isinstance(value, str):
            raise UsageError(f"{place}: the {what} of {shown} is {value!r}; expected text.")
    digits = str(port) if isinstance(port, (int, str)) and not isinstance(port, bool) else ""
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 5):
        raise UsageError(f"{place}: the port of {shown} is {port!r}; expected a number from 1 to 65535.")
    try:
        return Node(_book_name(name), title, host, int(digits))
    except UsageError as error:
        raise UsageError(f"{place}: {error}") from None


def _book_name(name: str) -> str:
    # Other systems allow names the book does not; the nearest that it takes keeps them recognizable.
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-_.")[:32] or name
