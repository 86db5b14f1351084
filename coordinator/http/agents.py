"""The farm's machines, and what a person does to them."""

from collections.abc import Callable

from aiohttp import web

from coordinator.db.engine import Transaction
from coordinator.keys import DATABASE
from coordinator.services import agent_control, agent_views
from coordinator.services.accounts import Principal
from coordinator.services.agent_schemas import AgentView
from coordinator.services.schemas import Page


async def index(request: web.Request) -> Page[AgentView]:
    """List agents with what each slot does."""
    return Page(items=await request.app[DATABASE].read(agent_views.list_agents))


async def reinstate(request: web.Request, caller: Principal, agent_id: int) -> AgentView:
    """Let an agent that was set aside work again."""
    return await _steer(request, agent_control.reinstate, agent_id, caller)


async def drain(request: web.Request, caller: Principal, agent_id: int) -> AgentView:
    """Have an agent finish the frames that it renders and give it no others."""
    return await _steer(request, agent_control.drain, agent_id, caller)


async def resume(request: web.Request, caller: Principal, agent_id: int) -> AgentView:
    """Give an agent that was drained work again."""
    return await _steer(request, agent_control.resume, agent_id, caller)


async def stop(request: web.Request, caller: Principal, agent_id: int) -> AgentView:
    """Drain an agent and take its frames from it at once."""
    return await _steer(request, agent_control.stop, agent_id, caller)


async def bar(request: web.Request, caller: Principal, agent_id: int) -> None:
    """Make an agent's own token void: it stops."""
    await request.app[DATABASE].write(agent_control.bar, agent_id, caller.name)


async def remove(request: web.Request, caller: Principal, agent_id: int) -> None:
    """Take an agent that is not there off the list."""
    await request.app[DATABASE].write(agent_control.remove, agent_id, caller.name)


async def _steer(
    request: web.Request, do: Callable[[Transaction, int, str], None], agent_id: int, caller: Principal
) -> AgentView:
    """Do something to an agent, and return it as it is then."""
    await request.app[DATABASE].write(do, agent_id, caller.name)
    return await request.app[DATABASE].read(agent_views.agent_view, agent_id)
