"""The coordinator announces itself on the local network, so that agents find it without being told where it is."""

import asyncio
import contextlib
import ipaddress
import logging
import socket
from collections.abc import AsyncIterator

import psutil
from zeroconf import Error, ServiceInfo
from zeroconf.asyncio import AsyncZeroconf

from coordinator.protocol.announcement import SERVICE_TYPE, Announcement
from coordinator.settings import Settings

log = logging.getLogger(__name__)

#: A label of a name in the DNS has at most 63 bytes; some are left for a number behind it.
_LONGEST_LABEL = 55


@contextlib.asynccontextmanager
async def announced(settings: Settings, listener: socket.socket, version: str) -> AsyncIterator[None]:
    """Announce the coordinator meanwhile; where that cannot be, it is one warning and no error."""
    addresses = await asyncio.to_thread(reachable_addresses, listener.getsockname()[0])
    if not settings.announce or not addresses:
        yield
        return
    info = service_info(settings, addresses, listener.getsockname()[1], version)
    # Making sure that no one else has the name takes a second: nobody waits for that.
    task = asyncio.create_task(_announce(info), name="announcement")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _announce(info: ServiceInfo) -> None:
    """Announce until cancelled, and take it back then."""
    try:
        zeroconf = AsyncZeroconf()
    except OSError as error:
        _warn(error)
        return
    try:
        await (await zeroconf.async_register_service(info, allow_name_change=True))
        log.info("announced on the local network as %s", info.name)
        await asyncio.get_running_loop().create_future()
    except (OSError, Error) as error:
        _warn(error)
    finally:
        with contextlib.suppress(OSError, Error):
            await zeroconf.async_unregister_all_services()
        await zeroconf.async_close()


def _warn(error: Exception) -> None:
    log.warning(
        "agents cannot find this coordinator by themselves, for it cannot announce itself on the network (%s); "
        "start them with --coordinator, or set RENDERFARM_ANNOUNCE=0 and this is not tried",
        error or type(error).__name__,
    )


def service_info(settings: Settings, addresses: list[str], port: int, version: str) -> ServiceInfo:
    """Return what is announced."""
    host = socket.gethostname()
    label = host.partition(".")[0].encode()[:_LONGEST_LABEL].decode(errors="ignore") or "coordinator"
    url = settings.public_url.rstrip("/") if settings.public_url is not None else None
    return ServiceInfo(
        SERVICE_TYPE,
        f"{label}.{SERVICE_TYPE}",
        port=port,
        properties=Announcement(name=host, version=version, url=url).properties(),
        # The machine's own name belongs to the machine.
        server=f"renderfarm-{label}.local.",
        parsed_addresses=addresses,
    )


def reachable_addresses(host: str) -> list[str]:
    """Return the addresses at which other machines may reach what listens on ``host``; none for the loopback."""
    address = ipaddress.ip_address(host)
    if not address.is_unspecified:
        return [] if address.is_loopback else [host]
    families = {socket.AF_INET} if address.version == 4 else {socket.AF_INET, socket.AF_INET6}
    own = (it.address for card in psutil.net_if_addrs().values() for it in card if it.family in families)
    return [text for text in own if not _only_here(text)]


def _only_here(text: str) -> bool:
    address = ipaddress.ip_address(text)
    return address.is_loopback or address.is_link_local
