"""What an agent makes of answers that are not a coordinator's."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from agent.client import CoordinatorClient, DropLeaseError, RefusedError, RetryError
from coordinator.protocol import (
    CONTENT_TYPE,
    ErrorBody,
    ErrorCode,
    ErrorEnvelope,
    FrameAnswer,
    FrameResult,
    ReportRequest,
    Stage,
    StoredFile,
    encode,
)


@pytest.fixture
async def stranger() -> AsyncIterator[TestServer]:
    """A server that answers every call with a page and the status that its address begins with."""

    async def answer(request: web.Request) -> web.Response:
        status = int(request.match_info["status"])
        return web.Response(status=status, text="<html>", content_type="text/html", headers={"Location": "/"})

    app = web.Application()
    app.router.add_route("*", "/{status}/{rest:.*}", answer)
    server = TestServer(app)
    async with server:
        yield server


async def report_to(server: TestServer, status: int) -> None:
    """Make a call that is answered with a status and a page."""
    async with aiohttp.ClientSession() as http:
        client = CoordinatorClient(http, str(server.make_url(f"/{status}")))
        await client.report("0" * 16, ReportRequest(stage=Stage.RENDERING))


@pytest.mark.parametrize("status", [200, 302, 401, 403, 404, 410, 418, 502])
async def test_stranger_at_the_address_ends_nothing(stranger: TestServer, status: int) -> None:
    with pytest.raises(RetryError):
        await report_to(stranger, status)


async def test_connection_that_ends_within_an_answer_is_told_in_words() -> None:
    async def cut(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-msgpack\r\n")
        writer.close()

    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, aiohttp.ClientSession() as http:
        client = CoordinatorClient(http, f"http://127.0.0.1:{port}")
        with pytest.raises(RetryError, match="it hung up"):
            await client.report("0" * 16, ReportRequest(stage=Stage.RENDERING))


async def test_length_that_a_proxy_refuses_is_not_tried_again(stranger: TestServer) -> None:
    with pytest.raises(RefusedError, match="proxy"):
        await report_to(stranger, 413)


async def hand_in(status: int, body: bytes) -> FrameAnswer:
    """Hand a frame in to a coordinator that answers so."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body, content_type=CONTENT_TYPE)

    app = web.Application()
    app.router.add_put("/agent/v1/leases/one/frames/7", answer)
    file = StoredFile(sha256="0" * 64, size=1)
    result = FrameResult(output=file, preview=file, seconds=1.0, blender=(4, 5, 0))
    async with TestServer(app) as server, aiohttp.ClientSession() as http:
        return await CoordinatorClient(http, str(server.make_url("/"))).put_frame("one", 7, result)


@pytest.mark.parametrize("status", [200, 201])
async def test_frame_that_is_taken_tells_how_far_to_go_on(status: int) -> None:
    assert await hand_in(status, encode(FrameAnswer(last_frame=9))) == FrameAnswer(last_frame=9)


async def test_lost_frame_is_not_a_lost_lease() -> None:
    def body(code: ErrorCode) -> bytes:
        return encode(ErrorEnvelope(error=ErrorBody(code=code, message="Another slot has it.")))

    with pytest.raises(RefusedError, match="Another slot") as raised:
        await hand_in(409, body(ErrorCode.FRAME_LOST))
    assert raised.value.code == ErrorCode.FRAME_LOST
    with pytest.raises(DropLeaseError):
        await hand_in(409, body(ErrorCode.LEASE_LOST))
