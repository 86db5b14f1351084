"""The farm's machines, and what a person does to them."""

from aiohttp import web

from coordinator.keys import DATABASE
from coordinator.services import agent_control, agent_views, agents
from coordinator.services.accounts import Principal
from coordinator.services.agent_schemas import AgentView
from coordinator.services.schemas import Page


async def index(request: web.Request) -> Page[AgentView]:
    """List agents with what each slot does."""
    return Page(items=await request.app[DATABASE].read(agent_views.list_agents))


async def reinstate(request: web.Request, caller: Principal, agent_id: int) -> AgentView:
    """Let an agent that was set aside work again."""
    await request.app[DATABASE].write(agents.reinstate, agent_id, caller.name)
    return await _view(request, agent_id)


async def drain(request: web.Request, caller: Principal, agent_id: int) -> AgentView:
    """Have an agent finish the frames that it renders and give it no others."""
    await request.app[DATABASE].write(agent_control.drain, agent_id, caller.name)
    return await _view(request, agent_id)


async def resume(request: web.Request, caller: Principal, agent_id: int) -> AgentView:
    """Give an agent that was drained work again."""
    await request.app[DATABASE].write(agent_control.resume, agent_id, caller.name)
    return await _view(request, agent_id)


async def stop(request: web.Request, caller: Principal, agent_id: int) -> AgentView:
    """Drain an agent and take its frames from it at once."""
    await request.app[DATABASE].write(agent_control.stop, agent_id, caller.name)
    return await _view(request, agent_id)


async def bar(request: web.Request, caller: Principal, agent_id: int) -> None:
    """Make an agent's own token void: it stops."""
    await request.app[DATABASE].write(agent_control.bar, agent_id, caller.name)


async def remove(request: web.Request, caller: Principal, agent_id: int) -> None:
    """Take an agent that is not there off the list."""
    await request.app[DATABASE].write(agent_control.remove, agent_id, caller.name)


async def _view(request: web.Request, agent_id: int) -> AgentView:
    return await request.app[DATABASE].read(agent_views.agent_view, agent_id)
