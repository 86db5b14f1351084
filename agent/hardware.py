"""What this machine is made of, for people who look at the list of agents."""

import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from coordinator.protocol import Gpu, Hardware, Platform

#: nvidia-smi takes seconds when the driver has to wake the cards.
QUERY_TIMEOUT = 20.0

MEBIBYTE = 1024**2


def read_hardware() -> Hardware:
    """Return this machine's processor, memory and NVIDIA cards; takes up to QUERY_TIMEOUT seconds."""
    return Hardware(
        hostname=socket.gethostname(),
        os=_system_name(),
        cpu=_cpu_name(),
        cpu_count=psutil.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        gpus=_nvidia_gpus(),
    )


def parse_gpus(listing: str) -> list[Gpu]:
    """Return the cards in what nvidia-smi printed: a line for each, its name and its memory in MiB."""
    gpus = []
    for line in listing.splitlines():
        name, _, memory = line.rpartition(",")
        if name.strip():
            mebibytes = memory.strip()
            gpus.append(Gpu(name=name.strip(), memory_bytes=int(mebibytes) * MEBIBYTE if mebibytes.isdigit() else None))
    return gpus


def slot_vram(devices: Sequence[str], gpus: Sequence[Gpu], environment: Mapping[str, str]) -> int | None:
    """Return the memory (bytes) of the smallest card that slots use; ``None`` on processors, or where nobody tells.

    Without an index a slot uses all cards, and a scene must fit on each.

    Args:
        devices: of each slot: ``CPU``, or a compute device type with an optional index.
        gpus: the machine's NVIDIA cards in the order of their places on the bus, as sessions count them too.
        environment: of this process.
    """
    renumbered = "CUDA_VISIBLE_DEVICES" in environment
    used: list[Gpu] = []
    for device in devices:
        kind, _, index = device.partition(":")
        if kind not in ("CUDA", "OPTIX"):
            return None
        told = index and not renumbered and int(index) < len(gpus)
        used += [gpus[int(index)]] if told else gpus
    return min((gpu.memory_bytes for gpu in used if gpu.memory_bytes is not None), default=None)


def this_platform() -> Platform:
    """Return the operating system this agent runs on."""
    return Platform.MACOS if sys.platform == "darwin" else Platform.LINUX


def _nvidia_gpus() -> list[Gpu]:
    if shutil.which("nvidia-smi") is None:
        return []
    try:
        answer = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=QUERY_TIMEOUT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []  # a driver without a card, or one that is being replaced
    return parse_gpus(answer.stdout)


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
