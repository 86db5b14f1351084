"""The doctor's lines on the way to a coordinator, and the command itself."""

import asyncio
import json
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from click.testing import CliRunner

from agent.cli import doctor
from agent.doctor.farm import check_farm
from agent.doctor.findings import Finding, State
from coordinator.protocol import CONTENT_TYPE, ErrorBody, ErrorEnvelope, Welcome, encode
from tests.integration.coordinator import ADMIN, JOIN, RunningCoordinator

HEALTH = {"status": "ok", "version": "1.0", "database": "sqlite"}


async def look(url: str, token: str = JOIN, ahead: float = 0.0) -> dict[str, Finding]:
    """Return the doctor's findings by what they are about, on a machine whose clock is so many seconds ahead."""
    findings = await check_farm(url.rstrip("/"), token, lambda: datetime.now(UTC) + timedelta(seconds=ahead))
    return {finding.check: finding for finding in findings}


@asynccontextmanager
async def serving(
    answer: Callable[[web.Request], Awaitable[web.Response]], context: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """Serve every address with ``answer``; yield the server's own."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield f"http{'s' if context else ''}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def coordinator(hello: web.Response) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Answer as another version of the coordinator would."""

    async def answer(request: web.Request) -> web.Response:
        return web.json_response(HEALTH) if request.path == "/api/v1/health" else hello

    return answer


async def test_all_is_well(small_farm: RunningCoordinator) -> None:
    found = await look(small_farm.url)
    assert {check: finding.state for check, finding in found.items()} == dict.fromkeys(
        ("coordinator", "clock", "token"), State.OK
    )


@pytest.mark.parametrize(
    ("token", "state", "words"),
    [
        ("rf_join_wrong", State.FAIL, "does not take the token"),
        (ADMIN, State.FAIL, "does not take the token"),
        ("", State.WARN, "has not joined"),
    ],
)
async def test_token_that_is_no_good(small_farm: RunningCoordinator, token: str, state: State, words: str) -> None:
    found = (await look(small_farm.url, token))["token"]
    assert found.state == state
    assert words in found.message
    assert "renderfarm token create join" in (found.mend or "")


async def test_trying_a_token_changes_nothing(small_farm: RunningCoordinator) -> None:
    await look(small_farm.url)
    assert (await small_farm.ask("GET", "agents"))["items"] == []


@pytest.mark.parametrize(("ahead", "state"), [(5, State.OK), (-60, State.WARN), (600, State.FAIL)])
async def test_clocks(small_farm: RunningCoordinator, ahead: float, state: State) -> None:
    found = (await look(small_farm.url, ahead=ahead))["clock"]
    assert found.state == state
    assert ("timedatectl" in (found.mend or "")) == (state != State.OK)
    if ahead < 0:
        assert "behind" in found.message


async def test_closed_port() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        found = await look(f"http://127.0.0.1:{port}")
    assert found["coordinator"].state == State.FAIL
    assert f"port {port} (Connection refused)" in found["coordinator"].message
    assert f"nc -vz 127.0.0.1 {port}" in (found["coordinator"].mend or "")


async def test_name_that_nobody_knows() -> None:
    found = await look("http://nowhere.invalid:8420")
    assert "Nobody knows the name nowhere.invalid" in found["coordinator"].message
    assert "getent hosts nowhere.invalid" in (found["coordinator"].mend or "")


async def test_something_else_answers() -> None:
    async def page(_request: web.Request) -> web.Response:
        return web.Response(text="<h1>It works!</h1>", content_type="text/html")

    async with serving(page) as url:
        assert "is no coordinator (status 200)" in (await look(url))["coordinator"].message


async def test_what_answers_is_no_http() -> None:
    async def mail(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.com ESMTP\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(mail, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert "does not speak HTTP" in (await look(f"http://127.0.0.1:{port}"))["coordinator"].message


async def test_certificate_of_nobody(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with serving(coordinator(web.Response(status=404)), context) as url:
        found = (await look(url))["coordinator"]
    assert "is not trusted" in found.message
    assert "SSL_CERT_FILE" in (found.mend or "")


async def test_coordinators_of_other_versions() -> None:
    newer = encode(Welcome(protocol=99, software_version="9", token="join"))
    async with serving(coordinator(web.Response(body=newer, content_type=CONTENT_TYPE))) as url:
        assert "speaks protocol 99" in (await look(url))["protocol"].message
    unknown = encode(ErrorEnvelope(error=ErrorBody(code="not_found", message="There is nothing here.")))
    async with serving(coordinator(web.Response(body=unknown, status=404, content_type=CONTENT_TYPE))) as url:
        assert "older than this agent" in (await look(url))["protocol"].message


@pytest.mark.slow
def test_command_tells_people_and_programs(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        arguments = ["--coordinator", f"http://127.0.0.1:{closed.getsockname()[1]}", "--dir", str(tmp_path)]
        arguments += ["--blender", "bpy", "--sandbox", "off"]
        told = CliRunner().invoke(doctor, arguments)
        for_programs = CliRunner().invoke(doctor, [*arguments, "--json"])
    assert told.exit_code == for_programs.exit_code == 1
    assert "ok    start" in told.output
    assert "fail  coordinator" in told.output
    assert "→ on its machine: renderfarm coordinator" in told.output
    answer = json.loads(for_programs.stdout)
    assert answer["state"] == "fail"
    states = {finding["check"]: finding["state"] for finding in answer["findings"]}
    assert (states["start"], states["sandbox"], states["coordinator"]) == ("ok", "warn", "fail")
