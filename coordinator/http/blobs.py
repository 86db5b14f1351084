"""Uploading a pack's files."""

import asyncio

from aiohttp import web

from coordinator.http.batches import MAX_BATCH_BYTES, read_groups
from coordinator.http.files import announced_length, receive_blob
from coordinator.keys import DATABASE, STORE
from coordinator.protocol.packs import MAX_BLOB_BYTES
from coordinator.services import assets
from coordinator.services.pack_schemas import BatchAnswer, BlobsAnswer, BlobsQuestion
from coordinator.store import Parts


async def probe(request: web.Request, sha256: str) -> web.Response:
    """Say whether a blob is there, and how long it is."""
    size = await request.app[DATABASE].read(assets.blob_size, sha256)
    if size is None:
        raise web.HTTPNotFound
    return web.Response(headers={"Content-Length": str(size)})


async def put(request: web.Request, sha256: str) -> web.Response:
    """Store a blob under its name."""
    return await receive_blob(request, sha256, MAX_BLOB_BYTES, assets.record_upload)


async def missing(request: web.Request, body: BlobsQuestion) -> BlobsAnswer:
    """Say which blobs are not there, before their pack is known: a client sends while it still reads."""
    database = request.app[DATABASE]
    fits = True
    if body.coming_bytes and (room := await request.app[STORE].room()) is not None:
        fits = await database.read(assets.has_room, body.coming_bytes, room.free_bytes)
    return BlobsAnswer(missing=await database.read(assets.lacking_blobs, body.sha256), fits=fits)


async def put_batch(request: web.Request) -> BatchAnswer:
    """Store many blobs; those before one that is refused are kept."""
    length = announced_length(request, MAX_BATCH_BYTES)
    stored: list[tuple[str, int]] = []
    storing: asyncio.Future[None] | None = None
    try:
        async for group in read_groups(request.content, length):
            # One group is on its way to the disk while the next one is received.
            if storing is not None:
                await storing
            storing = asyncio.ensure_future(_store(request, group, stored))
        if storing is not None:
            await storing
    finally:
        if storing is not None:
            await asyncio.wait([storing])
        if stored:
            await request.app[DATABASE].write(assets.record_upload, stored, request.app[STORE].holds)
    return BatchAnswer(blobs=len(stored))


async def _store(request: web.Request, group: list[tuple[str, Parts]], stored: list[tuple[str, int]]) -> None:
    await request.app[STORE].put_many(group)
    stored += [(sha256, sum(map(len, parts))) for sha256, parts in group]
