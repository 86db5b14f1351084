"""What of a job is made while it is downloaded: all frames in a ZIP, and its log as text."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from coordinator.http.files import disposition
from coordinator.keys import DATABASE, STORE
from coordinator.media.zip_stream import FileList, ZipLayout
from coordinator.services import downloads, job_contents
from coordinator.store import BlobStore, StoreError

#: Read and sent at a time, in bytes.
PIECE = 1024 * 1024

#: A client that takes nothing for this long is cut off, in seconds: a paused download may go on, one forgotten may not.
STUCK_SECONDS = 600.0

_LOG_EVENTS = 1000


class ArchiveQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which frames, and what beside them."""

    frames: Annotated[str, Meta(min_length=1, max_length=20_000)] | None = None
    """A frame range; all by default."""
    extras: bool = False
    """Also what the scene itself wrote beside its frames."""


async def archive(request: web.Request, job_id: int, query: ArchiveQuery) -> web.StreamResponse:
    """Send all finished frames in a ZIP that is made as it travels."""
    name, files = await request.app[DATABASE].read(downloads.archive, job_id, query.frames, extras=query.extras)
    length = await asyncio.to_thread(files.archive_length)
    headers = {
        "Content-Type": "application/zip",
        "Content-Length": str(length),
        "Content-Disposition": disposition(name, "attachment"),
    }
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    try:
        async for piece in _pieces(files, request.app[STORE]):
            async with asyncio.timeout(STUCK_SECONDS):
                await response.write(piece)
        await response.write_eof()
    except (ConnectionResetError, TimeoutError, StoreError, OSError):
        # Its head has been sent: a connection that breaks off is all that tells the client that the rest is missing.
        if request.transport is not None:
            request.transport.abort()
    return response


async def log(request: web.Request, job_id: int) -> web.StreamResponse:
    """Send a job's history as text."""
    database = request.app[DATABASE]
    name = await database.read(downloads.log_name, job_id)
    headers = {"Content-Type": "text/plain; charset=utf-8", "Content-Disposition": disposition(name, "attachment")}
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    after: int | None = None
    while request.method != "HEAD":
        text, after = await database.read(job_contents.log_lines, job_id, after, _LOG_EVENTS)
        async with asyncio.timeout(STUCK_SECONDS):
            await response.write(text.encode())
        if after is None:
            break
    await response.write_eof()
    return response


async def _pieces(files: FileList, store: BlobStore) -> AsyncIterator[bytes]:
    """Yield the archive.  Each file is read twice, for its checksum goes before it; the second time from memory."""
    layout = ZipLayout()
    for index in range(len(files)):
        entry = files.entry(index)
        path = await store.fetch(files.sha256(index))
        content = await asyncio.to_thread(_read_small, path)
        if content is not None:
            yield layout.head(entry, zlib.crc32(content)) + content
            continue
        yield layout.head(entry, await asyncio.to_thread(_crc, path))
        offset = 0
        while piece := await asyncio.to_thread(_read, path, offset):
            offset += len(piece)
            yield piece
    yield layout.end()


def _read_small(path: Path) -> bytes | None:
    """Return the content of a file that fits into one piece."""
    with path.open("rb") as file:
        content = file.read(PIECE + 1)
    return content if len(content) <= PIECE else None


def _crc(path: Path) -> int:
    crc = 0
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            crc = zlib.crc32(piece, crc)
    return crc


def _read(path: Path, offset: int) -> bytes:
    # Opened for each piece, so that a download which is abandoned at any point leaves no open file behind.
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(PIECE)
