"""A job's frames and their files."""

import asyncio
import hashlib
from typing import Annotated

import msgspec
from aiohttp import ETag, web
from msgspec import Meta

from coordinator.http.endpoint import Answer
from coordinator.http.files import cache_control, not_modified, send_file
from coordinator.http.paging import Cursor
from coordinator.keys import DATABASE, PASSES, STORE, THUMBNAILS
from coordinator.media.layers import read_contents
from coordinator.media.passes import NoSuchPass
from coordinator.media.thumbnails import nearest_width
from coordinator.protocol import ErrorCode
from coordinator.protocol.pictures import BadPicture
from coordinator.services import downloads, frame_views
from coordinator.services.errors import Refused, not_found
from coordinator.services.frame_schemas import FrameDetail, FrameMap, LayersView, LayerView
from coordinator.services.schemas import ExtraFileView, FrameView, Page


class FrameQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many frames, from where."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 50
    cursor: Cursor | None = None
    start: Annotated[int, Meta(ge=-(10**7), le=10**7)] | None = None
    """The first frame to be listed; a cursor goes on from there."""


class PictureQuery(msgspec.Struct, frozen=True, kw_only=True):
    """How large a thumbnail is wanted; the rest of the query tells addresses apart."""

    width: Annotated[int, Meta(ge=1, le=640)] = 320
    """Pixels."""


class LayerQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which layer is wanted; the rest of the query tells addresses apart."""

    name: Annotated[str, Meta(min_length=1, max_length=500)]
    """As in the list of layers."""


async def index(request: web.Request, job_id: int, query: FrameQuery) -> Page[FrameView]:
    """List finished and failed frames in order."""
    return await request.app[DATABASE].read(frame_views.list_frames, job_id, query.limit, query.cursor, query.start)


async def show(request: web.Request, job_id: int, frame: int) -> FrameDetail:
    """Show all that is known of a frame: how it ended, on what, and what failed before."""
    return await request.app[DATABASE].read(frame_views.frame_detail, job_id, frame)


async def overview(request: web.Request, job_id: int) -> Answer[FrameMap]:
    """Show all frames of a job at once, column by column; asked again with its ETag, 304 when nothing has changed."""
    database = request.app[DATABASE]
    tag = await database.read(frame_views.map_tag, job_id)
    headers = {"ETag": f'"{tag}"', "Cache-Control": "private, no-cache"}
    if request.if_none_match and any(known.value == tag for known in request.if_none_match):
        raise web.HTTPNotModified(headers=headers)
    return Answer(await database.read(frame_views.frame_map, job_id), headers=headers)


async def layers(request: web.Request, job_id: int, frame: int) -> LayersView:
    """List the passes and channels in a frame's file."""
    database = request.app[DATABASE]
    file = await database.read(downloads.frame_output, job_id, frame)
    exr = await database.read(downloads.is_exr, job_id)
    path = await request.app[STORE].fetch(file.sha256)
    try:
        contents = await asyncio.to_thread(read_contents, path, exr=exr)
    except BadPicture as error:
        raise Refused(ErrorCode.INTERNAL, str(error)) from error
    return LayersView(
        width=contents.width,
        height=contents.height,
        compression=contents.compression,
        layers=[LayerView(name=it.name, channels=list(it.channels), bits=it.bits) for it in contents.layers],
    )


async def layer(request: web.Request, job_id: int, frame: int, query: LayerQuery) -> web.StreamResponse:
    """Send a picture of one of the layers and passes in a frame's OpenEXR, for people to look at."""
    database = request.app[DATABASE]
    file = await database.read(downloads.frame_output, job_id, frame)
    if not await database.read(downloads.is_exr, job_id):
        raise not_found(f"layer in frame {frame} of job {job_id}: it is no OpenEXR")
    tag, cache = f"{file.sha256}-{hashlib.sha256(query.name.encode()).hexdigest()[:16]}", cache_control(request)
    if (known := not_modified(request, tag, cache)) is not None:
        return known
    try:
        content = await request.app[PASSES].get(await request.app[STORE].fetch(file.sha256), query.name)
    except NoSuchPass:
        raise not_found(f"layer {query.name!r} in frame {frame} of job {job_id}") from None
    except BadPicture as error:
        raise Refused(ErrorCode.INTERNAL, str(error)) from error
    response = web.Response(body=content, content_type="image/jpeg", headers={"Cache-Control": cache})
    response.etag = ETag(tag)
    return response


async def thumbnail(request: web.Request, job_id: int, frame: int, query: PictureQuery) -> web.StreamResponse:
    """Send a frame as a thumbnail, at most so wide."""
    file = await request.app[DATABASE].read(downloads.frame_preview, job_id, frame)
    width = nearest_width(query.width)
    tag, cache = f"{file.sha256}-{width}", cache_control(request)
    if (known := not_modified(request, tag, cache)) is not None:
        return known
    content = await request.app[THUMBNAILS].get(file.sha256, width, lambda: request.app[STORE].fetch(file.sha256))
    response = web.Response(body=content, content_type="image/webp", headers={"Cache-Control": cache})
    response.etag = tag
    return response


async def display(request: web.Request, job_id: int, frame: int) -> web.StreamResponse:
    """Send a frame in full size as seen in Blender, where its own file is no picture for browsers."""
    return await send_file(request, await request.app[DATABASE].read(downloads.frame_display, job_id, frame))


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
    """Send a frame's small picture, a JPEG; one is made of a frame that is so small that it came without."""
    file = await request.app[DATABASE].read(downloads.frame_preview, job_id, frame)
    return await send_file(request, file, small_jpeg=True)
