"""What every blob store must do."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from coordinator.store import BlobMissing, BlobStore, ContentMismatch, LocalBlobStore, Parts, StoreFull

DATA = bytes(range(256)) * 10_000  # several of the store's writes
NAME = hashlib.sha256(DATA).hexdigest()
ABSENT = "0" * 64


@pytest.fixture(params=["local"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BlobStore]:
    """Each kind of store in turn, empty."""
    assert request.param == "local"
    store = await asyncio.to_thread(LocalBlobStore, tmp_path / "store", reserve_bytes=0)
    yield store
    await store.close()


async def pieces(data: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    """Send ``data`` piece by piece."""
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def read(store: BlobStore, sha256: str) -> bytes:
    """Return a blob's bytes."""
    path = await store.fetch(sha256)
    return await asyncio.to_thread(path.read_bytes)


async def nothing_left_behind(store: BlobStore) -> bool:
    """Whether no unfinished upload is there; of any age, so one made right now counts too."""
    return await store.sweep(older_than_seconds=-60) == 0


async def test_what_is_put_is_fetched(store: BlobStore) -> None:
    assert await store.put(NAME, len(DATA), pieces(DATA))
    assert await read(store, NAME) == DATA
    assert await store.size(NAME) == len(DATA)
    assert await nothing_left_behind(store)


async def test_many_are_read_in_the_order_asked_for(store: BlobStore) -> None:
    blobs = {hashlib.sha256(data).hexdigest(): data for data in (b"one", b"two", b"three")}
    await store.put_many([(name, [data]) for name, data in blobs.items()])
    names = [*reversed(blobs), *blobs]
    assert await store.read_many(names) == [blobs[name] for name in names]
    with pytest.raises(BlobMissing):
        await store.read_many([*blobs, ABSENT])


async def test_the_second_put_is_told_that_it_was_there(store: BlobStore) -> None:
    assert await store.put(NAME, len(DATA), pieces(DATA))
    assert not await store.put(NAME, len(DATA), pieces(DATA))
    assert await read(store, NAME) == DATA


async def test_empty_blob(store: BlobStore) -> None:
    name = hashlib.sha256(b"").hexdigest()
    assert await store.put(name, 0, pieces(b""))
    assert await read(store, name) == b""
    assert await store.size(name) == 0


@pytest.mark.parametrize(
    ("sent", "announced"),
    [
        pytest.param(DATA[:-1] + b"x", len(DATA), id="other bytes"),
        pytest.param(DATA[:-1], len(DATA), id="too few"),
        pytest.param(DATA + b"x", len(DATA), id="too many"),
        pytest.param(b"", len(DATA), id="none"),
        pytest.param(DATA, len(DATA) - 1, id="announced too few"),
    ],
)
async def test_other_bytes_are_refused(store: BlobStore, sent: bytes, announced: int) -> None:
    with pytest.raises(ContentMismatch):
        await store.put(NAME, announced, pieces(sent))
    assert await store.size(NAME) is None
    assert await nothing_left_behind(store)


async def test_an_upload_that_breaks_leaves_nothing(store: BlobStore) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield DATA[:2_000_000]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await store.put(NAME, len(DATA), broken())
    assert await store.size(NAME) is None
    assert await nothing_left_behind(store)


