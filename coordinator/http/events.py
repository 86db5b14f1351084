"""The stream of server-sent events."""

import asyncio

from aiohttp import web

from coordinator.http.auth import ADMIN, authenticate
from coordinator.keys import LIVE
from coordinator.services.errors import Refused

KEEP_ALIVE_SECONDS = 15.0

#: A client that takes nothing for this long is cut off; its browser connects again.
STUCK_SECONDS = 60.0

#: A token that was revoked, or has expired, sees nothing more after this long.
RECHECK_SECONDS = 30.0


async def stream(request: web.Request) -> web.StreamResponse:
    """Stream what changes, as server-sent events."""
    live, loop = request.app[LIVE], asyncio.get_running_loop()
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    # Browsers name the last event in the header; a page that connects anew by itself can do so in the address only.
    client = live.connect(request.headers.get("Last-Event-ID") or request.query.get("since"))
    checked = loop.time()
    try:
        await response.prepare(request)
        while not live.closed:
            events = await client.take(KEEP_ALIVE_SECONDS)
            if loop.time() - checked > RECHECK_SECONDS:
                await authenticate(request, ADMIN)
                checked = loop.time()
            async with asyncio.timeout(STUCK_SECONDS):
                await response.write(events)
    except (ConnectionResetError, TimeoutError, Refused):
        # It went away, might as well have, or may see no more. Its answer has begun: there is nothing left to say.
        pass
    finally:
        live.disconnect(client)
    return response
