"""Threads in which frames are looked at, at both ends: where Blender renders on the same machine, it goes first.

A machine that renders has all of its cores busy, and a frame is done when the last of its threads is.  So a thread that
decodes the frame before does it when one of them waits anyway, and on the cores of a machine that has some to spare.
"""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

#: How far these threads stand back: beside others that are busy they get a tenth of a core.
_NICENESS = 10


def decoding_threads(count: int, name: str) -> ThreadPoolExecutor:
    """Return an executor of up to ``count`` threads, called ``name``."""
    return ThreadPoolExecutor(count, name, initializer=_stand_back)


def _stand_back() -> None:
    # Elsewhere than on Linux priorities are those of processes.
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, min(os.getpriority(os.PRIO_PROCESS, thread) + _NICENESS, 19))
