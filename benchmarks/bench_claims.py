"""How much work the database hands out: slots that lease, deliver their frames and lease again, without rendering.

Prints one JSON line for each database.  Both keep what was committed when the process dies, but not when the machine
does: SQLite as the coordinator always uses it (WAL, synchronous NORMAL), PostgreSQL with fsync off, to measure the
program and not the disk.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from coordinator.db.engine import open_database
from coordinator.protocol import FrameResult
from coordinator.services import frames
from tests.conformance.farm import HEIGHT, WIDTH, Farm, SetClock
from tests.conformance.postgres import running_server

AGENTS = 16
SLOTS = 4
JOBS = 200
FRAMES_PER_JOB = 10_000


@dataclass
class Tally:
    """What the slots did; latencies in seconds."""

    leases: list[float] = field(default_factory=list)
    frames: list[float] = field(default_factory=list)


async def work(farm: Farm, agent: int, slot: int, result: FrameResult, tally: Tally, until: float) -> None:
    """Be one slot until the clock stands at ``until``."""
    while time.perf_counter() < until:
        began = time.perf_counter()
        grant = await farm.must_lease(agent, slot)
        tally.leases.append(time.perf_counter() - began)
        for frame in grant.frames:
            began = time.perf_counter()
            outcome = await farm.database.write(
                frames.record_frame, agent, grant.lease_id, frame, result, WIDTH, HEIGHT, farm.timing
            )
            tally.frames.append(time.perf_counter() - began)
            assert outcome.status == "recorded"


async def measure(url: str, seconds: float) -> dict[str, object]:
    """Have every slot work for so long on a database with many pending jobs."""
    clock = SetClock()
    database = open_database(url, clock)
    await asyncio.to_thread(database.migrate)
    try:
        farm = Farm(database, clock)
        agents = [await farm.agent(f"agent-{number}", slots=SLOTS) for number in range(AGENTS)]
        for number in range(JOBS):
            await farm.submit(f"1-{FRAMES_PER_JOB}", name=f"job {number}", priority=number % 100)
        # Half a minute a frame: leases stay short, which is the harder case.
        result = await farm.result(1, seconds=30.0)
        tally = Tally()
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for agent in agents:
                for slot in range(SLOTS):
                    group.create_task(work(farm, agent, slot, result, tally, began + seconds))
        took = time.perf_counter() - began
    finally:
        await database.close()
    return {
        "benchmark": "claims",
        "database": database.kind,
        "slots": AGENTS * SLOTS,
        "leases_per_second": round(len(tally.leases) / took),
        "frames_per_second": round(len(tally.frames) / took),
        "lease_milliseconds_median": milliseconds(tally.leases, 50),
        "lease_milliseconds_p99": milliseconds(tally.leases, 99),
    }


def milliseconds(latencies: list[float], percentile: int) -> float:
    """Return a percentile of durations in seconds."""
    return round(statistics.quantiles(latencies, n=100)[percentile - 1] * 1000, 1)


def main() -> None:
    """Measure both databases in one run and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="for each database")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(asyncio.run(measure(f"sqlite:///{Path(folder) / 'bench.db'}", seconds))))
    with running_server() as server:
        print(json.dumps(asyncio.run(measure(server.url(server.create()), seconds))))


if __name__ == "__main__":
    main()
