"""What is removed when, by whom, and what stays of it."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Select, select, update

from coordinator.background.sweeper import Sweeper
from coordinator.db import schema
from coordinator.db.engine import Transaction
from coordinator.domain.lifetime import Lifetime
from coordinator.protocol import BlobRef, ErrorCode, Manifest, ManifestFile
from coordinator.services import assets, downloads, retention, storage, sweeping, users, views
from coordinator.services.errors import Refused
from coordinator.services.schemas import UserChange
from coordinator.store import LocalBlobStore
from tests.conformance.farm import Farm, digest, manifest, stored

LIFETIME = Lifetime(grace_seconds=3600.0)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[LocalBlobStore]:
    """An empty store."""
    store = await asyncio.to_thread(LocalBlobStore, tmp_path / "store", reserve_bytes=0)
    yield store
    await store.close()


async def sweep(farm: Farm, store: LocalBlobStore, lifetime: Lifetime = LIFETIME) -> None:
    """Sweep, and again when what was condemned may go."""
    for _ in range(2):
        await Sweeper(farm.database, store, lifetime).run_once()
        farm.clock.advance(61)
    await Sweeper(farm.database, store, lifetime).run_once()


async def blobs(farm: Farm) -> set[str]:
    """Return what is recorded to be in the store."""
    return await farm.database.read(lambda tx: set(tx.conn.scalars(select(schema.blobs.c.sha256))))


def column(tx: Transaction, query: Select[Any]) -> set[Any]:
    """Return the values of a query's only column."""
    return set(tx.conn.scalars(query))


async def rendered(farm: Farm, agent: int, frames: str = "1-2", picture: str = "picture", **changes: Any) -> int:
    """Return a job whose frames are finished."""
    job = await farm.submit(frames, **changes)
    await farm.render_everything(agent, picture=picture, log="Saved: '0001.png'")
    return job.id


async def code_of(call: Any) -> ErrorCode:
    """Return why a call is refused."""
    with pytest.raises(Refused) as caught:
        await call
    return caught.value.code


async def test_a_job_without_files_is_a_record(farm: Farm, store: LocalBlobStore) -> None:
    ant = await farm.agent()
    job = await rendered(farm, ant)
    assert job in await farm.database.read(column, select(schema.frame_logs.c.job_id))
    takes = await farm.database.read(storage.job_storage, job)
    # Two frames, two previews and the scene, three bytes each.
    assert (takes.bytes, takes.freed_bytes) == (15, 15)
    farm.clock.advance(7200)
    await farm.database.write(storage.delete_files, job, "ana")
    await sweep(farm, store)
    assert await blobs(farm) == set()
    assert await farm.database.read(column, select(schema.frame_logs.c.job_id)) == set()
    view = await farm.database.read(views.job_view, job)
    assert (view.finished, view.state, view.latest_frame) == (2, "completed", None)
    assert view.files_swept_at is not None
    assert "files_removed" in await farm.events(job)
    for call in (
        farm.database.read(downloads.frame_output, job, 1),
        farm.database.read(downloads.video, job),
        farm.requeue(job, "1"),
        farm.adjust(job, frames="1-5"),
        farm.adjust(job, keep=True),
        farm.rerender(job),
    ):
        assert await code_of(call) == ErrorCode.FILES_GONE
    await farm.database.write(storage.delete_files, job, "ana")
    assert (await farm.database.read(storage.job_storage, job)).bytes == 0
    # The scene comes back with its next upload, and with it the job can be rendered again.
    await farm.pack()
    assert (await farm.rerender(job)).state == "queued"


