"""The migrations make exactly the schema that the code describes, on every database."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import Connection, MetaData, Table, create_engine, make_url, select, text

from coordinator.db.engine import Database, Transaction, open_database
from coordinator.db.migrate import SchemaTooNew, current_revision, newest_revision, upgrade
from coordinator.db.schema import agents, jobs, metadata, users
from coordinator.domain.costs import CostProfile
from coordinator.domain.model import JobState
from tests.conformance.farm import Farm, SetClock, digest
from tests.conformance.invariants import check_invariants

Shape = set[tuple[str, ...]]

MEMORY = 32 * 2**30
#: The time of everything in the old database, in microseconds, as its tables have it.
OLD = 1_700_000_000_000_000


@pytest.fixture
async def empty(empty_database_url: str, clock: SetClock) -> AsyncIterator[Database]:
    """A database without tables."""
    database = await asyncio.to_thread(open_database, empty_database_url, clock)
    yield database
    await database.close()


def shape(conn: Connection) -> Shape:
    """Return every column, index and constraint as the database itself describes it."""
    if conn.dialect.name == "sqlite":
        rows = conn.execute(text("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
        # The order of a table's columns and constraints means nothing.  An added column stands on the last one's line.
        return {
            (row.type, row.name, line.strip().rstrip(","))
            for row in rows
            for line in re.sub(
                r", (?=\w+ [A-Z]+,? *$)", "\n", re.sub(r'"(\w+)"', r"\1", row.sql), flags=re.MULTILINE
            ).splitlines()
            if "alembic" not in row.name
        }
    columns = """
        SELECT 'column', table_name, column_name, data_type || coalesce(character_maximum_length, 0), is_nullable,
               coalesce(column_default, '')
        FROM information_schema.columns WHERE table_schema = 'public'"""
    indexes = "SELECT 'index', tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'"
    constraints = """
        SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace"""
    described = {tuple(row) for query in (columns, indexes, constraints) for row in conn.execute(text(query))}
    return {row for row in described if "alembic" not in row[1]}


async def test_migrations_make_the_schema(empty: Database) -> None:
    await asyncio.to_thread(empty.migrate)
    migrated = await empty.read(lambda tx: shape(tx.conn))
    assert len(migrated) > 100

    def create_anew(conn: Connection) -> Shape:
        metadata.drop_all(conn)
        metadata.create_all(conn)
        return shape(conn)

    described = await empty.write(lambda tx: create_anew(tx.conn))
    assert migrated == described


async def test_migrating_twice_and_at_once_does_it_once(empty_database_url: str) -> None:
    """As when two coordinators start side by side on a new database."""

    def open_two() -> list[Database]:
        return [open_database(empty_database_url, SetClock()) for _ in range(2)]

    databases = await asyncio.to_thread(open_two)
    await asyncio.gather(*(asyncio.to_thread(database.migrate) for database in databases))
    await asyncio.to_thread(databases[0].migrate)
    newest = await asyncio.to_thread(newest_revision)
    revisions = [await database.read(lambda tx: current_revision(tx.conn)) for database in databases]
    for database in databases:
        await database.close()
    assert revisions == [newest, newest]


async def test_a_database_of_a_newer_version_is_left_alone(empty: Database) -> None:
    await asyncio.to_thread(empty.migrate)
    await empty.write(lambda tx: tx.conn.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(SchemaTooNew, match="made by a newer version"):
        await asyncio.to_thread(empty.migrate)


def test_the_newest_revision_is_the_only_head() -> None:
    assert newest_revision() == "0014"
    # Migrations must run without the code's own tables, which go on changing: this one has none of them.
    with create_engine("sqlite://").connect() as conn:
        assert current_revision(conn) is None


def fill_first_schema(conn: Connection) -> None:
    """Have a farm in the midst of its life, in the tables of the first schema."""
    upgrade(conn, "0001")
    tables = MetaData()

    def put(table: str, **row: Any) -> None:
        conn.execute(Table(table, tables, autoload_with=conn).insert().values(row))

    def agent(number: int, name: str) -> None:
        hardware = f'{{"hostname":"{name}","os":"Linux","cpu":"any","cpu_count":8,"memory_bytes":{MEMORY},"gpus":[]}}'
        described = {"hardware": hardware, "blenders": '[{"version":[4,5,15],"kind":"bpy"}]', "tags": '["fast"]'}
        times = {"registered_at": OLD, "last_seen_at": OLD}
        blender = {"software_version": "0.1", "max_blender": 405}
        put("agents", id=number, name=name, state="online", slots=2, **described, **times, **blender)
        put("tokens", kind="agent", name=name, digest=digest(name), agent_id=number, created_at=OLD)

    def job(number: int, state: str, frames: str, count: int, *history: str, **row: Any) -> None:
        always = {"video": False, "render": '{"scene":"Scene"}', "output": '{"format":"PNG"}', "warnings": "[]"}
        counters = {"finished": 0, "failed": 0, "whole_failures": 0, "sound_failures": 0, "stitch_claims": 0}
        owner = {"created_by": "ana", "created_at": OLD, "recent_seconds": "[2.0]", "sound_state": "none"}
        rules = {"priority": 50, "min_blender": 402, "max_retries": 0, "pack_id": digest("pack")}
        named = {"id": number, "name": f"shot {number}", "frames": frames, "frame_count": count, "state": state}
        put("jobs", **named | always | counters | owner | rules | row)
        was = "queued"
        for kind in ("submitted", *history):
            put("events", job_id=number, at=OLD, kind=kind, message=kind, data=f'{{"from":"{was}"}}')
            was = kind if kind in set(JobState) else was

    def lease(name: str, job: int, agent: int, slot: int, *, end: str | None = None) -> None:
        ended = {} if end is None else {"state": "ended", "end_reason": end, "ended_at": OLD}
        times = {"granted_at": OLD, "expires_at": OLD}
        put(
            "leases",
            **{"state": "live", "id": name, "job_id": job, "agent_id": agent, "slot": slot, "progress": 0.5}
            | times
            | ended,
        )

    def chunk(job: int, first: int, last: int, state: str, lease: str | None = None) -> None:
        claim = {"priority": 50, "min_blender": 402}
        put(
            "chunks",
            job_id=job,
            first=first,
            last=last,
            frame_count=last - first + 1,
            state=state,
            lease_id=lease,
            **claim,
        )

    def finished(job: int, frame: int, lease: str) -> None:
        files = {"output_sha256": digest("file"), "preview_sha256": digest("file"), "output_size": 3, "preview_size": 3}
        made = {"agent_id": 1, "lease_id": lease, "seconds": 2.0, "attempts": 1, "ended_at": OLD}
        put("frames", job_id=job, frame=frame, state="finished", **files, **made)

    put("blobs", sha256=digest("file"), size=3, stored_at=OLD)
    put("packs", id=digest("pack"), manifest=b"{}", created_at=OLD)
    put("pack_blobs", pack_id=digest("pack"), sha256=digest("file"), size=3)
    agent(1, "ant")
    agent(2, "bee")
    job(1, "queued", "1-5", 5, created_by="ben", name="Café")
    chunk(1, 1, 5, "pending")
    # Two leases of a slot and one of another: two slots.
    job(
        2,
        "running",
        "1-20",
        20,
        "running",
        *["lease_granted"] * 4,
        "lease_ended",
        "frame_finished",
        "attempt_failed",
        "frame_failed",
        finished=1,
        failed=1,
        latest_frame=1,
    )
    lease("a", 2, 1, 0, end="finished")
    finished(2, 1, "a")
    put("attempts", job_id=2, frame=2, agent_id=1, lease_id="a", code="crashed", message="it broke", at=OLD)
    put("frames", job_id=2, frame=2, state="failed", reason="it broke", attempts=1, ended_at=OLD)
    for name, number, slot, first in (("b", 1, 0, 3), ("c", 1, 0, 5), ("d", 2, 1, 7)):
        lease(name, 2, number, slot)
        chunk(2, first, first + 1, "leased", name)
    chunk(2, 9, 20, "pending")
    job(
        3,
        "completed",
        "1",
        1,
        "lease_granted",
        "running",
        "frame_finished",
        "lease_ended",
        "stitching",
        "completed",
        finished=1,
        latest_frame=1,
        video=True,
        video_sha256=digest("file"),
        ended_at=OLD,
    )
    lease("e", 3, 1, 1, end="job_ended")
    finished(3, 1, "e")
    job(4, "cancelled", "1-3", 3, "cancelled", ended_at=OLD)
    chunk(4, 1, 3, "held")


def make_first_farm(url: str) -> None:
    scheme = "postgresql+psycopg" if url.startswith("postgresql") else "sqlite"
    engine = create_engine(make_url(url).set(drivername=scheme))
    with engine.begin() as conn:
        fill_first_schema(conn)
    engine.dispose()


async def test_a_farm_of_the_first_schema_goes_on(empty_database_url: str, empty: Database, clock: SetClock) -> None:
    await asyncio.to_thread(make_first_farm, empty_database_url)
    await asyncio.to_thread(empty.migrate)

    def look(tx: Transaction) -> None:
        check_invariants(tx.conn)
        assert tx.conn.execute(select(users.c.name).order_by(users.c.name)).scalars().all() == ["ana", "ben"]
        assert tx.conn.execute(select(jobs.c.search).where(jobs.c.id == 1)).scalar_one() == "cafe\nben\n"
        assert set(tx.conn.execute(select(agents.c.ram_bytes)).scalars()) == {MEMORY}
        counted = select(jobs.c.pending, jobs.c.slots, jobs.c.speed).order_by(jobs.c.id)
        assert [tuple(row) for row in tx.conn.execute(counted)] == [(5, 0, 0), (12, 2, 2), (0, 0, 0), (0, 0, 0)]
        known = [CostProfile.decode(text) for text in tx.conn.execute(select(jobs.c.costs)).scalars()]
        assert sorted((costs.frame_count, costs.samples) for costs in known) == [(1, 0), (3, 0), (5, 0), (20, 0)]

    await empty.read(look)
    farm = Farm(empty, clock)
    grant = await farm.must_lease(2)
    assert grant.frames
    await farm.deliver_all(2, grant)
    await empty.read(lambda tx: check_invariants(tx.conn))
