"""The farm's machines."""

from aiohttp import web

from coordinator.keys import DATABASE
from coordinator.services import views
from coordinator.services.schemas import AgentView, Page


async def index(request: web.Request) -> Page[AgentView]:
    """List agents with what each slot does."""
    return Page(items=await request.app[DATABASE].read(views.list_agents))
