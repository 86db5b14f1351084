"""Inspections on the agents' side: take one, report on it, tell what was found."""

from aiohttp import web

from coordinator.http.agent_api import agent_of
from coordinator.keys import DATABASE, INSPECTORS, TIMING
from coordinator.protocol import InspectionGrant, InspectionReport, InspectionRequest, InspectionResult
from coordinator.services import inspections
from coordinator.services.accounts import Principal


async def take(request: web.Request, caller: Principal, body: InspectionRequest) -> InspectionGrant | None:
    """Give an agent a pack to look into; wait for one when there is none."""
    database, timing, agent_id = request.app[DATABASE], request.app[TIMING], agent_of(caller)

    async def look() -> InspectionGrant | bool:
        return await database.write(inspections.claim, agent_id, body, timing)

    def is_gone() -> bool:
        return request.transport is None or request.transport.is_closing()

    return await request.app[INSPECTORS].find(look, is_gone, min(body.wait_seconds, timing.poll_seconds))


async def report(request: web.Request, caller: Principal, claim: str, body: InspectionReport) -> None:
    """Take note that the agent is at it."""
    await request.app[DATABASE].write(inspections.report, agent_of(caller), claim, body, request.app[TIMING])


async def finish(request: web.Request, caller: Principal, claim: str, body: InspectionResult) -> None:
    """Take what was found, or why nothing was."""
    await request.app[DATABASE].write(inspections.finish, agent_of(caller), claim, body)
