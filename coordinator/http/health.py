"""Is it there, and what can it do?"""

from aiohttp import web

from coordinator.keys import DATABASE, OPENAPI, VERSION
from coordinator.services.schemas import Health


async def show(request: web.Request) -> Health:
    """Say that the coordinator and its database work."""
    database = request.app[DATABASE]
    await database.read(lambda tx: tx.conn.exec_driver_sql("SELECT 1").scalar_one())
    return Health(version=request.app[VERSION], database=database.kind)


async def openapi(request: web.Request) -> web.Response:
    """Describe the public API (OpenAPI 3.1)."""
    return web.Response(body=request.app[OPENAPI], content_type="application/json")
