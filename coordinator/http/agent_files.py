"""Files between agents and the coordinator: packs down, frames and sound up."""

from collections.abc import Sequence

from aiohttp import web

from coordinator.http.agent_api import agent_of
from coordinator.http.files import receive_blob, send_blob
from coordinator.keys import DATABASE, SETTINGS, STORE, TIMING
from coordinator.protocol import BlobsRequest, Manifest
from coordinator.services import assets, leases
from coordinator.services.accounts import Principal

#: Of an answer with many blobs, so many bytes are in memory at a time.
_HELD_BYTES = 1024 * 1024


async def put(request: web.Request, caller: Principal, lease_id: str, sha256: str) -> web.Response:
    """Store a file of a frame, or the sound, under a live lease."""
    # Asked before a byte is read: an agent that lost its lease must not send gigabytes for nothing.
    await request.app[DATABASE].write(leases.renew, agent_of(caller), lease_id, request.app[TIMING])
    response = await receive_blob(request, sha256, request.app[SETTINGS].max_frame_bytes)
    await request.app[DATABASE].write(leases.renew, agent_of(caller), lease_id, request.app[TIMING])
    return response


async def pack(request: web.Request, caller: Principal, sha256: str) -> Manifest:
    """Send a pack's manifest."""
    return await request.app[DATABASE].read(assets.pack_for_agent, agent_of(caller), sha256)


async def get_many(request: web.Request, caller: Principal, sha256: str, body: BlobsRequest) -> web.StreamResponse:
    """Send short blobs of a pack, one after the other in the order asked for."""
    sizes = await request.app[DATABASE].read(assets.pack_blobs_for_agent, agent_of(caller), sha256, body.sha256)
    groups = _groups(body.sha256, sizes)
    # Before the answer begins: once it has, a blob that the store has lost can only break it off.
    data = await request.app[STORE].read_many(groups[0])
    response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
    response.content_length = sum(sizes)
    await response.prepare(request)
    await response.write(b"".join(data))
    for group in groups[1:]:
        await response.write(b"".join(await request.app[STORE].read_many(group)))
    return response


def _groups(digests: Sequence[str], sizes: Sequence[int]) -> list[list[str]]:
    """Split what is asked for into runs of about as many bytes as are held in memory."""
    groups: list[list[str]] = [[]]
    held = 0
    for sha256, size in zip(digests, sizes, strict=True):
        if groups[-1] and held + size > _HELD_BYTES:
            groups.append([])
            held = 0
        groups[-1].append(sha256)
        held += size
    return groups


async def get(request: web.Request, caller: Principal, sha256: str) -> web.StreamResponse:
    """Send a blob, or a range of it."""
    await request.app[DATABASE].read(assets.blob_for_agent, agent_of(caller), sha256)
    return await send_blob(request, sha256)
