"""Announcing a pack."""

from aiohttp import web

from coordinator.keys import DATABASE
from coordinator.protocol import Manifest
from coordinator.services import assets
from coordinator.services.schemas import ManifestAnswer


async def create(request: web.Request, body: Manifest) -> ManifestAnswer:
    """Register a pack by its manifest; the answer lists the blobs that must be uploaded."""
    return await request.app[DATABASE].write(assets.register_pack, body)
