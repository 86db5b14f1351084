"""Telling that Blender ran out of memory: by what it said, and by the kernel's count of processes killed for that."""

import re
from pathlib import Path

OUT_OF_MEMORY = "out_of_memory"
"""The code of a failure for want of main memory."""
OUT_OF_GPU_MEMORY = "out_of_gpu_memory"
"""The same, of a graphics card's memory."""
MEMORY_FAILURES = frozenset({OUT_OF_MEMORY, OUT_OF_GPU_MEMORY})

#: The words of Blender's allocator, of C++ and Python, and of Cycles with those of CUDA, OptiX, HIP and oneAPI: "System
#: is out of GPU and shared host memory", "CUDA_ERROR_OUT_OF_MEMORY", "hipErrorOutOfMemory", "Malloc returns null".
#: EEVEE and Workbench say "Failed to allocate GPU buffers", also where main memory is short.
_SAYS_SO = re.compile(
    r"out[ _]?of[ _]?(?:\w+[ _]){0,4}memory|failed to allocate|[mc]alloc returns null|std::bad_alloc|\bMemoryError\b",
    re.IGNORECASE,
)

#: Drivers name themselves; main memory that one of them cannot have is "host" memory and nothing else.
_ON_THE_CARD = re.compile(r"gpu|cuda|optix|\bhip|oneapi|metal|device_memory", re.IGNORECASE)
_ON_THE_HOST = re.compile(r"host_out_of_memory|out of host memory", re.IGNORECASE)

_STATISTICS = Path("/proc/vmstat")


def memory_failure(text: str) -> str | None:
    """Return the code of a message, or a log's end, that speaks of too little memory; None for other words."""
    said = next((line for line in text.splitlines() if _SAYS_SO.search(line)), None)
    if said is None:
        return None
    on_the_card = _ON_THE_CARD.search(said) is not None and _ON_THE_HOST.search(said) is None
    return OUT_OF_GPU_MEMORY if on_the_card else OUT_OF_MEMORY


def kernel_kills() -> int | None:
    """Return how many processes the kernel has killed for want of memory since it started.

    ``None`` where it does not tell: macOS, and Linux before 4.13.
    """
    try:
        lines = _STATISTICS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)
