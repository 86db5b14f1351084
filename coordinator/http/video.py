"""A job's video."""

from aiohttp import web

from coordinator.http.files import send_file
from coordinator.keys import DATABASE
from coordinator.services import downloads


async def show(request: web.Request, job_id: int) -> web.StreamResponse:
    """Send the MP4, or a range of it."""
    return await send_file(request, await request.app[DATABASE].read(downloads.video, job_id))
