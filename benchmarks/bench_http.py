"""How much work a coordinator hands out over HTTP: to 1,000 slots that ask and hand in, and render nothing.

The coordinator is a process of its own, held to one core; the slots (and PostgreSQL) have the others.  Each database is
measured with a short and with a long history, in turns, so that a busy machine slows both:

- how many requests a second it answers, how long each takes, and how much of the coordinator's CPU time: leases, leases
  that are given back, and frames (whose files are decoded), of all slots at once; and leases at a steady pace;
- how much more CPU time they take with the long history;
- how long it takes from the submission of one frame until a waiting slot has it, and the coordinator's CPU time for
  both, while one slot waits and while all do.

Prints JSON lines.  As in bench_claims, PostgreSQL runs with fsync off, to measure the program and not the disk.
"""

import argparse
import asyncio
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.history import write_histories
from benchmarks.load_client import Load, Slot, Tally
from tests.conformance.postgres import running_server

ADMIN = "rf_admin_0123456789abcdef"
JOIN = "rf_join_0123456789abcdef"

FRAMES_PER_JOB = 10_000
#: Requests a second that leave the coordinator some rest, so that their latency is not that of a queue.
STEADY = 250


@dataclass(frozen=True)
class Size:
    """How large a measurement is."""

    agents: int
    slots: int
    histories: tuple[int, int]
    users: int
    jobs: int
    turns: int
    wakes: int


FULL = Size(agents=100, slots=10, histories=(10_000, 1_000_000), users=20, jobs=200, turns=1, wakes=20)
QUICK = Size(agents=10, slots=5, histories=(500, 5_000), users=2, jobs=10, turns=1, wakes=3)


@dataclass(frozen=True)
class Process:
    """A coordinator at work."""

    url: str
    pid: int

    def cpu_seconds(self) -> float:
        """Return the CPU time that it has used."""
        # What clock_getcpuclockid(3) returns for a process: its complement, shifted, and CPUCLOCK_SCHED.
        return time.clock_gettime((~self.pid << 3) | 2)


@contextmanager
def coordinator(database_url: str, folder: Path, core: int | None = None) -> Iterator[Process]:
    """Run a coordinator, on a core of its own if one is given."""
    ready = folder / "ready.json"
    environment = os.environ | {
        "RENDERFARM_ADMIN_TOKEN": ADMIN,
        "RENDERFARM_JOIN_TOKEN": JOIN,
        "RENDERFARM_DATA_DIR": str(folder),
        "RENDERFARM_DATABASE_URL": database_url,
        "RENDERFARM_LOG_LEVEL": "warning",
        # However busy the machine is, no lease of a slot that waits for its turn is to end.
        "RENDERFARM_LEASE_SECONDS": "600",
    }
    command = [sys.executable, "-m", "coordinator", "--port", "0", "--ready-file", str(ready)]
    ours = os.sched_getaffinity(0)
    # Inherited: later it could be set for the threads that there are, but one by one.
    os.sched_setaffinity(0, ours if core is None else {core})
    try:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    finally:
        os.sched_setaffinity(0, ours)
    try:
        while not ready.exists():
            assert process.poll() is None, "the coordinator did not start"
            time.sleep(0.02)
        yield Process(json.loads(ready.read_text())["url"], process.pid)
    finally:
        process.terminate()
        process.wait()


@dataclass
class Subject:
    """A coordinator with a history, the load on it, and what came of that."""

    frames: int
    process: Process
    load: Load
    tallies: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))

    async def turn(self, slots: Sequence[Slot]) -> None:
        """Have each slot take two leases, give one back and hand the other's frame in; then have some take one."""
        await self._each("lease", Slot.lease, slots)
        await self._each("lease", Slot.lease, slots)
        await self._each("release", Slot.release, slots)
        await self._each("frame", Slot.hand_in, slots)
        some = slots[:STEADY]
        await self._each(f"lease, {STEADY} a second", Slot.lease, some, STEADY)
        await self._each("release", Slot.release, some)

    async def _each(
        self, name: str, request: Callable[[Slot], Awaitable[None]], slots: Sequence[Slot], rate: float = math.inf
    ) -> None:
        """Have each slot make a request, all at once or so many a second."""
        tally, loop = self.tallies[name], asyncio.get_running_loop()
        began, cpu_before = loop.time(), self.process.cpu_seconds()

        async def run(number: int, slot: Slot) -> None:
            await asyncio.sleep(began + number / rate - loop.time())
            asked = loop.time()
            await request(slot)
            tally.latencies.append(loop.time() - asked)

        await asyncio.gather(*(run(number, slot) for number, slot in enumerate(slots)))
        tally.seconds += loop.time() - began
        tally.cpu_seconds += self.process.cpu_seconds() - cpu_before


