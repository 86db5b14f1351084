"""Finds the coordinators that announce themselves on the local network."""

import asyncio
import contextlib
import ipaddress
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import aiohttp
from zeroconf import Error, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from agent.identity import known_coordinators
from agent.settings import DEFAULT_COORDINATOR, AgentSettings
from coordinator.protocol.announcement import SERVICE_TYPE, Announcement, read_announcement

log = logging.getLogger(__name__)

#: Announcements are waited for this long (seconds).
LOOK_SECONDS = 5.0
#: One that announces itself has so long (seconds) to say where it is, and to answer there.
ANSWER_SECONDS = 2.0


class DiscoveryError(Exception):
    """It is not clear which coordinator is meant; the text says what to set."""


@dataclass(frozen=True, slots=True, order=True)
class Found:
    """A coordinator that answers."""

    name: str
    """Of its machine."""
    url: str
    version: str


async def with_coordinator(settings: AgentSettings) -> AgentSettings:
    """Return the settings with a coordinator: the one that is set, else one of the local network.

    Raises:
        DiscoveryError: there are several.
    """
    if settings.coordinator:
        return settings
    log.info("Looking for a coordinator on the local network.")
    found = await find_coordinators()
    known = await asyncio.to_thread(known_coordinators, settings.folder)
    chosen = choose(found, known)
    if any(it.url == chosen for it in found):
        log.info("Found the coordinator at %s.", chosen)
    else:
        log.warning(
            "No coordinator announces itself on this network; trying %s. To name another one: --coordinator or "
            "RENDERFARM_COORDINATOR.",
            chosen,
        )
    return replace(settings, coordinator=chosen)


def choose(found: Sequence[Found], known: Sequence[str]) -> str:
    """Return the address of the coordinator to join.

    Args:
        found: those on the network.
        known: those that have let the agent in before, the last one first.

    Raises:
        DiscoveryError: there are several, and the agent knows none of them.
    """
    if not found:
        return known[0] if known else DEFAULT_COORDINATOR
    urls = [it.url for it in found]
    for url in known:
        if url in urls:
            return url
    if len(found) > 1:
        listed = ", ".join(f"{it.url} (on {it.name})" for it in found)
        raise DiscoveryError(
            f"There are {len(found)} coordinators on this network: {listed}. Say which one is meant, for example: "
            f"--coordinator {urls[0]}, or RENDERFARM_COORDINATOR={urls[0]}."
        )
    return urls[0]


async def find_coordinators(seconds: float = LOOK_SECONDS) -> list[Found]:
    """Return the coordinators that announce themselves within so many seconds, and answer; none without a network."""
    names: set[str] = set()

    def on_change(zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:  # noqa: ARG001 - handlers are called with these names
        if state_change is ServiceStateChange.Removed:
            names.discard(name)
        else:
            names.add(name)

    try:
        async with AsyncZeroconf() as network:
            browser = AsyncServiceBrowser(network.zeroconf, SERVICE_TYPE, handlers=[on_change])
            await asyncio.sleep(seconds)
            await browser.async_cancel()
            answers = await asyncio.gather(*(_ask(network, name) for name in names))
    except (OSError, Error) as error:
        log.warning("The local network cannot be searched (%s).", error or type(error).__name__)
        return []
    return sorted({it for it in answers if it is not None})


async def _ask(network: AsyncZeroconf, name: str) -> Found | None:
    info = AsyncServiceInfo(SERVICE_TYPE, name)
    if not await info.async_request(network.zeroconf, ANSWER_SECONDS * 1000):
        return None
    announcement = read_announcement(info.properties)
    if announcement is None:
        return None
    urls = addresses_of(announcement, info.parsed_scoped_addresses(), info.port)
    for url, answered in zip(urls, await asyncio.gather(*map(_answers, urls)), strict=True):
        if answered:
            return Found(name=announcement.name, url=url, version=announcement.version)
    log.warning(
        "A coordinator announces itself on %s and does not answer at %s: a firewall may be in the way.",
        announcement.name,
        ", ".join(urls) or "any address",
    )
    return None


def addresses_of(announcement: Announcement, addresses: Sequence[str], port: int | None) -> list[str]:
    """Return where an announced coordinator may be, the likeliest first."""
    if announcement.url is not None:
        return [announcement.url]
    if not port:
        return []
    # An IPv6 address with a scope is good on one network card of one machine only.
    plain = [ipaddress.ip_address(text) for text in addresses if "%" not in text]
    ordered = sorted(plain, key=lambda address: address.version)
    return [f"http://[{it}]:{port}" if it.version == 6 else f"http://{it}:{port}" for it in ordered]


async def _answers(url: str) -> bool:
    """Tell whether a coordinator is there."""
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError, ValueError):
        async with aiohttp.ClientSession(timeout=timeout) as http, http.get(f"{url}/api/v1/health") as response:
            body = await response.json()
            return isinstance(body, dict) and "version" in body
    return False
