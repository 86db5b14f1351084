"""Measure how fast the sweeper works beside a busy farm, and how long a lease waits for it meanwhile.

One job of many frames, each with a picture and a preview of its own, is taken its files, while a slot asks for work and
hands frames in all the time.  The rows are written as a long history would have left them; the files are real ones of
a few bytes, as many as ``--files`` says: what is beyond is gone from the disk already.

    python -m benchmarks.bench_sweep [--frames 100000] [--blobs 1000000] [--files 20000]
"""

import argparse
import asyncio
import hashlib
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from sqlalchemy import insert, select, update

from coordinator.app import utc_now
from coordinator.background.sweeper import Sweeper
from coordinator.db.engine import Transaction, open_database
from coordinator.db.schema import blobs, frames, jobs
from coordinator.domain.lifetime import Lifetime
from coordinator.services import storage
from coordinator.store import LocalBlobStore
from tests.conformance.farm import Farm, SetClock
from tests.conformance.postgres import running_server

_LIFETIME = Lifetime(grace_seconds=3600.0)
_ROWS = 10_000


def name_of(number: int) -> str:
    """Return the digest of the file of a number."""
    return hashlib.sha256(str(number).encode()).hexdigest()


def write_job(tx: Transaction, job_id: int, first: int, count: int, size: int) -> None:
    """Give a job so many finished frames from one on, each with two blobs, as its first frame has it."""
    model = dict(tx.conn.execute(select(frames).where(frames.c.job_id == job_id).limit(1)).mappings().one())
    old = tx.now - timedelta(days=1)
    rows = [
        model | {"frame": number, "output_sha256": name_of(2 * number), "preview_sha256": name_of(2 * number + 1)}
        for number in range(first, first + count)
    ]
    files = [row[column] for row in rows for column in ("output_sha256", "preview_sha256")]
    write_blobs(tx, sorted(files), size, old)
    tx.conn.execute(insert(frames), rows)


def write_blobs(tx: Transaction, names: list[str], size: int, at: object) -> None:
    """Record blobs."""
    tx.conn.execute(
        insert(blobs), [{"sha256": name, "size": size, "stored_at": at, "touched_at": at} for name in names]
    )


def slices(count: int) -> Iterator[tuple[int, int]]:
    """Return where each slice of so many things begins, and how many it has."""
    for first in range(0, count, _ROWS):
        yield first, min(_ROWS, count - first)


async def measure(url: str, folder: Path, frame_count: int, blob_count: int, file_count: int) -> None:
    """Fill a database, sweep it beside a slot at work, and print."""
    clock = SetClock()
    clock.now = utc_now()
    database = open_database(url, clock)
    await asyncio.to_thread(database.migrate)
    store = await asyncio.to_thread(LocalBlobStore, folder, reserve_bytes=0)
    farm = Farm(database, clock)
    agent = await farm.agent()
    job = await farm.submit("1")
    await farm.render_everything(agent)
    for first, count in slices(frame_count):
        await database.write(write_job, job.id, 10 + first, count, 3)
    # What else is in the store is needed: half of it by nobody else than a frame of another job.
    other = await farm.submit("1", name="other")
    await farm.render_everything(agent)
    for first, count in slices(max(0, blob_count // 2 - frame_count)):
        await database.write(write_job, other.id, 10_000_000 + first, count, 3)
    counted = {"finished": frame_count + 1, "frame_count": frame_count + 1}
    await database.write(lambda tx: tx.conn.execute(update(jobs).where(jobs.c.id == job.id).values(**counted)).rowcount)
    for first, count in slices(file_count):
        await store.put_many([(name_of(n), [str(n).encode()]) for n in range(20 + first, 20 + first + count)])
    began = time.perf_counter()
    freed = (await database.read(storage.job_storage, job.id)).freed_bytes
    weighed = time.perf_counter() - began
    idle = await work(farm, agent, asyncio.create_task(asyncio.sleep(3.0)))
    await database.write(storage.delete_files, job.id, "ana")
    sweeper = Sweeper(database, store, _LIFETIME)
    steps: dict[str, float] = {}
    waits: list[float] = []
    began_cpu = time.process_time()
    for what, step in (
        ("rows", sweeper.remove_rows),
        ("everything", sweeper.look_at_everything),
        ("blobs", sweeper.remove_blobs),
    ):
        clock.advance(120)
        began = time.perf_counter()
        waits += await work(farm, agent, asyncio.ensure_future(step()))
        steps[what] = time.perf_counter() - began
    print(
        json.dumps(
            {
                "benchmark": "sweep",
                "database": database.kind,
                "frames": frame_count,
                "blobs": blob_count,
                "files": file_count,
                "freed_bytes": freed,
                "job_storage_seconds": round(weighed, 2),
                "rows_removed_per_second": round(frame_count / steps["rows"]),
                "blobs_looked_at_per_second": round(blob_count / steps["everything"]),
                "blobs_removed_per_second": round(2 * frame_count / steps["blobs"]),
                "cpu_seconds": round(time.process_time() - began_cpu, 1),
                "lease_ms_median_without": round(statistics.median(idle) * 1000, 1),
                "lease_ms_longest_without": round(max(idle) * 1000, 1),
                "lease_ms_median": round(statistics.median(waits) * 1000, 1),
                "lease_ms_longest": round(max(waits) * 1000, 1),
            }
        ),
        flush=True,
    )
    await database.close()
    await store.close()


async def work(farm: Farm, agent: int, until: "asyncio.Future[object]") -> list[float]:
    """Have a slot lease and hand in until something is over; return how long each lease took, in seconds."""
    waits = []
    while not until.done():
        await farm.submit("1")
        began = time.perf_counter()
        grant = await farm.must_lease(agent)
        waits.append(time.perf_counter() - began)
        await farm.deliver_all(agent, grant)
        # As often as a farm of some hundred slots asks.
        await asyncio.sleep(0.02)
    await until
    return waits


async def measure_all(arguments: argparse.Namespace, folder: Path, server_url: str) -> None:
    """Measure each database."""
    counts = (arguments.frames, arguments.blobs, arguments.files)
    for kind, url in (("sqlite", f"sqlite:///{folder / 'farm.db'}"), ("postgresql", server_url)):
        if arguments.database in (None, kind):
            await measure(url, folder / kind, *counts)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--frames", type=int, default=100_000, help="of the job whose files are removed")
    parser.add_argument("--blobs", type=int, default=1_000_000, help="in all")
    parser.add_argument("--files", type=int, default=20_000, help="of them on the disk")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], help="only this one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running_server() as server:
        asyncio.run(measure_all(arguments, Path(folder), server.url(server.create())))


if __name__ == "__main__":
    main()
