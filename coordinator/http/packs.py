"""Announcing a pack."""

import asyncio

from aiohttp import web

from coordinator.keys import DATABASE
from coordinator.protocol import Manifest
from coordinator.services import assets
from coordinator.services.pack_schemas import ManifestAnswer


async def create(request: web.Request, body: Manifest) -> ManifestAnswer:
    """Register a pack by its manifest; the answer lists the blobs that must be uploaded.

    The same manifest again is how an interrupted upload goes on.
    """
    database = request.app[DATABASE]
    # A large pack keeps its checks and its long answer away from those who wait to write.
    pack = await asyncio.to_thread(assets.check_pack, body)
    await database.write(assets.register_pack, pack)
    return await database.read(assets.missing_blobs, pack.id)


async def show(request: web.Request, sha256: str) -> Manifest:
    """Tell which files a pack has."""
    return await request.app[DATABASE].read(assets.manifest_of, sha256)
