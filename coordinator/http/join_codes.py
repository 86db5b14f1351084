"""Join codes: make one, and see who joined with it."""

from aiohttp import web

from coordinator.http.endpoint import Answer
from coordinator.keys import DATABASE
from coordinator.services import join_codes
from coordinator.services.accounts import Principal
from coordinator.services.agent_schemas import JoinCodeCreated, JoinCodeView


async def create(request: web.Request, caller: Principal) -> Answer[JoinCodeCreated]:
    """Make a code that lets one machine in; this answer is the only one that has it."""
    return Answer(await request.app[DATABASE].write(join_codes.create, caller.name), status=201)


async def show(request: web.Request, code_id: int) -> JoinCodeView:
    """Tell which agent joined with a code, if one did."""
    return await request.app[DATABASE].read(join_codes.view, code_id)
