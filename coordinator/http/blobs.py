"""Uploading a pack's files."""

from aiohttp import web

from coordinator.http.batches import MAX_BATCH_BYTES, read_groups
from coordinator.http.files import announced_length, receive_blob
from coordinator.keys import DATABASE, STORE
from coordinator.protocol.packs import MAX_BLOB_BYTES
from coordinator.services import assets
from coordinator.services.schemas import BatchAnswer


async def probe(request: web.Request, sha256: str) -> web.Response:
    """Say whether a blob is there, and how long it is."""
    size = await request.app[DATABASE].read(assets.blob_size, sha256)
    if size is None:
        raise web.HTTPNotFound
    return web.Response(headers={"Content-Length": str(size)})


async def put(request: web.Request, sha256: str) -> web.Response:
    """Store a blob under its name."""
    return await receive_blob(request, sha256, MAX_BLOB_BYTES)


async def put_batch(request: web.Request) -> BatchAnswer:
    """Store many blobs; those before one that is refused are kept."""
    length = announced_length(request, MAX_BATCH_BYTES)
    count = 0
    async for group in read_groups(request.content, length):
        await request.app[STORE].put_many(group)
        stored = [(sha256, len(data)) for sha256, data in group]
        await request.app[DATABASE].write(assets.record_blobs, stored, request.app[STORE].holds)
        count += len(group)
    return BatchAnswer(blobs=count)
