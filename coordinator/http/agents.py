"""The farm's machines, and what a person does to them."""

from collections.abc import Callable

from aiohttp import web

from coordinator.db.engine import Transaction
from coordinator.keys import DATABASE, LOADS
from coordinator.services import agent_control, agent_views
from coordinator.services.accounts import Principal
from coordinator.services.agent_schemas import (
    AgentChange,
    AgentView,
    CardHistory,
    LoadHistory,
    LoadQuery,
    SetAsideRequest,
)
from coordinator.services.schemas import Page


async def index(request: web.Request) -> Page[AgentView]:
    """List agents with what each slot does."""
    return Page(items=await request.app[DATABASE].read(agent_views.list_agents))


async def loads(request: web.Request, query: LoadQuery) -> Page[LoadHistory]:
    """Show how the agents' graphics cards were in the last half hour, as far as this coordinator was there."""
    found = request.app[LOADS].since(query.since)
    return Page(
        items=[
            LoadHistory(
                agent=agent_id,
                at=history.at,
                cards=[
                    CardHistory(
                        celsius=[it.celsius for it in card],
                        utilization=[it.utilization for it in card],
                        memory=[it.memory for it in card],
                    )
                    for card in history.cards
                ],
            )
            for agent_id, history in found.items()
        ]
    )


async def change(request: web.Request, caller: Principal, agent_id: int, body: AgentChange) -> AgentView:
    """Give an agent other tags and pools, beside those of its own settings."""
    await request.app[DATABASE].write(agent_control.change, agent_id, caller.name, body)
    return await request.app[DATABASE].read(agent_views.agent_view, agent_id)


async def set_aside(request: web.Request, caller: Principal, agent_id: int, body: SetAsideRequest) -> AgentView:
    """Give an agent no more work until a person lets it back, and say why."""
    await request.app[DATABASE].write(agent_control.set_aside, agent_id, caller.name, body.reason)
    return await request.app[DATABASE].read(agent_views.agent_view, agent_id)


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