async def test_a_cancelled_upload_leaves_nothing(store: BlobStore) -> None:
    begun = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield DATA[:2_000_000]
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(store.put(NAME, len(DATA), endless()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await store.size(NAME) is None
    assert await nothing_left_behind(store)


async def test_many_uploads_of_one_blob_at_once(store: BlobStore) -> None:
    answers = await asyncio.gather(*(store.put(NAME, len(DATA), pieces(DATA, 9_999)) for _ in range(12)))
    assert any(answers)
    assert await read(store, NAME) == DATA
    assert await nothing_left_behind(store)


async def test_many_blobs_at_once(store: BlobStore) -> None:
    blobs = {hashlib.sha256(data).hexdigest(): data for data in (b"", b"a", b"bc", DATA)}
    given: list[tuple[str, Parts]] = [(name, [data[:1], memoryview(data)[1:]]) for name, data in blobs.items()]
    await store.put_many([*given, *given])
    await asyncio.gather(*(store.put_many(given) for _ in range(5)))
    assert {sha256: await read(store, sha256) for sha256 in blobs} == blobs
    assert await nothing_left_behind(store)


async def test_one_wrong_blob_of_many_is_not_stored(store: BlobStore) -> None:
    with pytest.raises(ContentMismatch):
        await store.put_many([(NAME, [DATA]), (ABSENT, [b"these are other bytes"])])
    assert await store.size(ABSENT) is None
    with pytest.raises(BlobMissing):
        await store.put_many([("../../etc/passwd", [b"x"])])
    assert await nothing_left_behind(store)


async def test_a_blob_can_be_deleted_and_put_again(store: BlobStore) -> None:
    await store.put(NAME, len(DATA), pieces(DATA))
    assert await asyncio.to_thread(store.holds, NAME)
    for _ in range(2):
        await asyncio.to_thread(store.remove, NAME)
        assert await store.size(NAME) is None
        assert not await asyncio.to_thread(store.holds, NAME)
    await store.sweep(older_than_seconds=3600)
    assert await nothing_left_behind(store)
    assert await store.put(NAME, len(DATA), pieces(DATA))
    assert await read(store, NAME) == DATA


async def test_an_absent_blob_is_missing(store: BlobStore) -> None:
    assert await store.size(ABSENT) is None
    with pytest.raises(BlobMissing):
        await store.fetch(ABSENT)


@pytest.mark.parametrize("name", ["", "..", "../../etc/passwd", ABSENT.upper() + "A", "g" * 64, ABSENT + "0"])
async def test_a_name_that_is_no_digest_is_missing(store: BlobStore, name: str) -> None:
    with pytest.raises(BlobMissing):
        await store.fetch(name)
    with pytest.raises(BlobMissing):
        await store.put(name, 1, pieces(b"x"))


async def test_a_file_made_in_a_work_folder_becomes_a_blob(store: BlobStore) -> None:
    folder = await store.work_folder()
    made = folder / "film.mp4"
    await asyncio.to_thread(made.write_bytes, DATA)
    assert await store.put_file(made) == (NAME, len(DATA))
    assert await read(store, NAME) == DATA
    assert await asyncio.to_thread(lambda: list(folder.iterdir())) == []


async def test_sweep_takes_only_what_is_old(store: BlobStore) -> None:
    folder = await store.work_folder()
    await asyncio.to_thread((folder / "half").write_bytes, b"half")
    assert await store.sweep(older_than_seconds=3600) == 0

    def make_old() -> None:
        os.utime(folder, (0, 0))

    await asyncio.to_thread(make_old)
    assert await store.sweep(older_than_seconds=3600) == 1
    assert not await asyncio.to_thread(folder.exists)


async def test_a_full_store_refuses_and_keeps_nothing(tmp_path: Path) -> None:
    store = await asyncio.to_thread(LocalBlobStore, tmp_path, reserve_bytes=2**62)
    with pytest.raises(StoreFull, match="disk is full"):
        await store.put(NAME, len(DATA), pieces(DATA))
    with pytest.raises(StoreFull, match="disk is full"):
        await store.put_many([(NAME, [DATA])])
    assert await store.size(NAME) is None
    assert await nothing_left_behind(store)
    await store.close()


async def test_a_disk_that_fills_up_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await asyncio.to_thread(LocalBlobStore, tmp_path, reserve_bytes=0)
    full = tmp_path / "unfinished" / "upload"
    await asyncio.to_thread(full.symlink_to, "/dev/full")
    monkeypatch.setattr("coordinator.store.local.secrets.token_hex", lambda _length: "upload")
    with pytest.raises(StoreFull, match="disk is full"):
        await store.put(NAME, len(DATA), pieces(DATA))
    assert await store.size(NAME) is None
    assert await nothing_left_behind(store)
    await store.close()
