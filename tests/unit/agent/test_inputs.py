"""Packs are laid out from verified blobs, and the cache keeps within its limit."""

import asyncio
import errno
import hashlib
import os
import shutil
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent.blob_cache import RESERVE_BYTES, SHORT_BYTES, BlobCache
from agent.inputs import Inputs, InputsError
from tests.unit.agent.blob_link import FakeLink, Usage


@pytest.fixture
def link() -> FakeLink:
    """A link to nowhere."""
    return FakeLink()


@pytest.fixture
def in_use() -> set[str]:
    """The packs that slots use."""
    return set()


def inputs_of(folder: Path, link: Any, in_use: set[str], limit: int = 10**9) -> Inputs:
    return Inputs(folder, BlobCache(folder, link, limit), link, lambda: in_use)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_pack_is_laid_out_as_its_manifest_says(tmp_path: Path, link: FakeLink, in_use: set[str]) -> None:
    pack_id = link.add_pack(
        {"/home/ana": "textures", "/": ""}, textures__wood=link.add(b"wood"), big=link.add(b"one", b"two"), empty=[]
    )
    inputs = inputs_of(tmp_path, link, in_use)
    await inputs.prepare(pack_id)
    folder = tmp_path / "packs" / pack_id
    pack = inputs.pack(pack_id)
    assert pack.main == folder / "scene.blend"
    assert {source: Path(target) for source, target in pack.remap.items()} == {
        "/home/ana": folder / "textures",
        "/": folder,
    }
    assert await asyncio.to_thread(tree, folder) == {
        "scene.blend": b"scene",
        "textures/wood": b"wood",
        "big": b"onetwo",
        "empty": b"",
    }
    modes = await asyncio.to_thread(lambda: {stat.S_IMODE(p.stat().st_mode) for p in folder.rglob("*") if p.is_file()})
    assert modes == {0o444}
    fetched = len(link.offsets)
    await inputs.prepare(pack_id)
    assert len(link.offsets) == fetched


async def test_broken_off_download_goes_on_where_it_ended(tmp_path: Path, link: FakeLink, in_use: set[str]) -> None:
    pack_id = link.add_pack()
    link.break_off_after = [2, 0, 1]
    await inputs_of(tmp_path, link, in_use).prepare(pack_id)
    assert link.offsets == [0, 2, 2, 3]
    # Who gets further does not wait longer each time.
    assert link.progressed == [True, False, True]


def many(link: FakeLink, count: int) -> str:
    """A pack of so many short files, and one blob that is too long for a batch."""
    files = {f"file{number}": link.add(f"text {number}".encode()) for number in range(count - 1)}
    return link.add_pack({}, long=link.add(b"x" * (SHORT_BYTES + 1)), **files)


