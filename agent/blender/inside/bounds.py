"""How much of the machine this process, and whatever it starts, may take."""

import contextlib
import resource
from pathlib import Path

#: The kernel looks here for whom to end first when memory runs out.
_OOM_SCORE = Path("/proc/self/oom_score_adj")
_FIRST_OF_ALL = "1000"


def keep_within(memory_bytes: int | None, processes: int | None) -> None:
    """Set limits that cannot be raised again; None sets none.

    Memory is counted as the kernel counts it for ``RLIMIT_DATA``: what may be written to and is shared with nobody.
    Address space (``RLIMIT_AS``) would not do: drivers of graphics cards reserve hundreds of gigabytes of it.

    Args:
        memory_bytes: of each process.  Where several together fill the machine, they are ended before all others.
        processes: of this user in this sandbox, threads included.
    """
    if memory_bytes is not None:
        _limit(resource.RLIMIT_DATA, memory_bytes)
        _limit(resource.RLIMIT_CORE, 0)
        with contextlib.suppress(OSError):
            _OOM_SCORE.write_text(_FIRST_OF_ALL)
    if processes is not None:
        _limit(resource.RLIMIT_NPROC, processes)


def _limit(kind: int, most: int) -> None:
    hard = resource.getrlimit(kind)[1]
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(kind, (most, most))
