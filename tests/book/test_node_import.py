"""Nodes from the files administrators already have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs_tui.book.node_import import read_nodes
from pacs_tui.errors import StorageError, UsageError
from pacs_tui.model.node import Node

DCMQRSCP = """\
# Global Configuration Parameters
NetworkTCPPort  = 11112
MaxPDUSize      = 16384

HostTable BEGIN
# a comment
acme1           = (ACME1, acmehost1, 5678)
acme2 = ( ACME 2 ,10.0.0.2,104 )   # trailing
acmeCTcompany   = acme1, acme2
alone = acme1
HostTable END

VendorTable BEGIN
"Acme CT Company" = acmeCTcompany
VendorTable END

AETable BEGIN
ACME_STORE  /home/dicom  RW (200, 1024mb)  ANY
AETable END
"""

ORTHANC = """\
/** Orthanc's configuration
 * spans lines */
{
  // "DicomModalities" : "not this one",
  "Name" : "a // no comment /* either */ \\" quoted",
  "DicomModalities" : {
    "ortho1" : [ "ORTHO1", "10.0.0.3", 11113, "GenericNoWildcardInDates" ], // a list
    "med" : { "AET" : "MED1", "Host" : "med.example", "Port" : 104, "AllowEcho" : false },
    "with space" : [ "OT", "::1", "4000" ]
  }
}
"""


def read(tmp_path: Path, text: str) -> list[Node]:
    path = tmp_path / "config"
    path.write_text(text)
    return read_nodes(path)


def test_the_host_table_of_dcmqrscp(tmp_path: Path) -> None:
    expected = [Node("acme1", "ACME1", "acmehost1", 5678), Node("acme2", "ACME 2", "10.0.0.2", 104)]
    assert read(tmp_path, DCMQRSCP) == expected
    (tmp_path / "dos").write_bytes(b"\xef\xbb\xbf" + DCMQRSCP.replace("\n", "\r\n").encode())
    assert read_nodes(tmp_path / "dos") == expected


def test_the_modalities_of_orthanc(tmp_path: Path) -> None:
    expected = [
        Node("ortho1", "ORTHO1", "10.0.0.3", 11113),
        Node("med", "MED1", "med.example", 104),
        Node("with-space", "OT", "::1", 4000),
    ]
    assert read(tmp_path, ORTHANC) == expected
    assert read(tmp_path, '{"med": ["MED1", "med.example", 104]}') == [expected[1]]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is neither a dcmqrscp.cfg"),
        ("just words", "is neither a dcmqrscp.cfg"),
        ("HostTable BEGIN\nHostTable END\n", "names no nodes"),
        ("HostTable BEGIN\na = (A, b, 1)\n", "HostTable END is missing"),
        ("#\nHostTable BEGIN\na (A, b, 1)\nHostTable END", "line 3: 'a (A, b, 1)' is neither"),
        ("HostTable BEGIN\na = (A, b)\nHostTable END", "line 2: a has 2 values"),
        ("HostTable BEGIN\na = (A, b, x)\nHostTable END", "line 2: the port of a is 'x'"),
        ("HostTable BEGIN\na = (A, b, 70000)\nHostTable END", "line 2: Node a: port 70000 is not between"),
        ("HostTable BEGIN\na = (A, b, 1)\na = (A, b, 2)\nHostTable END", "names two nodes a"),
        ('{"DicomModalities": {', "this is not JSON"),
        ('{"DicomModalities": []}', "is no JSON object"),
        ("[1]", "is no JSON object"),
        ('{"DicomModalities": {\n"m": 5}}', "line 2: 'm' is no modality"),
        ('{"DicomModalities": {"m": ["A", "b"]}}', "'m' is no modality"),
        ('{"DicomModalities": {"m": [1, "b", 2]}}', "the AE title of m is 1; expected text"),
        ('{"DicomModalities": {"m": {"AET": "A", "Port": 1}}}', "the host of m is None"),
        ('{"DicomModalities": {"m": ["A", "b", true]}}', "the port of m is True"),
        ('{"DicomModalities": {}}', "names no nodes"),
        ("[" * 100_000, "this is not JSON"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, text)
    assert str(tmp_path / "config") in str(caught.value)
    assert sentence in str(caught.value)


def test_a_missing_or_huge_file(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be read: No such file"):
        read_nodes(tmp_path / "none")
    with pytest.raises(UsageError, match="is no configuration file"):
        read(tmp_path, " " * (5 << 20))


names = st.text("abcdefghijklmnopqrstuvwxyz0123456789_", min_size=1, max_size=10).filter(lambda n: n[0] != "_")
titles = st.text("ABCXYZ_019", min_size=1, max_size=16)
entries = st.dictionaries(
    names, st.tuples(titles, st.sampled_from(["10.0.0.1", "a.example"]), st.integers(1, 65535)), min_size=1
)


@given(entries)
def test_both_kinds_of_file_give_the_same_nodes(
    tmp_path_factory: pytest.TempPathFactory, table: dict[str, tuple[str, str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("import")
    hosts = "".join(f"{name} = ({title},{host} , {port})\n" for name, (title, host, port) in table.items())
    expected = [Node(name.strip("_"), *values) for name, values in table.items()]
    if len({node.name for node in expected}) == len(expected):
        assert read(folder, f"HostTable BEGIN\n{hosts}HostTable END\n") == expected
        assert read(folder, json.dumps({"DicomModalities": table})) == expected


@given(
    st.text(), st.sampled_from(["{}", "HostTable BEGIN\n{}\nHostTable END", '{{"DicomModalities": {}}}', "/*{}*/ {{"])
)
def test_any_file_gives_nodes_or_a_sentence(tmp_path_factory: pytest.TempPathFactory, text: str, frame: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(frame.format(text).encode("utf-8", "surrogatepass"))
    try:
        assert read_nodes(path)
    except UsageError:
        return
