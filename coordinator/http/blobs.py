"""Uploading a pack's files."""

from aiohttp import web

from coordinator.http.files import receive_blob
from coordinator.keys import DATABASE
from coordinator.protocol.packs import MAX_BLOB_BYTES
from coordinator.services import assets


async def probe(request: web.Request, sha256: str) -> web.Response:
    """Say whether a blob is there, and how long it is."""
    size = await request.app[DATABASE].read(assets.blob_size, sha256)
    if size is None:
        raise web.HTTPNotFound
    return web.Response(headers={"Content-Length": str(size)})


async def put(request: web.Request, sha256: str) -> web.Response:
    """Store a blob under its name."""
    return await receive_blob(request, sha256, MAX_BLOB_BYTES)
