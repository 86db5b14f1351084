"""Rows that are kept in memory are those of the tables, whoever changed these and however."""

import asyncio

import pytest
from sqlalchemy import create_engine, make_url, text, update

from coordinator.db import agents, jobs
from coordinator.db.engine import Database, Transaction
from coordinator.db.schema import jobs as job_rows
from coordinator.domain.model import Job
from tests.conformance.farm import Farm


def locked(tx: Transaction, job_id: int) -> Job:
    """Return a job as a unit of work is given it; it must be the one that is there."""
    job = jobs.lock(tx.conn, job_id)
    assert job is not None
    assert job == jobs.get(tx.conn, job_id)
    return job


def prioritise(tx: Transaction, job_id: int, priority: int) -> None:
    tx.changed_jobs[job_id] = jobs.change(tx.conn, locked(tx, job_id), priority=priority)


async def test_what_a_unit_changed_is_there_for_the_next_one(database: Database, farm: Farm) -> None:
    job = await farm.submit()
    for priority in (70, 71):
        await database.write(prioritise, job.id, priority)
        assert (await database.write(locked, job.id)).priority == priority


async def test_what_failed_was_not(database: Database, farm: Farm) -> None:
    job, agent = await farm.submit(), await farm.agent()

    def change_and_fail(tx: Transaction) -> None:
        prioritise(tx, job.id, 70)
        known = agents.lock(tx.conn, agent)
        assert known is not None
        tx.changed_agents[agent] = agents.change(tx.conn, known, speed=4.0)
        raise LookupError

    for _ in range(2):
        with pytest.raises(LookupError):
            await database.write(change_and_fail)
        assert (await database.write(locked, job.id)).priority == job.priority
        assert await database.write(lambda tx: agents.lock(tx.conn, agent) == agents.get(tx.conn, agent))


async def test_what_sqlalchemy_wrote_is_read_again(database: Database, farm: Farm) -> None:
    job = await farm.submit()

    def write(tx: Transaction) -> int:
        locked(tx, job.id)
        tx.conn.execute(update(job_rows).where(job_rows.c.id == job.id).values(priority=70))
        priority = locked(tx, job.id).priority
        prioritise(tx, job.id, job.priority)
        return priority

    assert await database.write(write) == 70


async def test_what_another_process_wrote_is_read_again(database: Database, farm: Farm, database_url: str) -> None:
    job = await farm.submit()
    await database.write(locked, job.id)
    driver = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg"}[database.kind]
    engine = create_engine(make_url(database_url).set(drivername=driver))

    def write() -> None:
        with engine.begin() as conn:
            conn.execute(text("UPDATE jobs SET priority = 70"))
        engine.dispose()

    await asyncio.to_thread(write)
    assert (await database.write(locked, job.id)).priority == 70
    # The board shows only what coordinators change.
    database.board.invalidate()
