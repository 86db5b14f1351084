"""Files between agents and the coordinator: packs down, frames and sound up."""

from aiohttp import web

from coordinator.http.agent_api import agent_of
from coordinator.http.files import receive_blob, send_blob
from coordinator.keys import DATABASE, SETTINGS, TIMING
from coordinator.protocol import Manifest
from coordinator.services import assets, leases
from coordinator.services.accounts import Principal


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


async def get(request: web.Request, caller: Principal, sha256: str) -> web.StreamResponse:
    """Send a blob, or a range of it."""
    await request.app[DATABASE].read(assets.blob_for_agent, agent_of(caller), sha256)
    return await send_blob(request, sha256)
