"""The farm's machines."""

from aiohttp import web

from coordinator.keys import DATABASE
from coordinator.services import agent_views, agents
from coordinator.services.accounts import Principal
from coordinator.services.schemas import AgentView, Page


async def index(request: web.Request) -> Page[AgentView]:
    """List agents with what each slot does."""
    return Page(items=await request.app[DATABASE].read(agent_views.list_agents))


async def reinstate(request: web.Request, caller: Principal, agent_id: int) -> AgentView:
    """Let an agent that was set aside work again."""
    database = request.app[DATABASE]
    await database.write(agents.reinstate, agent_id, caller.name)
    return await database.read(agent_views.agent_view, agent_id)
