"""Sweepers of two coordinators at work while several clients upload the same files: really at the same time."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
from sqlalchemy import select

from coordinator.db import schema
from coordinator.domain.lifetime import Lifetime
from coordinator.protocol import BlobRef, ErrorCode, Manifest, ManifestFile
from coordinator.services import assets, storage, submit, sweeping
from coordinator.services.errors import Refused
from coordinator.services.schemas import JobRequest
from coordinator.store import LocalBlobStore
from tests.conformance.farm import Farm, stored

TEXTS = [f"t{number:02d}" for number in range(12)]
NAMES = {stored(text).sha256: text for text in TEXTS}
PARTS = sorted({int(name[:2], 16) for name in NAMES})
CLIENTS, ROUNDS = 4, 12

#: With each step of a client time goes on: in a round or two what nobody refers to may be removed.
STEP_SECONDS = 20.0
LIFETIME = Lifetime(grace_seconds=60.0)


async def pieces(text: str) -> AsyncIterator[bytes]:
    yield text.encode()


class Client:
    """Submits packs that share files with those of others, and deletes most of its jobs at once."""

    def __init__(self, farm: Farm, store: LocalBlobStore, request: JobRequest, seed: int) -> None:
        self.farm = farm
        self.store = store
        self.request = request
        self.random = random.Random(seed)  # noqa: S311 - for test data
        self.kept: dict[int, list[str]] = {}

    async def work(self) -> None:
        for number in range(ROUNDS):
            texts = self.random.sample(TEXTS, 3)
            job_id = await self.submit(texts)
            self.farm.clock.advance(STEP_SECONDS)
            if number % 6:
                await self.farm.cancel(job_id)
                await self.farm.database.write(storage.delete_job, job_id, "ana")
            else:
                self.kept[job_id] = texts

    async def submit(self, texts: list[str]) -> int:
        blobs = [BlobRef(sha256=stored(text).sha256, size=3) for text in texts]
        pack = assets.check_pack(
            Manifest(main="scene.blend", files=[ManifestFile(path="scene.blend", size=9, blobs=blobs)])
        )
        request = msgspec.structs.replace(self.request, pack=pack.id)
        for _ in range(100):
            try:
                await self.farm.database.write(assets.register_pack, pack)
                for blob in (await self.farm.database.read(assets.missing_blobs, pack.id)).missing:
                    await self.put(blob.sha256)
                return (await self.farm.database.write(submit.submit, request, "ana")).id
            except Refused as refused:
                if refused.code not in (ErrorCode.MISSING_BLOBS, ErrorCode.NOT_FOUND, ErrorCode.TRY_AGAIN):
                    raise
                # Swept meanwhile: it begins anew.
        raise AssertionError("what a client uploads is removed time and again")

    async def put(self, sha256: str) -> None:
        self.farm.clock.advance(STEP_SECONDS)
        await self.store.put(sha256, 3, pieces(NAMES[sha256]))
        await self.farm.database.write(assets.record_upload, [(sha256, 3)], self.store.holds)


async def sweep(farm: Farm, store: LocalBlobStore, over: asyncio.Event) -> int:
    """Take all steps of a sweeper, again and again; return how many blobs went."""
    database, went = farm.database, 0
    while not over.is_set():
        while await database.write(sweeping.remove_rows, LIFETIME):
            pass
        for pack_id in await database.read(sweeping.idle_packs, LIFETIME):
            await database.write(sweeping.drop_pack, pack_id, LIFETIME)
        _, useless = await database.read(sweeping.page, "", LIFETIME)
        await database.write(sweeping.condemn_unused, useless, LIFETIME)
        went += await database.write(sweeping.remove_blobs, store.remove, LIFETIME)
        # Of what was put and is not recorded yet, as well.
        found = [it for part in PARTS for it in await store.names(part, 0.0)]
        await database.write(sweeping.adopt, await database.read(sweeping.unknown, found))
        farm.clock.advance(1.0)
    return went


async def test_nothing_goes_that_a_job_needs(farm: Farm, tmp_path: Path) -> None:
    store = await asyncio.to_thread(LocalBlobStore, tmp_path / "store", reserve_bytes=0)
    request = await farm.request()
    clients = [Client(farm, store, request, seed) for seed in range(CLIENTS)]
    over = asyncio.Event()
    sweepers = [asyncio.create_task(sweep(farm, store, over)) for _ in range(2)]
    try:
        await asyncio.gather(*(client.work() for client in clients))
    finally:
        over.set()
        went = sum(await asyncio.gather(*sweepers))
        await store.close()
    assert went, "the sweepers had something to do"
    rows = await farm.database.read(
        lambda tx: set(tx.conn.scalars(select(schema.blobs.c.sha256).where(schema.blobs.c.condemned_at.is_(None))))
    )
    needed = {stored(text).sha256 for client in clients for texts in client.kept.values() for text in texts}
    assert needed
    assert needed <= rows
    on_disk = {path.name: path.read_bytes() for path in (tmp_path / "store" / "blobs").glob("*/*")}
    assert needed <= on_disk.keys()
    assert all(hashlib.sha256(data).hexdigest() == name for name, data in on_disk.items())
