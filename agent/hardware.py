"""What this machine is made of, for people who look at the list of agents."""

import platform
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

from agent.gpus import Card
from coordinator.protocol import Hardware, Platform


def read_hardware(cards: Sequence[Card]) -> Hardware:
    """Return this machine's processor, memory and graphics cards."""
    return Hardware(
        hostname=socket.gethostname(),
        os=_system_name(),
        cpu=_cpu_name(),
        cpu_count=psutil.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        gpus=[card.described() for card in cards],
    )


def this_platform() -> Platform:
    """Return the operating system this agent runs on."""
    return Platform.MACOS if sys.platform == "darwin" else Platform.LINUX


def _system_name() -> str:
    """Return the operating system as people call it, such as ``Debian GNU/Linux 12 (bookworm)``."""
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.platform(terse=True)  # not Linux, or one that does not tell


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()
