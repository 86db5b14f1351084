"""The way to the coordinator: its name, its port, its certificate, its answer, the token, and the two clocks."""

import asyncio
import os
import socket
from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import aiohttp
import msgspec

from agent.client import CallError, CoordinatorClient, RefusedError, StopAgentError
from agent.doctor.findings import Finding, fail, ok, warn
from coordinator.protocol import PROTOCOL_VERSION

#: Seconds for each step.
_TIMEOUT = 10.0

#: Clocks that differ by more (seconds) make times on the page odd; by still more, certificates and sessions fail.
_ODD = 10.0
_WRONG = 300.0

_SET_THE_CLOCK = "sudo timedatectl set-ntp true"


class _Health(msgspec.Struct, frozen=True):
    status: str
    version: str


async def check_farm(url: str, token: str, now: Callable[[], datetime]) -> list[Finding]:
    """Return how far one gets on the way to a coordinator, and what the token is good for.

    Args:
        url: the coordinator's address.
        token: the agent's own, or what it is to join with; empty: it has none.
        now: this machine's clock.
    """
    unreachable = await _reach(url)
    if unreachable is not None:
        return [unreachable]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT)) as http:
        try:
            async with http.get(f"{url}/api/v1/health", allow_redirects=False) as response:
                body, date = await response.read(), response.headers.get("Date")
                status = response.status
        except aiohttp.ClientConnectorCertificateError as error:
            mend = "SSL_CERT_FILE=/path/to/your-ca.pem in the agent's environment, if the farm has a CA of its own"
            return [fail("coordinator", f"The certificate of {url} is not trusted: {error.certificate_error}.", mend)]
        except (aiohttp.ClientError, TimeoutError) as error:
            mend = "check http or https, and the port; look into the coordinator's log"
            return [fail("coordinator", f"{url} does not speak HTTP ({error or 'no answer'}).", mend)]
        findings = [_who_answers(url, status, body)]
        if date is not None:
            findings.append(_compare_clocks(date, now()))
        if findings[0].mend is None:
            findings.append(await _try_token(http, url, token))
        return findings


async def _reach(url: str) -> Finding | None:
    """Return why nothing at the address can be connected to; None if it can."""
    address = urlsplit(url)
    host, port = address.hostname or "", address.port or (443 if address.scheme == "https" else 80)
    try:
        await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        mend = f"getent hosts {host}; or name the coordinator by its IP address with --coordinator"
        return fail("coordinator", f"Nobody knows the name {host} ({error.strerror or error}).", mend)
    try:
        async with asyncio.timeout(_TIMEOUT):
            _, writer = await asyncio.open_connection(host, port)
    except OSError as error:  # a timeout is one too
        why = os.strerror(error.errno) if error.errno else str(error) or "no answer"
        mend = (
            f"on its machine: renderfarm coordinator --host 0.0.0.0, and let port {port} through the firewall; "
            f"then from here: nc -vz {host} {port}"
        )
        return fail("coordinator", f"Nothing answers at {host} on port {port} ({why}).", mend)
    writer.close()
    return None


def _who_answers(url: str, status: int, body: bytes) -> Finding:
    try:
        health = msgspec.json.decode(body, type=_Health)
    except msgspec.DecodeError:
        mend = "check the address: it is the one that the coordinator prints when it starts"
        return fail("coordinator", f"What answers at {url} is no coordinator (status {status}).", mend)
    if status != 200 or health.status != "ok":
        mend = "look into the coordinator's log"
        return fail("coordinator", f"The coordinator at {url} is not well (status {status}).", mend)
    return ok("coordinator", f"The coordinator at {url} answers, version {health.version}.")


def _compare_clocks(date: str, now: datetime) -> Finding:
    try:
        there = parsedate_to_datetime(date)
    except ValueError:
        mend = f"date -u, here and on the coordinator's machine; where they differ, {_SET_THE_CLOCK}"
        return warn("clock", f"The coordinator's answer has no date that can be read ({date!r}).", mend)
    # The header has whole seconds.
    ahead = (now - there).total_seconds()
    if abs(ahead) <= _ODD:
        return ok("clock", "This machine's clock and the coordinator's agree.")
    how = f"{abs(ahead):.0f} seconds {'ahead of' if ahead > 0 else 'behind'} the coordinator's"
    tell = fail if abs(ahead) > _WRONG else warn
    return tell("clock", f"This machine's clock is {how}.", f"{_SET_THE_CLOCK} (on both)")


async def _try_token(http: aiohttp.ClientSession, url: str, token: str) -> Finding:
    get_one = "on the page, Agents, “Add a machine”; or there: renderfarm token create join"
    if not token:
        return warn("token", "This agent has not joined the farm yet, and no token or code was given.", get_one)
    try:
        welcome = await CoordinatorClient(http, url).hello(token)
    except StopAgentError as error:
        return fail("token", f"The coordinator does not take the token: {error}", get_one)
    except RefusedError:
        mend = "install the same version on both"
        return fail("protocol", "The coordinator is older than this agent, and does not know it.", mend)
    except CallError as error:
        return fail("token", f"The token could not be tried: {error}", "run this again")
    if welcome.protocol != PROTOCOL_VERSION:
        mend = "install the same version on both"
        message = f"The coordinator speaks protocol {welcome.protocol}, this agent {PROTOCOL_VERSION}."
        return fail("protocol", message, mend)
    has = "its own token" if welcome.token == "agent" else "a token to join with"  # noqa: S105 - a kind of token
    return ok("token", f"The coordinator takes this agent: it has {has}.")