async def measure(kind: str, urls: Sequence[str], folder: Path, core: int, size: Size) -> list[dict[str, object]]:
    """Measure one kind of database, with the two histories; return the lines to print."""
    lines: list[dict[str, object]] = []
    with ExitStack() as stack:
        subjects = []
        for url, frames in zip(urls, size.histories, strict=True):
            data = folder / f"{kind}-{frames}"
            data.mkdir()
            process = stack.enter_context(coordinator(url, data, core))
            load = await Load.join(process.url, ADMIN, JOIN, users=size.users, agents=size.agents, slots=size.slots)
            subjects.append(Subject(frames, process, load))
        lines += [await wake(kind, subjects[0], waiting, size.wakes) for waiting in (1, size.agents * size.slots)]
        for subject in subjects:
            for number in range(size.jobs):
                await subject.load.submit(f"1-{FRAMES_PER_JOB}", number % size.users, chunk_frames=1)
            # What runs for the first time is slower.
            await subject.turn(subject.load.slots[: size.agents])
            subject.tallies.clear()
        for _ in range(size.turns):
            for subject in subjects:
                await subject.turn(subject.load.slots)
        for subject in subjects:
            await subject.load.leave()
    shared = {"benchmark": "http", "database": kind, "slots": size.agents * size.slots}
    for name in subjects[0].tallies:
        short, long = [subject.tallies[name] for subject in subjects]
        for subject in subjects:
            summary = subject.tallies[name].summary()
            lines.append({**shared, "request": name, "history_frames": subject.frames, **summary})
        lines.append({**shared, "request": name, "cpu_growth": round(long.cpu_each / short.cpu_each, 2)})
    return lines


async def wake(kind: str, subject: Subject, waiting: int, times: int) -> dict[str, object]:
    """Submit one frame while so many slots wait, again and again."""
    load, process = subject.load, subject.process
    asking: dict[asyncio.Task[bool], Slot] = {}

    def ask(slot: Slot) -> None:
        asking[asyncio.create_task(slot.ask(wait_seconds=60.0))] = slot

    for slot in load.slots[:waiting]:
        ask(slot)
    latencies, cpu = [], []
    for _ in range(times):
        await load.waiting(waiting)
        cpu_before, before = process.cpu_seconds(), time.perf_counter()
        job_id = await load.submit("1")
        done, _pending = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
        latencies.append(time.perf_counter() - before)
        await load.waiting(waiting - 1)
        cpu.append(process.cpu_seconds() - cpu_before)
        await load.cancel(job_id)
        for task in done:
            slot = asking.pop(task)
            assert task.result()
            slot.held.clear()
            ask(slot)
    # A frame for each ends their waiting.
    job_id = await load.submit(f"1-{waiting}", chunk_frames=1)
    await asyncio.wait(asking)
    await load.cancel(job_id)
    for slot in load.slots:
        slot.held.clear()
    return {
        "benchmark": "http wake",
        "database": kind,
        "waiting_slots": waiting,
        "submission_to_lease_milliseconds_median": round(statistics.median(latencies) * 1000, 1),
        "submission_to_lease_milliseconds_max": round(max(latencies) * 1000, 1),
        "coordinator_cpu_milliseconds": round(statistics.median(cpu) * 1000, 1),
    }


def main() -> None:
    """Measure both databases in one run and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a few slots, for a moment: does it work?")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), help="only this one")
    options = parser.parse_args()
    size = QUICK if options.quick else FULL
    core, *others = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, others or {core})

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kinds = {}
        if options.database != "postgresql":
            kinds["sqlite"] = [f"sqlite:///{folder / str(frames)}.db" for frames in size.histories]
        if options.database != "sqlite":
            server = stack.enter_context(running_server())
            kinds["postgresql"] = [server.url(server.create()) for _ in size.histories]
        histories = {url: frames for urls in kinds.values() for url, frames in zip(urls, size.histories, strict=True)}
        asyncio.run(write_histories(histories))
        for kind, urls in kinds.items():
            for line in asyncio.run(measure(kind, urls, folder, core, size)):
                print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
