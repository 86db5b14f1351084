"""The web page: the files of web/, as they are."""

import asyncio
from pathlib import Path

from aiohttp import web

from coordinator.keys import WEB_ROOT

_INDEX = "index.html"

#: What is served, and as what; the package's own Python files are not.
_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain",
}


async def show(request: web.Request, path: str) -> web.StreamResponse:
    """Serve one file of the page."""
    file = await asyncio.to_thread(_find, request.app[WEB_ROOT], path or _INDEX)
    if file is None:
        raise web.HTTPNotFound
    # Kept by the browser but asked for each time (a 304 costs nothing): a new version shows at once.
    headers = {"Cache-Control": "no-cache", "Content-Type": _TYPES[file.suffix] + _charset(file)}
    return web.FileResponse(file, headers=headers)


def _find(root: Path, path: str) -> Path | None:
    """Return the file that ``path`` names, or None: no folders, nothing hidden, nothing outside of ``root``."""
    parts = path.split("/")
    if any(part in ("", ".", "..") or part.startswith(".") or "\\" in part or "\0" in part for part in parts):
        return None
    file = root.joinpath(*parts)
    try:
        found = file.suffix in _TYPES and file.is_file() and file.resolve().is_relative_to(root.resolve())
    except OSError:  # a name longer than any file has
        return None
    return file if found else None


def _charset(file: Path) -> str:
    return "; charset=utf-8" if _TYPES[file.suffix].startswith("text/") else ""