async def test_a_deleted_job_leaves_nothing(farm: Farm, store: LocalBlobStore) -> None:
    ant = await farm.agent()
    job = await rendered(farm, ant, submission="a" * 32)
    other = await rendered(farm, ant)
    freed = await farm.database.read(storage.check_removable, job)
    assert freed.freed_bytes == 0  # the other one has the same pictures
    await farm.database.write(storage.delete_job, job, "ana")
    assert await code_of(farm.job(job)) == ErrorCode.NOT_FOUND
    await sweep(farm, store)
    for table in (schema.jobs, schema.frames, schema.frame_logs, schema.events, schema.leases, schema.chunks):
        query = select(table.c.id if table is schema.jobs else table.c.job_id)
        assert job not in await farm.database.read(column, query)
    assert (await farm.job(other)).finished == 2
    assert len(await blobs(farm)) == 5
    # The same submission is a new one.
    assert (await farm.submit("1", submission="a" * 32)).id not in (job, other)


async def test_who_may_not_be_deleted(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit("1-2")
    for call in (storage.delete_files, storage.delete_job):
        with pytest.raises(Refused, match="cancel it first"):
            await farm.database.write(call, job.id, "ana")
    await farm.cancel(job.id)
    waiting = await farm.submit("1", after=[job.id])
    with pytest.raises(Refused, match="waits for it"):
        await farm.database.write(storage.delete_job, job.id, "ana")
    await farm.cancel(waiting.id)
    await farm.adjust(job.id, keep=True)
    with pytest.raises(Refused, match="is kept"):
        await farm.database.write(storage.delete_job, job.id, "ana")
    await farm.adjust(job.id, keep=False)
    await farm.database.write(storage.delete_job, job.id, "ana")
    assert await farm.lease(ant) is None


async def test_old_files_go_and_kept_ones_stay(farm: Farm, store: LocalBlobStore) -> None:
    lifetime = Lifetime(grace_seconds=3600.0, keep_seconds=86_400.0)
    ant = await farm.agent()
    old, kept = await rendered(farm, ant), await rendered(farm, ant, picture="kept")
    await farm.adjust(kept, keep=True)
    farm.clock.advance(86_000)
    young = await rendered(farm, ant, picture="young")
    assert await farm.database.read(retention.due, lifetime) == []
    farm.clock.advance(1000)
    await sweep(farm, store, lifetime)
    swept = {job: (await farm.job(job)).files_swept_at is not None for job in (old, kept, young)}
    assert swept == {old: True, kept: False, young: False}
    assert digest("picture 1") not in await blobs(farm)
    assert digest("kept 1") in await blobs(farm)


async def test_over_a_quota_the_oldest_go(farm: Farm, store: LocalBlobStore) -> None:
    ant = await farm.agent()
    jobs = []
    for number in range(4):
        jobs.append(await rendered(farm, ant, "1", picture=f"picture {number}"))
        farm.clock.advance(10)
    running = await farm.submit("1-5")
    await farm.adjust(jobs[0], keep=True)
    await farm.must_lease(ant)
    # The scene, three bytes, and for each job a picture and a preview.
    await farm.database.write(users.change, "ana", UserChange(quota_bytes=16))
    await sweep(farm, store)
    assert [(await farm.job(job)).files_swept_at is not None for job in jobs] == [False, True, True, False]
    assert (await farm.job(running.id)).state == "running"
    [ana] = await farm.database.read(storage.by_user)
    assert (ana.name, ana.bytes, ana.quota_bytes, ana.jobs) == ("ana", 15, 16, 3)


async def test_an_upload_waits_for_its_job(farm: Farm, store: LocalBlobStore) -> None:
    pack = await farm.pack("waiting")
    farm.clock.advance(3000)
    await sweep(farm, store)
    assert (await farm.submit("1", pack=pack)).state == "queued"
    lonely = await farm.pack("lonely")
    farm.clock.advance(4000)
    await sweep(farm, store)
    assert digest("lonely") not in await blobs(farm)
    assert digest("waiting") in await blobs(farm)
    assert await code_of(farm.submit("1", pack=lonely)) == ErrorCode.NOT_FOUND
    assert [blob.sha256 for blob in (await farm.register_pack(manifest("lonely"))).missing] == [digest("lonely")]


def pack_of(texts: list[str]) -> assets.CheckedPack:
    """Return a pack of one file, made of texts of three letters."""
    blobs = [BlobRef(sha256=stored(text).sha256, size=3) for text in texts]
    files = [ManifestFile(path="scene.blend", size=3 * len(texts), blobs=blobs)]
    return assets.check_pack(Manifest(main="scene.blend", files=files))


async def test_room_stays_kept_while_an_upload_goes_on(farm: Farm) -> None:
    """However long it takes; once it has stood still for an hour, the room is another's."""
    write, read = farm.database.write, farm.database.read
    pack, refused = pack_of(["abc", "def", "ghi"]), pack_of(["abc", "xyz"])
    # What was refused takes no part in this, though it has a blob of the other.
    for each in (pack, refused):
        await write(assets.register_pack, each)
    await write(assets.withdraw, refused.id)
    for text in ("abc", "def"):
        farm.clock.advance(50 * 60)
        await write(assets.record_upload, [(stored(text).sha256, 3)], lambda _name: True)
    farm.clock.advance(50 * 60)
    # Three bytes are still to come.
    assert not await read(assets.has_room, 5, 7)
    assert await read(assets.has_room, 4, 7)
    farm.clock.advance(11 * 60)
    assert await read(assets.has_room, 7, 7)


async def test_who_found_a_blob_that_is_being_removed_is_told_to_send_it_again(
    farm: Farm, store: LocalBlobStore
) -> None:
    data, name = b"bytes", hashlib.sha256(b"bytes").hexdigest()

    async def pieces() -> AsyncIterator[bytes]:
        yield data

    async def record() -> None:
        await farm.database.write(assets.record_blobs, [(name, len(data))], store.holds)

    await store.put(name, len(data), pieces())
    await record()
    farm.clock.advance(4000)
    await farm.database.write(sweeping.condemn_unused, [name], LIFETIME)
    farm.clock.advance(61)
    # It counts as absent, and its bytes are there still: the upload has nothing to write.
    assert await farm.database.read(assets.blob_size, name) is None
    assert not await store.put(name, len(data), pieces())
    await farm.database.write(sweeping.remove_blobs, store.remove, LIFETIME)
    assert await code_of(record()) == ErrorCode.TRY_AGAIN
    assert await blobs(farm) == set()
    await store.put(name, len(data), pieces())
    await record()
    # One that is recorded in time is saved.
    farm.clock.advance(4000)
    await farm.database.write(sweeping.condemn_unused, [name], LIFETIME)
    farm.clock.advance(61)
    await record()
    assert await farm.database.write(sweeping.remove_blobs, store.remove, LIFETIME) == 0
    assert await asyncio.to_thread(store.holds, name)


async def test_what_is_referred_to_again_stays(farm: Farm, store: LocalBlobStore) -> None:
    """As when a frame was recorded while its picture was being condemned."""
    ant = await farm.agent()
    await rendered(farm, ant)
    before = await blobs(farm)
    await farm.database.write(lambda tx: tx.conn.execute(update(schema.blobs).values(condemned_at=tx.now)).rowcount)
    farm.clock.advance(61)
    assert await farm.database.write(sweeping.remove_blobs, store.remove, LIFETIME) == len(before)
    assert await blobs(farm) == before
    assert await farm.database.read(storage.condemned_bytes) == 0


async def test_files_of_which_nothing_is_known_go(farm: Farm, store: LocalBlobStore) -> None:
    data, name = b"left", hashlib.sha256(b"left").hexdigest()
    await store.put_many([(name, [data])])
    found = await store.names(int(name[:2], 16), -60.0)
    assert found == [(name, 4)]
    await farm.database.write(sweeping.adopt, await farm.database.read(sweeping.unknown, found))
    farm.clock.advance(61)
    await farm.database.write(sweeping.remove_blobs, store.remove, LIFETIME)
    assert not await asyncio.to_thread(store.holds, name)
