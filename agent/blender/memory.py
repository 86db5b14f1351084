"""Telling that Blender ran out of memory: by what it said, and by the kernel's count of processes killed for that."""

import re
from pathlib import Path

OUT_OF_MEMORY = "out_of_memory"
"""The code of such a failure."""

#: The words of Blender's allocator, of C++ and Python, and of Cycles with those of CUDA, OptiX, HIP and oneAPI: "System
#: is out of GPU and shared host memory", "CUDA_ERROR_OUT_OF_MEMORY", "hipErrorOutOfMemory", "Malloc returns null".
#: EEVEE and Workbench say "Failed to allocate GPU buffers", also where main memory is short.
_SAYS_SO = re.compile(
    r"out[ _]?of[ _]?(?:\w+[ _]){0,4}memory|failed to allocate|[mc]alloc returns null|std::bad_alloc|\bMemoryError\b",
    re.IGNORECASE,
)

_STATISTICS = Path("/proc/vmstat")


def says_out_of_memory(text: str) -> bool:
    """Tell whether a message or a log's end speaks of too little memory, the machine's or a graphics card's."""
    return _SAYS_SO.search(text) is not None


def kernel_kills() -> int | None:
    """Return how many processes the kernel has killed for want of memory since it started.

    ``None`` where it does not tell: macOS, and Linux before 4.13.
    """
    try:
        lines = _STATISTICS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)
