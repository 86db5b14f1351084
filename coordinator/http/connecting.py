"""A Blender asks to be let in, and a person approves it."""

from aiohttp import web

from coordinator.http.endpoint import Answer
from coordinator.keys import CONNECT_STARTS, DATABASE
from coordinator.protocol import ErrorCode
from coordinator.services import connecting
from coordinator.services.errors import Refused
from coordinator.services.schemas import ConnectApproval, ConnectAsked, ConnectStart, ConnectStateView, ConnectView


async def start(request: web.Request, body: ConnectStart) -> Answer[ConnectAsked]:
    """Take note of a program that asks to be let in; this answer is the only one that has the code."""
    starts, address = request.app[CONNECT_STARTS], request.remote or ""
    seconds = starts.retry_after(address, b"")
    if seconds is not None:
        raise Refused(
            ErrorCode.TOO_MANY_REQUESTS,
            f"Too many programs of this address asked to be let in; try again in {seconds} s.",
            {"retry_after": seconds},
        )
    starts.failed(address)
    return Answer(await request.app[DATABASE].write(connecting.start, body), status=201)


async def state(request: web.Request, sha256: str) -> ConnectStateView:
    """Tell whoever asked whether a person has approved it."""
    return await request.app[DATABASE].read(connecting.state_of, sha256)


async def show(request: web.Request, request_id: int) -> ConnectView:
    """Tell the person who is to approve it who asks."""
    return await request.app[DATABASE].read(connecting.view, request_id)


async def approve(request: web.Request, request_id: int, body: ConnectApproval) -> ConnectView:
    """Let in whoever shows this code."""
    answer = await request.app[DATABASE].write(connecting.approve, request_id, body)
    if isinstance(answer, Refused):
        raise answer
    return answer


async def refuse(request: web.Request, request_id: int) -> ConnectView:
    """Do not let them in."""
    return await request.app[DATABASE].write(connecting.refuse, request_id)
