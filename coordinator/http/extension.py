"""The Blender extension, of the very version that this coordinator is, and where Blender finds its updates."""

import hashlib

from aiohttp import web

from coordinator.extension import Extension
from coordinator.keys import EXTENSION
from coordinator.protocol import ErrorCode
from coordinator.services.errors import Refused


async def archive(request: web.Request, filename: str) -> web.Response:
    """Serve the ZIP file: as ``renderfarm.zip`` to people, and by its full name."""
    extension = _extension(request)
    if filename not in ("renderfarm.zip", extension.filename):
        raise Refused(ErrorCode.NOT_FOUND, f"the extension here is {extension.filename}; it is at /extension/")
    etag = f'"{hashlib.sha256(extension.data).hexdigest()}"'
    headers = {
        "Content-Disposition": f'attachment; filename="{extension.filename}"',
        "Cache-Control": "no-cache",
        "ETag": etag,
    }
    if request.headers.get("If-None-Match") == etag:
        return web.Response(status=304, headers=headers)
    return web.Response(body=extension.data, content_type="application/zip", headers=headers)


async def listing(request: web.Request) -> web.Response:
    """Tell Blender, as a repository of extensions does, which version there is."""
    return web.Response(body=_extension(request).listing, content_type="application/json")


def _extension(request: web.Request) -> Extension:
    extension = request.app[EXTENSION]
    if extension is None:
        raise Refused(ErrorCode.NOT_FOUND, "this coordinator was installed without the Blender extension")
    return extension
