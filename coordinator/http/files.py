"""Blobs in and out over HTTP."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from aiohttp import ETag, web

from coordinator.db.engine import Transaction
from coordinator.keys import DATABASE, STORE
from coordinator.media.preview import small_jpeg_of
from coordinator.protocol import ErrorCode
from coordinator.services import assets
from coordinator.services.downloads import FileRef
from coordinator.services.errors import Refused

#: A blob's bytes never change.
_FOR_EVER = "private, max-age=31536000, immutable"
#: Which blob a frame's file or a video is does, when it is made again: the digest is asked for each time.
_ASK_AGAIN = "private, no-cache"

_RECEIVE_BYTES = 256 * 1024


class BlobResponse(web.FileResponse):
    """A blob, with ranges, under its digest as ETag."""

    def __init__(self, path: Path, sha256: str, content_type: str, filename: str | None, cache: str) -> None:
        """Serve the file ``path``; ``filename`` is what a browser saves it as."""
        self._sha256 = sha256
        headers = {"Content-Type": content_type, "Cache-Control": cache}
        if filename is not None:
            headers["Content-Disposition"] = disposition(filename)
        super().__init__(path, headers=headers)

    @property
    def etag(self) -> ETag:
        """The digest; the base class would make a tag of the file's time, which a restored backup changes."""
        return ETag(self._sha256)

    @etag.setter
    def etag(self, value: ETag | str | None) -> None:  # noqa: ARG002 - what the base class wants does not matter
        self.headers["ETag"] = f'"{self._sha256}"'


async def send_file(request: web.Request, file: FileRef, *, small_jpeg: bool = False) -> web.StreamResponse:
    """Return a blob that has a name for people as the answer, with ``small_jpeg`` a small JPEG of another picture.

    An address that says which ``version`` is meant stands for one blob for ever.

    Raises:
        BlobMissing: there is no such blob.
    """
    cache = cache_control(request)
    if not small_jpeg or file.content_type == "image/jpeg":
        return await send_blob(request, file.sha256, file.content_type, file.filename, cache)
    if (known := not_modified(request, file.sha256, cache)) is not None:
        return known
    made = await asyncio.to_thread(small_jpeg_of, await request.app[STORE].fetch(file.sha256))
    response = web.Response(body=made, content_type="image/jpeg", headers={"Cache-Control": cache})
    response.etag = ETag(file.sha256)
    return response


def cache_control(request: web.Request) -> str:
    """Return how long the picture or video of an address may be kept: for ever if it says which version is meant."""
    return _FOR_EVER if "version" in request.query else _ASK_AGAIN


def not_modified(request: web.Request, tag: str, cache: str) -> web.Response | None:
    """Return the answer 304 when the client has what ``tag`` stands for."""
    if request.if_none_match and any(known.value in (tag, "*") for known in request.if_none_match):
        response = web.Response(status=304, headers={"Cache-Control": cache})
        response.etag = ETag(tag)
        return response
    return None


async def send_blob(
    request: web.Request,
    sha256: str,
    content_type: str = "application/octet-stream",
    filename: str | None = None,
    cache: str = _FOR_EVER,
) -> web.StreamResponse:
    """Return a blob as the answer, or 304 when the client has it.

    Raises:
        BlobMissing: there is no such blob.
    """
    if (known := not_modified(request, sha256, cache)) is not None:
        return known
    return BlobResponse(await request.app[STORE].fetch(sha256), sha256, content_type, filename, cache)


async def receive_blob(
    request: web.Request,
    sha256: str,
    limit: int,
    record: Callable[[Transaction, Sequence[tuple[str, int]], Callable[[str], bool]], None] = assets.record_blobs,
) -> web.Response:
    """Store the request's body under its name, and ``record`` that; answer 201, or 200 when it was there.

    Raises:
        Refused: the length is not stated, or over ``limit`` bytes.
        StoreError: see :meth:`coordinator.store.BlobStore.put`.
    """
    size = announced_length(request, limit)
    stored = await request.app[STORE].put(sha256, size, request.content.iter_chunked(_RECEIVE_BYTES))
    await request.app[DATABASE].write(record, [(sha256, size)], request.app[STORE].holds)
    return web.Response(status=201 if stored else 200)


def announced_length(request: web.Request, limit: int) -> int:
    """Return the length of an upload in bytes.

    Raises:
        Refused: it is not stated, or over ``limit``.
    """
    size = request.content_length
    if size is None:
        raise Refused(ErrorCode.LENGTH_REQUIRED, "An upload must state its length (Content-Length).")
    if size > limit:
        raise Refused(ErrorCode.TOO_LARGE, f"The file has {size} bytes; at most {limit} are taken in one upload.")
    return size


def disposition(filename: str, kind: Literal["inline", "attachment"] = "inline") -> str:
    """Return a Content-Disposition header (RFC 6266): the name in ASCII for old programs, and as it is."""
    plain = "".join(character if character.isascii() and character not in '"\\' else "_" for character in filename)
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
