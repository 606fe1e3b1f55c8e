"""Success is answered last: the kernel's own account of a C-STORE."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.faults import tracing, wire
from tests.faults.instances import Made
from tests.faults.serving import configure, serving

pytestmark = pytest.mark.interop


def _answers(calls: list[tracing.Call]) -> list[tracing.Call]:
    """The C-STORE-RSPs that left."""
    found = []
    for call in tracing.those(calls, "sendmsg sendto", lambda text: True):
        sent = call.sent()
        if sent[:1] == b"\x04" and wire.parse_command(sent[12:]).get(0x0100) == b"\x01\x80":
            found.append(call)
    return found


def test_a_store_is_written_synced_named_committed_and_only_then_answered(tmp_path: Path) -> None:
    account = tmp_path / "account"
    with serving(configure(tmp_path / "home"), under=tracing.under(account)) as server:
        first, second = server.send(Made(1, 1, 300_000), Made(1, 2, 300_000))
    assert (first.status, second.status) == (0, 0)
    calls = tracing.read(account)
    responses = _answers(calls)
    assert len(responses) == 2
    links = tracing.those(calls, "link linkat", lambda text: "/incoming/" in text)
    assert len(links) == 2, "one name for each instance"
    for link, response in zip(links, responses, strict=True):
        incoming, final = re.findall(r'"(/[^"]+)"', link.text)
        folder = str(Path(final).parent)
        assert not Path(incoming).exists(), "the name in incoming goes in the end"
        _in_order(calls, link, response, incoming, folder, str(server.index))


def _in_order(
    calls: list[tracing.Call], link: tracing.Call, response: tracing.Call, incoming: str, folder: str, index: str
) -> None:
    """write < fdatasync < link < fsync of the folder < log of the index written < synced < C-STORE-RSP."""
    committing = [call for call in calls if link.before(call) and call.before(response)]
    writes = tracing.those(calls, "write writev pwrite64 pwritev", lambda text: f"<{incoming}>" in text)
    [synced] = tracing.those(calls, "fdatasync fsync", lambda text: f"<{incoming}>" in text)
    made = tracing.those(calls, "mkdir mkdirat", lambda text: f'"{folder}"' in text)
    entered = tracing.those(calls, "fsync", lambda text: f"<{Path(folder).parent}>" in text)
    named = tracing.those(committing, "fsync", lambda text: f"<{folder}>" in text)
    logged = tracing.those(committing, "pwrite64 write", lambda text: f"<{index}-wal>" in text)
    committed = tracing.those(committing, "fdatasync fsync", lambda text: f"<{index}-wal>" in text)
    assert writes
    assert all(call.before(synced) for call in writes), "the bytes are on the disk"
    assert synced.before(link), "before they have a name"
    assert len(made) == 1, "a fresh archive has no such folder"
    assert any(made[0].before(call) and call.before(response) for call in entered), "the folder itself is entered"
    assert named, "the folder that names them is synced"
    assert logged, "the row is in the log of the index"
    assert named[0].before(logged[0]), "once the name would survive"
    assert committed, "the log is synced"
    assert logged[-1].before(committed[-1])
    [gone] = tracing.those(calls, "unlink unlinkat", lambda text: f'"{incoming}"' in text)
    assert committed[-1].before(gone), "the second name is needed until the commit"
