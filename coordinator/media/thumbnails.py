"""Thumbnails of frames: WebP, made once from the frame's preview, and kept in a folder under the preview's digest.

The folder is a cache and no more: what is lost is made again, and what belongs to a picture that is not in the store
any more goes.
"""

import asyncio
import io
import logging
import secrets
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from PIL import Image

from coordinator.protocol.previews import as_eight_bits

log = logging.getLogger(__name__)

T = TypeVar("T")

#: The widths there are, in pixels: a few, so that each is made once.
WIDTHS = (160, 320, 640)
QUALITY = 80

_NO_TALLER = 4
"""Times the width: a picture may be a strip."""


def nearest_width(wanted: int) -> int:
    """Return the smallest width that is enough, else the largest."""
    return next((width for width in WIDTHS if width >= wanted), WIDTHS[-1])


class Thumbnails:
    """Makes thumbnails in a few threads of its own, each once however many ask for it."""

    def __init__(self, folder: Path, threads: int = 2) -> None:
        """Keep them in ``folder``, which is made when the first one is."""
        self._folder = folder
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="thumbnails")
        self._making: dict[tuple[str, int], asyncio.Task[bytes]] = {}

    async def get(self, sha256: str, width: int, source: Callable[[], Awaitable[Path]]) -> bytes:
        """Return the thumbnail, one of WIDTHS wide or less, of a picture.

        Args:
            sha256: the picture's digest.
            width: one of WIDTHS; a smaller picture stays as small as it is.
            source: brings the picture's file.

        Raises:
            OSError: the picture cannot be read.
            Exception: what ``source`` raises.
        """
        key = (sha256, width)
        task = self._making.get(key)
        if task is None:
            task = self._making[key] = asyncio.create_task(self._find_or_make(key, source))
            task.add_done_callback(lambda done: self._made(key, done))
        # One who goes away leaves the others their picture.
        return await asyncio.shield(task)

    def _made(self, key: tuple[str, int], task: asyncio.Task[bytes]) -> None:
        del self._making[key]
        if not task.cancelled():
            task.exception()  # all who waited have heard of it, or have gone

    async def _find_or_make(self, key: tuple[str, int], source: Callable[[], Awaitable[Path]]) -> bytes:
        path = self._path(*key)
        found = await self._run(_read, path)
        if found is not None:
            return found
        picture = await source()
        return await self._run(_make, picture, path, key[1])

    async def sweep(self, is_stored: Callable[[str], Awaitable[bool]]) -> int:
        """Remove the thumbnails of pictures that are not in the store any more; return how many went."""
        removed = 0
        for sha256 in await self._run(self._digests):
            if not await is_stored(sha256):
                removed += await self._run(self._remove, sha256)
        return removed

    async def close(self) -> None:
        """Wait for what is being made, and free the threads."""
        await asyncio.gather(*self._making.values(), return_exceptions=True)
        await asyncio.to_thread(self._pool.shutdown, wait=True)

    def _path(self, sha256: str, width: int) -> Path:
        return self._folder / sha256[:2] / f"{sha256}-{width}.webp"

    def _digests(self) -> list[str]:
        return sorted({path.name.partition("-")[0] for path in self._folder.glob("*/*.webp")})

    def _remove(self, sha256: str) -> int:
        paths = list((self._folder / sha256[:2]).glob(f"{sha256}-*"))
        for path in paths:
            path.unlink(missing_ok=True)
        return len(paths)

    async def _run(self, function: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _make(picture: Path, path: Path, width: int) -> bytes:
    with Image.open(picture, formats=["JPEG", "PNG"]) as image:
        # A JPEG is decoded at a fraction of its size where that is enough.
        image.draft("RGB", (width, width * _NO_TALLER))
        small = as_eight_bits(image).convert("RGBA" if image.has_transparency_data else "RGB")
    small.thumbnail((width, width * _NO_TALLER), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    small.save(content, "WEBP", quality=QUALITY, method=4)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        try:
            unfinished.write_bytes(content.getvalue())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        # It is shown all the same, and made again the next time.
        log.warning("a thumbnail cannot be kept in %s: %s", path.parent, error)
    return content.getvalue()
