"""What a process and all that it has started are doing, as the system counts it."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

#: Has a session write what each of its Python threads is doing into its log (``faulthandler`` in host.py).
STACKS_SIGNAL = signal.SIGUSR1

_GONE = (psutil.NoSuchProcess, psutil.AccessDenied)


@dataclass(frozen=True, slots=True)
class Vitals:
    """Sums over a process and its descendants; what has ended in between counts no more."""

    user_seconds: float
    """Processor time outside of the system."""
    system_seconds: float
    """Processor time in the system: that of a thread which goes round for nothing (docs/FACTS.md), nearly always."""
    io_bytes: int
    """Read and written, of files and pipes; 0 where the system does not tell."""
    memory_bytes: int
    """Resident now."""
    waits_for_disk: bool
    """One of them sleeps in a read or write that cannot be interrupted."""


def read_vitals(pid: int) -> Vitals:
    """Return the vitals of a process tree; of one that has ended they are 0."""
    user, system, transferred, memory, waiting = 0.0, 0.0, 0, 0, False
    for process in _tree(pid):
        with contextlib.suppress(*_GONE):
            times = process.cpu_times()
            user += times.user
            system += times.system
            memory += process.memory_info().rss
            waiting = waiting or process.status() == psutil.STATUS_DISK_SLEEP
            transferred += _transferred(process)
    return Vitals(user, system, transferred, memory, waiting)


def describe(pid: int) -> list[str]:
    """Return a line for each process of a tree, for people who look for why it hangs."""
    lines = []
    for process in _tree(pid):
        with contextlib.suppress(*_GONE), process.oneshot():
            times, memory = process.cpu_times(), process.memory_info().rss
            lines.append(
                f"process {process.pid} ({process.name()}): {process.status()}, {process.num_threads()} threads, "
                f"{times.user:.1f} s of processor time and {times.system:.1f} s in the system, "
                f"{memory / 2**20:.0f} MiB of memory"
            )
    return lines


def ask_for_stacks(pid: int) -> bool:
    """Have the sessions in a tree write their stacks; return whether there is one.

    Only Linux tells which processes have a handler for the signal; any other one would die of it.
    """
    asked = False
    for process in _tree(pid):
        with contextlib.suppress(OSError, *_GONE):
            if _catches(process.pid, STACKS_SIGNAL):
                process.send_signal(STACKS_SIGNAL)
                process.resume()  # one that was stopped hears nothing
                asked = True
    return asked


def _tree(pid: int) -> Iterator[psutil.Process]:
    try:
        process = psutil.Process(pid)
        yield process
        yield from process.children(recursive=True)
    except _GONE:
        return


def _transferred(process: psutil.Process) -> int:
    counters: Callable[[], object] | None = getattr(process, "io_counters", None)
    if counters is None:
        return 0  # macOS
    with contextlib.suppress(*_GONE):
        told = counters()
        return getattr(told, "read_chars", 0) + getattr(told, "write_chars", 0)
    return 0


def _catches(pid: int, number: int) -> bool:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False
