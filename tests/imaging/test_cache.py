"""The preview cache: nothing half-written is seen, nothing unasked is taken, nothing grows without end."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from pydicom import dcmread

from pacs_tui.errors import Refused
from pacs_tui.imaging.cache import InstanceCache
from pacs_tui.model.transfer import StoreRequest
from tests.imaging.files import bundled

CT_CLASS = "1.2.840.10008.5.1.4.1.1.2"
LITTLE = "1.2.840.10008.1.2.1"


def request(uid: str, syntax: str = LITTLE) -> StoreRequest:
    return StoreRequest("PEER", "PACSTUI", "127.0.0.1", CT_CLASS, uid, syntax)


def header(uid: str) -> dict[str, str]:
    return {"SOPInstanceUID": uid, "SOPClassUID": CT_CLASS}


def put(cache: InstanceCache, uid: str, size: int = 1000) -> Path:
    incoming = cache.receive(request(uid), {uid})
    incoming.write([bytes(size)])
    assert incoming.commit(header(uid)) == 0
    path = cache.path(uid)
    assert path is not None
    return path


@pytest.fixture
def cache(tmp_path: Path) -> InstanceCache:
    return InstanceCache(tmp_path / "previews", 1)


def test_a_received_instance_is_a_part10_file(cache: InstanceCache) -> None:
    dataset = dcmread(bundled("CT_small.dcm"))
    raw = bundled("CT_small.dcm").read_bytes()
    body = raw[144 + dataset.file_meta.FileMetaInformationGroupLength :]
    uid = str(dataset.SOPInstanceUID)
    incoming = cache.receive(request(uid), None)
    incoming.write([memoryview(body)[:1000], body[1000:2000]])
    incoming.write([body[2000:]])
    assert cache.path(uid) is None
    assert incoming.commit(header(uid)) == 0
    path = cache.path(uid)
    assert path is not None
    again = dcmread(path)
    assert again.SOPInstanceUID == uid
    assert again.PixelData == dataset.PixelData
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_data_set_of_another_instance_is_refused(cache: InstanceCache, tmp_path: Path) -> None:
    """Under the announced UID it would be shown as this patient's picture."""
    incoming = cache.receive(request("1.2.3"), {"1.2.3"})
    incoming.write([b"some"])
    with pytest.raises(Refused) as caught:
        incoming.commit(header("9.9.9"))
    assert caught.value.status == 0xA900
    assert cache.path("1.2.3") is None
    assert list((tmp_path / "previews").iterdir()) == []


def test_abort_leaves_nothing(cache: InstanceCache, tmp_path: Path) -> None:
    incoming = cache.receive(request("1.2.3"), {"1.2.3"})
    incoming.write([b"some"])
    incoming.abort()
    assert cache.path("1.2.3") is None
    assert list((tmp_path / "previews").iterdir()) == []


def test_unasked_instances_are_refused(cache: InstanceCache, tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        cache.receive(request("1.2.3"), {"1.2.4"})
    assert refused.value.status == 0x0124
    assert not (tmp_path / "previews").exists()


@pytest.mark.parametrize("uid", ["", "../../etc/passwd", "1.2/3", "1" * 65, "1.2.ä"])
def test_what_is_no_uid_is_refused(cache: InstanceCache, uid: str) -> None:
    with pytest.raises(Refused) as refused:
        cache.receive(request(uid), None)
    assert refused.value.status == 0x0117
    assert cache.path(uid) is None


def test_uids_are_not_paths(cache: InstanceCache) -> None:
    assert put(cache, "1.2.3").name.replace(".dcm", "").isalnum()


def test_the_least_recently_used_goes_first(cache: InstanceCache) -> None:
    paths = [put(cache, f"1.{n}", 300_000) for n in range(3)]
    for age, path in enumerate(paths):
        os.utime(path, (1000 + age, 1000 + age))
    assert cache.path("1.0") is not None  # now the most recent
    put(cache, "1.3", 300_000)
    assert [cache.path(f"1.{n}") is not None for n in range(4)] == [True, False, True, True]


def test_what_is_larger_than_the_cache_is_refused(cache: InstanceCache, tmp_path: Path) -> None:
    incoming = cache.receive(request("1.2.3"), None)
    incoming.write([bytes(800_000)])
    with pytest.raises(Refused) as refused:
        incoming.write([bytes(300_000)])
    assert refused.value.status == 0xA700
    incoming.abort()
    assert list((tmp_path / "previews").iterdir()) == []


def test_leftovers_of_dead_processes_are_swept(cache: InstanceCache, tmp_path: Path) -> None:
    put(cache, "1.1")
    old, young = tmp_path / "previews" / "incoming-old", tmp_path / "previews" / "incoming-young"
    old.write_bytes(b"x")
    young.write_bytes(b"x")
    os.utime(old, (1000, 1000))
    put(cache, "1.2")
    assert (old.exists(), young.exists()) == (False, True)


def test_a_folder_that_cannot_be_written_is_a_refusal(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(Refused) as refused:
        InstanceCache(tmp_path / "file" / "previews", 1).receive(request("1.2.3"), None)
    assert refused.value.status == 0xA700


def test_receiving_an_instance_again_replaces_it(cache: InstanceCache) -> None:
    put(cache, "1.1", 10)
    first = put(cache, "1.1", 500)
    assert first.stat().st_size > 500
