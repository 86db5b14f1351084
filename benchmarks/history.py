"""A long history for benchmarks: one job is rendered, and its rows are copied inside the database."""

import asyncio
from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Engine,
    String,
    Table,
    cast,
    create_engine,
    func,
    insert,
    literal,
    select,
    text,
    true,
)
from sqlalchemy.engine import make_url

from coordinator.app import utc_now
from coordinator.db.engine import open_database
from coordinator.db.schema import events, frames, jobs, leases
from tests.conformance.farm import Farm, SetClock

FRAMES_PER_JOB = 100


async def write_histories(farms: Mapping[str, int], frames_per_job: int = FRAMES_PER_JOB) -> None:
    """Give new databases, by their URLs, so many finished frames, with their jobs, leases and events."""
    job_ids = [await _render_one(url, frames_per_job) for url in farms]
    # All at once: a server is a process of its own, and disks are slow.
    await asyncio.gather(
        *(
            asyncio.to_thread(_copy, _engine(url), job_id, finished // frames_per_job - 1)
            for (url, finished), job_id in zip(farms.items(), job_ids, strict=True)
        )
    )


async def _render_one(url: str, frames: int) -> int:
    """Migrate the database, and have it live through one job; return the job."""
    clock = SetClock()
    clock.now = utc_now()
    database = open_database(url, clock)
    try:
        await asyncio.to_thread(database.migrate)
        farm = Farm(database, clock)
        agent = await farm.agent("historian")
        job = await farm.submit(f"1-{frames}", video=False)
        await farm.render_everything(agent)
        assert (await farm.job(job.id)).state == "completed"
        await farm.leave(agent)
    finally:
        await database.close()
    return job.id


def _engine(url: str) -> Engine:
    """Return an engine without the checks of the coordinator's own."""
    parts = make_url(url)
    driver = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg"}[parts.get_backend_name()]
    return create_engine(parts.set(drivername=driver))


def _copy(engine: Engine, job_id: int, copies: int) -> None:
    postgresql = engine.dialect.name == "postgresql"
    if not postgresql:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            # Nothing is lost with what is half written; whoever opens the file next has it as it should be.
            conn.execute(text("PRAGMA journal_mode = OFF"))
    with engine.begin() as conn:
        if postgresql:
            # Copies of rows that refer to good ones need not be looked up a million times.
            conn.execute(text("SET LOCAL session_replication_role = replica"))
        first = select(literal(1).label("n")).cte("numbers", recursive=True)
        numbers = first.union_all(select(first.c.n + 1).where(first.c.n < copies))
        job = {"job_id": job_id + numbers.c.n}

        def lease(column: ColumnElement[str]) -> ColumnElement[str]:
            return cast(numbers.c.n, String).concat("-").concat(func.substr(column, 1, 8))

        _multiply(conn, numbers, jobs, jobs.c.id == job_id, {"id": job["job_id"]})
        _multiply(conn, numbers, leases, leases.c.job_id == job_id, job | {"id": lease(leases.c.id)})
        _multiply(conn, numbers, frames, frames.c.job_id == job_id, job | {"lease_id": lease(frames.c.lease_id)})
        _multiply(conn, numbers, events, events.c.job_id == job_id, job | {"id": None})
        if postgresql:
            conn.execute(text("SELECT setval(pg_get_serial_sequence('jobs', 'id'), (SELECT max(id) FROM jobs))"))
    if postgresql:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            # As at any farm after a while; and not just while the coordinator is measured.
            conn.execute(text("VACUUM ANALYZE"))
    engine.dispose()


def _multiply(conn: Connection, numbers: CTE, table: Table, which: ColumnElement[bool], new: dict[str, Any]) -> None:
    """Insert a copy of some rows for each number, with ``new`` values; a column whose new value is None is left out."""
    values = {column.name: new.get(column.name, column) for column in table.columns}
    kept = {name: value for name, value in values.items() if value is not None}
    rows = select(*kept.values()).select_from(table.join(numbers, true())).where(which)
    conn.execute(insert(table).from_select(list(kept), rows))
