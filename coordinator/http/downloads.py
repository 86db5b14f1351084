"""What of a job is made while it is downloaded: all frames in a ZIP, and its log as text."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from coordinator.http.files import disposition
from coordinator.keys import DATABASE, STORE
from coordinator.media.zip_stream import Entry, FileList, ZipLayout
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
    """Yield the archive: a large file piece by piece, short ones together.

    Large ones are read twice, for a file's checksum goes before it; the second time from memory.

    Raises:
        StoreError: a file is gone, or is not as long as it was.
    """
    layout = ZipLayout()
    start = 0
    while start < len(files):
        together = range(start, _end_of_piece(files, start))
        start = together.stop
        entries = [files.entry(index) for index in together]
        paths = await asyncio.gather(*(store.fetch(files.sha256(index)) for index in together))
        if entries[0].size <= PIECE:
            contents = await asyncio.to_thread(_read_whole, paths, entries)
            heads = [layout.head(entry, crc) for entry, (_, crc) in zip(entries, contents, strict=True)]
            yield b"".join(part for head, (content, _) in zip(heads, contents, strict=True) for part in (head, content))
            continue
        yield layout.head(entries[0], await asyncio.to_thread(_crc, paths[0]))
        offset = 0
        while piece := await asyncio.to_thread(_read, paths[0], offset):
            offset += len(piece)
            _check_length(offset, entries[0], whole=False)
            yield piece
        _check_length(offset, entries[0])
    yield layout.end()


def _end_of_piece(files: FileList, start: int) -> int:
    """Return where the files end that begin at ``start`` and are read together: one, or as many as make a piece."""
    size, end = files.size(start), start + 1
    while end < len(files) and (size := size + files.size(end)) <= PIECE:
        end += 1
    return end


def _read_whole(paths: Sequence[Path], entries: Sequence[Entry]) -> list[tuple[bytes, int]]:
    """Return the content of short files, each with its checksum."""
    read = []
    for path, entry in zip(paths, entries, strict=True):
        content = path.read_bytes()
        _check_length(len(content), entry)
        read.append((content, zlib.crc32(content)))
    return read


def _check_length(length: int, entry: Entry, *, whole: bool = True) -> None:
    """Let no archive go out whose heads tell of other files than it has."""
    if length > entry.size or (whole and length < entry.size):
        raise StoreError(f"{entry.name} has {length} bytes where {entry.size} were stored.")


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
