"""The cache keeps its limit without taking a running job's files away, and makes room where the disk has none."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.blob_cache import RESERVE_BYTES, BlobCache
from agent.inputs import Inputs
from coordinator.protocol import BlobRef
from tests.unit.agent.blob_link import FakeLink, Usage


class Machine:
    """A cache, the packs laid out from it, and the packs that slots work on."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self.link = FakeLink()
        self.in_use: set[str] = set()
        self.cache = BlobCache(folder, self.link, limit)  # type: ignore[arg-type] # it has what the cache calls
        self.inputs = Inputs(folder, self.cache, self.link, lambda: self.in_use)  # type: ignore[arg-type] # likewise

    def add_pack(self, *textures: bytes) -> str:
        files = {f"texture{number}": self.link.add(data) for number, data in enumerate(textures)}
        return self.link.add_pack({}, **files)

    def size(self) -> int:
        """Return what the files of blobs and packs take, each counted once."""
        found = {path.stat().st_ino: path.stat().st_size for path in self.folder.rglob("*") if path.is_file()}
        return sum(found.values())

    def blobs(self) -> int:
        return sum(1 for _ in (self.folder / "blobs").glob("??/*"))


async def test_slots_that_fetch_at_the_same_time_keep_within_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(tmp_path, limit=1000)
    sizes: list[int] = []
    get_blob = machine.link.get_blob

    async def measured(sha256: str, offset: int) -> AsyncIterator[bytes]:
        async for piece in get_blob(sha256, offset):
            yield piece
        sizes.append(await asyncio.to_thread(machine.size))

    monkeypatch.setattr(machine.link, "get_blob", measured)
    packs = [machine.add_pack(bytes([number]) * 400) for number in range(8)]

    async def work(mine: list[str]) -> None:
        before = ""
        for pack_id in mine:
            machine.in_use.discard(before)
            machine.in_use.add(pack_id)
            await machine.inputs.prepare(pack_id)
            texture = machine.inputs.pack(pack_id).main.with_name("texture0")
            assert len(await asyncio.to_thread(texture.read_bytes)) == 400
            before = pack_id

    await asyncio.gather(work(packs[:4]), work(packs[4:]))
    assert len(sizes) >= 8
    assert max(sizes) <= 1000


async def test_files_of_running_jobs_stay_though_the_limit_is_passed(tmp_path: Path) -> None:
    machine = Machine(tmp_path, limit=500)
    first, second, third = (machine.add_pack(name * 400) for name in (b"1", b"2", b"3"))
    machine.in_use = {first, second}
    for pack_id in (first, second, third):
        await machine.inputs.prepare(pack_id)
    for pack_id in (first, second, third):
        files = machine.inputs.pack(pack_id).main.parent
        assert await asyncio.to_thread(lambda folder: sorted(path.name for path in folder.iterdir()), files) == [
            "scene.blend",
            "texture0",
        ]
    # Their blobs would free nothing: they stay, and need not be fetched again.
    fetched = len(machine.link.offsets)
    await machine.cache.fetch(machine.link.manifests[first].files[1].blobs)
    assert len(machine.link.offsets) == fetched
    # When nobody uses them any more, they go.
    machine.in_use = {third}
    await machine.inputs.prepare(third)
    assert await asyncio.to_thread(machine.size) <= 500


class Disk:
    """A disk on which only so much is left beside what the cache has."""

    def __init__(self, folder: Path, room: int) -> None:
        self._folder = folder
        self.room = room

    def usage(self, _path: Path) -> Usage:
        found = {path.stat().st_ino: path.stat().st_size for path in self._folder.rglob("*") if path.is_file()}
        return Usage(10**12, 0, self.room - sum(found.values()))


async def test_full_disk_takes_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(tmp_path, limit=10**12)
    disk = Disk(tmp_path, RESERVE_BYTES + 1000)
    monkeypatch.setattr(shutil, "disk_usage", disk.usage)
    first, second, third = (machine.add_pack(name * 400) for name in (b"1", b"2", b"3"))
    machine.in_use = {third}
    for pack_id in (first, second, third):
        await machine.inputs.prepare(pack_id)
    assert machine.inputs.cached() == [third, second]
    # What fills it may be frames: a slot that goes on with the pack it has makes room for them.
    disk.room -= 300
    await machine.inputs.prepare(third)
    assert machine.inputs.cached() == [third]
    assert await asyncio.to_thread(disk.usage, tmp_path) >= Usage(10**12, 0, RESERVE_BYTES)


async def test_downloads_that_were_broken_off_count_and_go_first(tmp_path: Path) -> None:
    machine = Machine(tmp_path, limit=1000)
    await machine.inputs.prepare(machine.add_pack(b"1" * 400))

    def break_off() -> None:
        part = tmp_path / "parts" / ("f" * 64)
        part.write_bytes(b"2" * 400)
        os.utime(part, (1, 1))

    await asyncio.to_thread(break_off)
    await machine.inputs.prepare(machine.add_pack(b"3" * 400))
    assert await asyncio.to_thread(machine.blobs) == 3
    assert not await asyncio.to_thread(lambda: list((tmp_path / "parts").iterdir()))


async def test_download_that_is_resumed_keeps_what_it_has(tmp_path: Path) -> None:
    machine = Machine(tmp_path, limit=10)
    [blob] = machine.link.add(b"texture")
    part = tmp_path / "parts" / blob.sha256
    await asyncio.to_thread(machine.cache.make_room)
    await asyncio.to_thread(part.write_bytes, b"tex")
    await machine.cache.fetch([BlobRef(sha256=blob.sha256, size=blob.size)])
    assert machine.link.offsets == [3]
