"""Announcing a pack."""

import asyncio

from aiohttp import web

from coordinator.keys import DATABASE, STORE
from coordinator.protocol import ErrorCode, Manifest
from coordinator.services import assets
from coordinator.services.errors import Refused
from coordinator.services.pack_schemas import ManifestAnswer


async def create(request: web.Request, body: Manifest) -> ManifestAnswer:
    """Register a pack by its manifest; the answer lists the blobs that must be uploaded.

    The same manifest again is how an interrupted upload goes on.
    """
    database = request.app[DATABASE]
    # A large pack keeps its checks and its long answer away from those who wait to write.
    pack = await asyncio.to_thread(assets.check_pack, body)
    await database.write(assets.register_pack, pack)
    answer = await database.read(assets.missing_blobs, pack.id)
    if answer.missing:
        await _require_room(request, answer)
    return answer


async def show(request: web.Request, sha256: str) -> Manifest:
    """Tell which files a pack has."""
    return await request.app[DATABASE].read(assets.manifest_of, sha256)


async def _require_room(request: web.Request, answer: ManifestAnswer) -> None:
    """Refuse a pack before its upload, if what others upload just now leaves no room for it."""
    room = await request.app[STORE].room()
    if room is None:
        return
    database = request.app[DATABASE]
    needed = sum(blob.size for blob in answer.missing)
    promised = await database.read(assets.promised_bytes, answer.id)
    if needed + promised <= room.free_bytes:
        return
    await database.write(assets.withdraw, answer.id)
    others = f", {_megabytes(promised)} of which others are filling just now" if promised else ""
    raise Refused(
        ErrorCode.DISK_FULL,
        f"The scene's files need {_megabytes(needed)} more on the coordinator's disk, which has room for"
        f" {_megabytes(room.free_bytes)}{others}. Nothing was uploaded: delete old jobs or make room there,"
        " and submit it again.",
        {"needed_bytes": needed, "free_bytes": room.free_bytes, "promised_bytes": promised},
    )


def _megabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
