"""A job's frames and their files."""

from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from coordinator.http.files import send_file
from coordinator.http.paging import Cursor
from coordinator.keys import DATABASE
from coordinator.services import downloads, views
from coordinator.services.schemas import ExtraFileView, FrameView, Page


class FrameQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many frames, from where."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 50
    cursor: Cursor | None = None


async def index(request: web.Request, job_id: int, query: FrameQuery) -> Page[FrameView]:
    """List finished and failed frames in order."""
    return await request.app[DATABASE].read(views.list_frames, job_id, query.limit, query.cursor)


async def files(request: web.Request, job_id: int, frame: int) -> Page[ExtraFileView]:
    """List what the scene itself wrote beside a frame's picture."""
    return Page(items=await request.app[DATABASE].read(downloads.frame_files, job_id, frame))


async def file(request: web.Request, job_id: int, frame: int, file_path: str) -> web.StreamResponse:
    """Send a file that the scene itself wrote."""
    return await send_file(request, await request.app[DATABASE].read(downloads.frame_file, job_id, frame, file_path))


async def output(request: web.Request, job_id: int, frame: int) -> web.StreamResponse:
    """Send a frame's file as Blender wrote it."""
    return await send_file(request, await request.app[DATABASE].read(downloads.frame_output, job_id, frame))


async def preview(request: web.Request, job_id: int, frame: int) -> web.StreamResponse:
    """Send a frame's small picture."""
    return await send_file(request, await request.app[DATABASE].read(downloads.frame_preview, job_id, frame))
