"""Run the coordinator until it is told to stop."""

import asyncio
import json
import logging
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from coordinator.app import StartError, create_app
from coordinator.cycles import look_seldom
from coordinator.discovery import announced
from coordinator.keys import NEW_TOKENS, VERSION
from coordinator.services.schemas import TokenCreated
from coordinator.settings import Settings

log = logging.getLogger(__name__)

#: Requests at work when the coordinator stops get this long, in seconds.
_SHUTDOWN_SECONDS = 10.0


async def serve(
    settings: Settings, on_ready: Callable[[str, list[TokenCreated]], None], ready_file: Path | None
) -> None:
    """Serve until SIGTERM or SIGINT.

    ``on_ready`` gets the address and the tokens made just now.  ``ready_file`` gets ``{"url": …}`` once requests are
    answered, and a service manager that asked for it (NOTIFY_SOCKET) is told.

    Raises:
        StartError: it cannot start; nothing is left running.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await asyncio.to_thread(_forget, ready_file)
    # Bound before anything is made: the first tokens must not be made by a start that then fails.
    with await asyncio.to_thread(_bind, settings) as listener:
        app = create_app(settings)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
        try:
            await runner.setup()
            await web.SockSite(runner, listener).start()
            look_seldom()
            url = _url(settings, listener)
            on_ready(url, app[NEW_TOKENS])
            async with announced(settings, listener, app[VERSION]):
                await asyncio.to_thread(_tell_ready, url, ready_file)
                await stop.wait()
                log.info("stopping")
        finally:
            await asyncio.to_thread(_forget, ready_file)
            await runner.cleanup()


def _bind(settings: Settings) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise StartError(
            f"RENDERFARM_HOST is {settings.host!r}, which is no address of this machine: {error.strerror}."
        ) from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # Now rather than later: two can be bound to one port, but only one can listen.
        listener.listen()
    except OSError as error:
        listener.close()
        raise StartError(
            f"Port {settings.port} on {settings.host} cannot be used ({error.strerror}); perhaps a coordinator runs "
            "there already. Stop it, or choose another port with --port or RENDERFARM_PORT."
        ) from error
    listener.setblocking(False)
    return listener


def _url(settings: Settings, listener: socket.socket) -> str:
    if settings.public_url is not None:
        return settings.public_url.rstrip("/") + "/"
    host, port = listener.getsockname()[:2]
    # "Every network" is no address to type into a browser.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _forget(ready_file: Path | None) -> None:
    """Remove what an earlier start left: its address is no longer true."""
    if ready_file is not None:
        with suppress(OSError):
            ready_file.unlink()


def _tell_ready(url: str, ready_file: Path | None) -> None:
    if ready_file is not None:
        # Whoever waits for the file must never read half of it.
        unfinished = ready_file.with_name(f"{ready_file.name}.{os.getpid()}")
        try:
            unfinished.write_text(json.dumps({"url": url}))
            unfinished.replace(ready_file)
        except OSError as error:
            raise StartError(f"The ready file {ready_file} cannot be written: {error.strerror}.") from error
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        # systemd's abstract sockets begin with @, which stands for a zero byte.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.connect("\0" + address[1:] if address.startswith("@") else address)
            notify.sendall(b"READY=1")
