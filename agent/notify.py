"""What the service manager is told: that the agent runs, what it does, and that it is alive (``sd_notify(3)``)."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, MutableMapping

#: Seconds between two looks at what the agent does.
STATUS_SECONDS = 2.0


class ServiceManager:
    """systemd, or another that speaks its protocol; nobody where the agent was not started by one."""

    def __init__(self, address: str = "", watchdog_seconds: float | None = None) -> None:
        """Tell whoever listens at a socket; it wants a sign of life at least every so many seconds."""
        # Abstract sockets begin with @, which stands for a zero byte.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._watchdog_seconds = watchdog_seconds

    @classmethod
    def of(cls, environment: MutableMapping[str, str]) -> "ServiceManager":
        """Return whom the environment names, and take the names out: a Blender must not speak for the agent."""
        address = environment.pop("NOTIFY_SOCKET", "")
        microseconds = environment.pop("WATCHDOG_USEC", "")
        meant = environment.pop("WATCHDOG_PID", "") in ("", str(os.getpid()))
        return cls(address, int(microseconds) / 1e6 if meant and microseconds.isdigit() else None)

    def ready(self) -> None:
        """Say that the agent runs."""
        self._tell("READY=1")

    def stopping(self) -> None:
        """Say that it is about to end."""
        self._tell("STOPPING=1")

    async def keep_told(self, status: Callable[[], str]) -> None:
        """Tell what ``status`` returns whenever it changes, and give signs of life, until cancelled.

        It runs in the event loop on purpose: when that hangs, the signs of life end, and the agent is started anew.
        """
        if not self._address:
            return
        pause = STATUS_SECONDS if self._watchdog_seconds is None else min(STATUS_SECONDS, self._watchdog_seconds / 2)
        told = ""
        while True:
            now = status()
            lines = [f"STATUS={now}"] if now != told else []
            lines += ["WATCHDOG=1"] if self._watchdog_seconds is not None else []
            if lines:
                self._tell(*lines)
            told = now
            await asyncio.sleep(pause)

    def _tell(self, *lines: str) -> None:
        if self._address:
            # A service manager that went away, or does not read, is no reason to stop or to wait.
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
                notify.setblocking(False)
                notify.connect(self._address)
                notify.send("\n".join(lines).encode())
