"""The stream of server-sent events."""

import asyncio

from aiohttp import web

from coordinator.keys import LIVE

KEEP_ALIVE_SECONDS = 15.0

#: A client that takes nothing for this long is cut off; its browser connects again.
STUCK_SECONDS = 60.0


async def stream(request: web.Request) -> web.StreamResponse:
    """Stream what changes, as server-sent events."""
    live = request.app[LIVE]
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    client = live.connect()
    try:
        await response.prepare(request)
        while not live.closed:
            events = await client.take(KEEP_ALIVE_SECONDS)
            async with asyncio.timeout(STUCK_SECONDS):
                await response.write(events)
    except (ConnectionResetError, TimeoutError):
        # It went away, or might as well have: there is no one left to tell.
        pass
    finally:
        live.disconnect(client)
    return response
