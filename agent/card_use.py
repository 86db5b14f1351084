"""Whether other programs compute on the graphics cards that this agent renders with."""

import math
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from agent.gpus import Card, Gpus

#: The kernel's first namespace of process ids has this number (``PROC_PID_INIT_INO`` of linux/proc_ns.h).  In another
#: one, a container's, the driver's process ids are not ours.
_MACHINE_NAMESPACE = "pid:[4026531836]"


class CardUse:
    """Processes that compute on cards and were not started by this agent.

    A desktop's own drawing does not count; another agent's rendering does.
    """

    name = "graphics cards"

    def __init__(self, gpus: Gpus, cards: Sequence[Card], clock: Callable[[], float] = time.monotonic) -> None:
        """Watch some cards; until it has been asked once, it has seen nobody."""
        self._gpus = gpus
        self._cards = cards
        self._clock = clock
        self._seen = -math.inf
        self._own: set[int] = set()

    def idle_seconds(self) -> float | None:
        """Return how long ago another program was last seen to compute."""
        processes = set().union(*(self._gpus.computing(card) for card in self._cards))
        # A Blender that was killed may hold its card for seconds after it has left the family.
        self._own = _family() | set(filter(_runs, self._own))
        if any(map(_runs, processes - self._own)):
            self._seen = self._clock()
        return self._clock() - self._seen


def sees_processes(namespace: Path = Path("/proc/self/ns/pid")) -> bool:
    """Tell whether the driver's process ids are those that this process knows: not so in a container."""
    try:
        return str(namespace.readlink()) == _MACHINE_NAMESPACE
    except OSError:
        return False


def _family() -> set[int]:
    this = psutil.Process()
    return {this.pid, *(child.pid for child in this.children(recursive=True))}


def _runs(process: int) -> bool:
    """Tell whether there is such a process: the driver is slow to forget those that have ended."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's
    return True
