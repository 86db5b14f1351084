"""How this machine is: measured now and then beside the event loop, told to the coordinator once."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil

from agent.gpus import Gpus
from coordinator.protocol import Telemetry

#: Seconds between two measurements.
SAMPLE_SECONDS = 10.0

#: How long (seconds) the processor is watched for one.
_PROCESSOR_SECONDS = 0.5


class Telemeter:
    """Measures the machine.  What it last measured is handed out once, so that no two requests carry it."""

    def __init__(self, gpus: Gpus, folder: Path, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        """Measure these cards, and the disk that ``folder`` is on; ``sleep`` waits for so many seconds."""
        self._gpus = gpus
        self._folder = folder
        self._sleep = sleep
        self._latest: Telemetry | None = None

    async def run(self) -> None:
        """Measure for ever."""
        while True:
            self._latest = await asyncio.to_thread(measure, self._gpus, self._folder)
            await self._sleep(SAMPLE_SECONDS)

    def take(self) -> Telemetry | None:
        """Return what was measured since this was called last; None if nothing was."""
        latest, self._latest = self._latest, None
        return latest


def measure(gpus: Gpus, folder: Path) -> Telemetry:
    """Return how the machine is now; takes a second."""
    memory = psutil.virtual_memory()
    return Telemetry(
        gpus=gpus.loads(),
        cpu_utilization=min(psutil.cpu_percent(_PROCESSOR_SECONDS) / 100, 1.0),
        memory_used_bytes=memory.total - memory.available,
        disk_free_bytes=_free(folder),
    )


def _free(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None
