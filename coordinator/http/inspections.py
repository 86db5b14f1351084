"""Inspections: ask what is in a pack, and see how far the answer is."""

from aiohttp import web

from coordinator.keys import DATABASE
from coordinator.services import inspections
from coordinator.services.inspection_schemas import InspectionAsk, InspectionView


async def ask(request: web.Request, sha256: str, body: InspectionAsk) -> InspectionView:
    """Have an agent look into a pack, unless one did; ask again for one that failed."""
    return await request.app[DATABASE].write(inspections.ask, sha256, body)


async def show(request: web.Request, sha256: str) -> InspectionView:
    """Tell how far the look into a pack is, and what was found."""
    return await request.app[DATABASE].read(inspections.view, sha256)
