"""How much work the database hands out: slots that lease, hand in their frames and lease again, without rendering.

Everything happens inside one process, and so on one core (PostgreSQL's server has the others).  Each database is
measured with a short and with a long history, in turns, so that a busy machine slows both.  Prints a JSON line for each
of the two, and one that tells how much more CPU time a lease and a frame take with the long history.

Both databases keep what was committed when the process dies, but not when the machine does: SQLite as the coordinator
always uses it (WAL, synchronous NORMAL), PostgreSQL with fsync off, to measure the program and not the disk.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from benchmarks.history import write_histories
from coordinator.app import utc_now
from coordinator.cycles import look_seldom
from coordinator.db.engine import Database, open_database
from coordinator.protocol import FrameResult, LeaseGrant
from coordinator.services import frames
from tests.conformance.farm import HEIGHT, WIDTH, Farm, SetClock
from tests.conformance.postgres import running_server

AGENTS = 64
SLOTS = 4
USERS = 20
JOBS = 200
PRIORITIES = 3
FRAMES_PER_JOB = 10_000
HISTORIES = (10_000, 1_000_000)
#: Each history has the machine so often, for a second or so.
TURNS = 3

T = TypeVar("T")


@dataclass
class Tally:
    """What was done of one kind."""

    latencies: list[float] = field(default_factory=list)
    """Seconds."""
    took: float = 0.0
    """Seconds in which something of the kind was under way."""
    cpu: float = 0.0
    """Seconds of this process's CPU time meanwhile."""

    def per_second(self) -> int:
        """Return how much was done in a second."""
        return round(len(self.latencies) / self.took)

    def per_cpu_second(self) -> int:
        """Return how much was done for a second of CPU time."""
        return round(len(self.latencies) / self.cpu)

    def milliseconds(self, percentile: int) -> float:
        """Return a percentile of the latencies."""
        return round(statistics.quantiles(self.latencies, n=100)[percentile - 1] * 1000, 1)


class Slots:
    """All slots of a farm with many jobs: they do the same thing at the same time."""

    def __init__(self, database: Database, farm: Farm, agents: Sequence[int], result: FrameResult) -> None:
        self.database = database
        self.leases = Tally()
        self.frames = Tally()
        self._farm = farm
        self._slots = [(agent, slot) for agent in agents for slot in range(SLOTS)]
        self._result = result

    @classmethod
    async def open(cls, url: str) -> "Slots":
        """Give the farm at ``url`` agents and jobs."""
        clock = SetClock()
        clock.now = utc_now()
        database = open_database(url, clock)
        farm = Farm(database, clock)
        agents = [await farm.agent(f"agent-{number}", slots=SLOTS) for number in range(AGENTS)]
        for number in range(JOBS):
            frame_range, priority = f"1-{FRAMES_PER_JOB}", 50 + number % PRIORITIES
            await farm.submit(frame_range, by=f"user-{number % USERS}", name=f"job {number}", priority=priority)
        # Half a minute a frame: leases stay short, which is the harder case.
        return cls(database, farm, agents, await farm.result(1, seconds=30.0))

    async def work(self, seconds: float) -> None:
        """Lease and hand in for so long, at least once."""
        until = time.perf_counter() + seconds
        while True:
            grants = await at_once(self.leases, [self._lease(agent, slot) for agent, slot in self._slots])
            for frame in range(max(len(grant.frames) for _, grant in grants)):
                handing_in = [
                    self._hand_in(agent, grant, grant.frames[frame])
                    for agent, grant in grants
                    if frame < len(grant.frames)
                ]
                await at_once(self.frames, handing_in)
            if time.perf_counter() > until:
                return

    async def _lease(self, agent: int, slot: int) -> tuple[int, LeaseGrant]:
        return agent, await self._farm.must_lease(agent, slot)

    async def _hand_in(self, agent: int, grant: LeaseGrant, frame: int) -> None:
        outcome = await self.database.write(
            frames.record_frame, agent, grant.lease_id, frame, self._result, WIDTH, HEIGHT, self._farm.timing
        )
        assert outcome.status == "recorded"


async def at_once(tally: Tally, actions: Sequence[Coroutine[None, None, T]]) -> list[T]:
    """Do everything at once, take note of how long it took, and return the results in order."""

    async def timed(action: Coroutine[None, None, T]) -> T:
        result = await action
        tally.latencies.append(time.perf_counter() - began)
        return result

    began, cpu = time.perf_counter(), time.process_time()
    results = await asyncio.gather(*(timed(action) for action in actions))
    tally.took += time.perf_counter() - began
    tally.cpu += time.process_time() - cpu
    return results


async def measure(urls: Sequence[tuple[int, str]], seconds: float) -> None:
    """Measure the database of each history in turns, and print; ``seconds`` for all of them together."""
    farms = {}
    for frame_count, url in urls:
        farms[frame_count] = await Slots.open(url)
    for _ in range(TURNS):
        for slots in farms.values():
            await slots.work(seconds / TURNS / len(farms))
    for frame_count, slots in farms.items():
        await slots.database.close()
        print(
            json.dumps(
                {
                    "benchmark": "claims",
                    "database": slots.database.kind,
                    "slots": AGENTS * SLOTS,
                    "history_frames": frame_count,
                    "leases_per_second": slots.leases.per_second(),
                    "leases_per_cpu_second": slots.leases.per_cpu_second(),
                    "lease_milliseconds_median": slots.leases.milliseconds(50),
                    "lease_milliseconds_p99": slots.leases.milliseconds(99),
                    "frames_per_second": slots.frames.per_second(),
                    "frames_per_cpu_second": slots.frames.per_cpu_second(),
                }
            )
        )
    short, long = (farms[frame_count] for frame_count, _ in urls)
    print(
        json.dumps(
            {
                "benchmark": "claims_growth",
                "database": long.database.kind,
                "history_frames": [frame_count for frame_count, _ in urls],
                "lease_cpu_growth": round(short.leases.per_cpu_second() / long.leases.per_cpu_second(), 2),
                "frame_cpu_growth": round(short.frames.per_cpu_second() / long.frames.per_cpu_second(), 2),
            }
        ),
        flush=True,
    )


def main() -> None:
    """Measure both databases in one run and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=8.0, help="for each database")
    parser.add_argument("--history", type=int, nargs=2, default=HISTORIES, help="finished frames, short and long")
    arguments = parser.parse_args()
    look_seldom()
    with tempfile.TemporaryDirectory() as folder, running_server() as server:
        kinds = [
            [(count, f"sqlite:///{Path(folder) / str(count)}.db") for count in arguments.history],
            [(count, server.url(server.create())) for count in arguments.history],
        ]
        asyncio.run(write_histories({url: count for urls in kinds for count, url in urls}))
        for urls in kinds:
            asyncio.run(measure(urls, arguments.seconds))


if __name__ == "__main__":
    main()