async def test_short_blobs_travel_together_and_each_is_verified(
    tmp_path: Path, link: FakeLink, in_use: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.blob_cache.MAX_BLOBS_ASKED", 10)
    pack_id = many(link, 20)
    true, changed = hashlib.sha256(b"text 3").hexdigest(), b"rust 3"
    link.blobs[true] = changed
    get_blob = link.get_blob

    async def mended(sha256: str, offset: int) -> AsyncIterator[bytes]:
        link.blobs[true] = b"text 3"
        async for piece in get_blob(sha256, offset):
            yield piece

    monkeypatch.setattr(link, "get_blob", mended)
    await inputs_of(tmp_path, link, in_use).prepare(pack_id)
    # What arrived damaged came alone once more, as the long one did.
    assert (link.batches, len(link.offsets)) == ([10, 10], 2)
    laid_out = await asyncio.to_thread(tree, tmp_path / "packs" / pack_id)
    assert [laid_out[f"file{number}"] for number in range(19)] == [f"text {number}".encode() for number in range(19)]


async def test_batch_that_breaks_off_goes_on_with_what_is_lacking(
    tmp_path: Path, link: FakeLink, in_use: set[str]
) -> None:
    pack_id = many(link, 9)
    link.break_off_after = [1, 1, 1, 0, 1, 0]
    await inputs_of(tmp_path, link, in_use).prepare(pack_id)
    assert link.batches == [9, 6, 5]
    assert link.progressed == [True, True]


async def test_batch_with_a_lost_blob_tells_which(tmp_path: Path, link: FakeLink, in_use: set[str]) -> None:
    pack_id = many(link, 9)
    del link.blobs[hashlib.sha256(b"text 3").hexdigest()]
    with pytest.raises(InputsError, match="lost a file"):
        await inputs_of(tmp_path, link, in_use).prepare(pack_id)


@pytest.mark.parametrize("shares", [True, False])
async def test_file_of_several_blobs_is_joined_by_the_system_where_it_can(
    tmp_path: Path, link: FakeLink, in_use: set[str], monkeypatch: pytest.MonkeyPatch, shares: bool
) -> None:
    def other_file_system(*_: object) -> int:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    if not shares:
        monkeypatch.setattr(os, "copy_file_range", other_file_system)
    parts = [bytes([number]) * 100_000 for number in range(3)]
    pack_id = link.add_pack({}, big=link.add(*parts))
    await inputs_of(tmp_path, link, in_use).prepare(pack_id)
    laid_out = await asyncio.to_thread(tree, tmp_path / "packs" / pack_id)
    assert laid_out["big"] == b"".join(parts)


async def test_pack_that_nobody_uses_makes_room_for_the_next(tmp_path: Path, link: FakeLink, in_use: set[str]) -> None:
    first, second, third = (link.add_pack(texture=link.add(name)) for name in (b"one", b"two", b"three"))
    inputs = inputs_of(tmp_path, link, in_use)
    in_use.add(first)
    for pack_id in (first, second, third):
        await inputs.prepare(pack_id)
    assert await asyncio.to_thread(lambda: {path.name for path in (tmp_path / "packs").iterdir()}) == {first, third}


async def test_packs_are_cached_while_their_files_are_on_disk(tmp_path: Path, link: FakeLink, in_use: set[str]) -> None:
    first, second, third = (link.add_pack(texture=link.add(name * 100)) for name in (b"1", b"2", b"3"))
    inputs = inputs_of(tmp_path, link, in_use, limit=250)
    await inputs.prepare(first)
    await inputs.prepare(second)
    assert inputs.cached() == [second, first]
    await inputs.prepare(first)
    assert inputs.cached() == [first, second]
    # Both lose a blob to the third, but the first is laid out for a slot that uses it.
    in_use.add(first)
    inputs._cache._limit_bytes = 110
    await inputs.prepare(third)
    assert inputs.cached() == [third, first]
    in_use.clear()
    await inputs.prepare(third)
    assert inputs.cached() == [third]
    # A pack that cannot be had costs others their place all the same.
    lost = link.add_pack(texture=link.add(b"4" * 100))
    del link.blobs[hashlib.sha256(b"4" * 100).hexdigest()]
    with pytest.raises(InputsError):
        await inputs.prepare(lost)
    assert inputs.cached() == []


async def test_least_recently_used_blobs_go_first(tmp_path: Path, link: FakeLink) -> None:
    sizes = {name: link.add(name * 100) for name in (b"a", b"b", b"c")}
    cache = BlobCache(tmp_path, link, 250)  # type: ignore[arg-type] # it has what the cache calls
    for name in (b"a", b"b"):
        await cache.fetch(sizes[name])
    old = cache.path(sizes[b"b"][0].sha256)
    await asyncio.to_thread(os.utime, old, (1, 1))
    await cache.fetch(sizes[b"c"])
    kept = await asyncio.to_thread(lambda: {path.name for path in (tmp_path / "blobs").glob("??/*")})
    assert kept == {sizes[b"a"][0].sha256, sizes[b"c"][0].sha256}


async def test_full_disk(tmp_path: Path, link: FakeLink, in_use: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    pack_id = link.add_pack()
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10**12, 10**12, RESERVE_BYTES))
    with pytest.raises(InputsError, match=r"has 0.5 GB free.*free some, or move") as raised:
        await inputs_of(tmp_path, link, in_use).prepare(pack_id)
    assert raised.value.code == "no_room"
    assert link.offsets == []


async def test_blob_that_is_always_damaged(tmp_path: Path, link: FakeLink, in_use: set[str]) -> None:
    pack_id = link.add_pack(texture=link.add(b"wood"))
    link.blobs[hashlib.sha256(b"wood").hexdigest()] = b"rust"
    with pytest.raises(InputsError, match="arrived damaged 3 times") as raised:
        await inputs_of(tmp_path, link, in_use).prepare(pack_id)
    assert raised.value.code == "no_inputs"
    assert not await asyncio.to_thread((tmp_path / "packs" / pack_id).exists)


async def test_blob_longer_than_it_should_be(tmp_path: Path, link: FakeLink, in_use: set[str]) -> None:
    pack_id = link.add_pack(texture=link.add(b"wood"))
    link.blobs[hashlib.sha256(b"wood").hexdigest()] = b"wood and much more"
    with pytest.raises(InputsError, match="damaged"):
        await inputs_of(tmp_path, link, in_use).prepare(pack_id)


async def test_list_of_files_that_is_not_the_one_submitted(tmp_path: Path, link: FakeLink, in_use: set[str]) -> None:
    pack_id = link.add_pack()
    other = link.add_pack(texture=link.add(b"wood"))
    link.manifests[pack_id] = link.manifests[other]
    with pytest.raises(InputsError, match="not the one submitted"):
        await inputs_of(tmp_path, link, in_use).prepare(pack_id)


async def test_path_that_leads_out_of_the_pack(tmp_path: Path, link: FakeLink, in_use: set[str]) -> None:
    pack_id = link.add_pack(None, **{"..__escaped": link.add(b"wood")})
    with pytest.raises(InputsError, match="is bad") as raised:
        await inputs_of(tmp_path, link, in_use).prepare(pack_id)
    assert raised.value.code == "no_inputs"
    assert not await asyncio.to_thread((tmp_path / "escaped").exists)
