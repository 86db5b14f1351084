"""Scheduling: needs, shares, limits, costs and control of jobs."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# SQLite counts rows by itself only in a column of type INTEGER.
IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WORD = sa.String(16)
PENDING = sa.text("state = 'pending'")

#: The columns that each table gets, with the value for rows that are there already; None: the column may be empty.
NEW: dict[str, dict[str, tuple[sa.types.TypeEngine[Any], str | None]]] = {
    "agents": {
        "pools": (sa.Text(), "'[]'"),
        "engines": (sa.Text(), "'[]'"),
        "device": (WORD, "'CPU'"),
        "platform": (WORD, "'linux'"),
        # Filled in from its hardware.
        "ram_bytes": (sa.BigInteger(), "0"),
        "vram_bytes": (sa.BigInteger(), None),
        "speed": (sa.Float(), "1"),
        "speed_count": (sa.Integer(), "0"),
        "set_aside": (sa.Text(), None),
        "set_aside_at": (sa.BigInteger(), None),
    },
    "jobs": {
        "needs": (sa.Text(), "'{}'"),
        "ram_needed": (sa.BigInteger(), "0"),
        "vram_needed": (sa.BigInteger(), "0"),
        "max_slots": (sa.Integer(), None),
        "chunk_frames": (sa.Integer(), None),
        "target_seconds": (sa.Float(), "60"),
        "hedge": (sa.Boolean(), "true"),
        "first_look": (sa.Boolean(), "false"),
        "looks": (sa.Integer(), "0"),
        "stop_after": (sa.Integer(), "3"),
        # Written for each job: of how many frames nothing is known.
        "costs": (sa.Text(), "''"),
        "pending": (
            sa.Integer(),
            """(SELECT coalesce(sum(chunks.frame_count), 0) FROM chunks
                WHERE chunks.job_id = jobs.id AND chunks.state = 'pending')""",
        ),
        "slots": (
            sa.Integer(),
            """(SELECT count(*) FROM (SELECT DISTINCT agent_id, slot FROM leases
                WHERE leases.job_id = jobs.id AND leases.state = 'live') AS busy)""",
        ),
        # Every agent has speed 1 so far: set with the slots.
        "speed": (sa.Float(), "0"),
        "vtime": (sa.Float(), "0"),
        "granted_at": (sa.BigInteger(), None),
    },
    "leases": {
        "frame_since": (sa.BigInteger(), None),
        "speed": (sa.Float(), "1"),
        "load_seconds": (sa.Float(), "0"),
        "charged": (sa.Float(), "0"),
        "used": (sa.Float(), "0"),
    },
    "chunks": {
        "hedge_lease_id": (WORD, None),
        "avoid_agent_id": (IDENTITY, None),
    },
    "attempts": {"voided": (sa.Boolean(), "false")},
}


def upgrade() -> None:
    """Add what scheduling keeps; everything that is in the database stays."""
    _create_tables()
    _add_columns()
    op.drop_index("ix_chunks_claim", "chunks")
    _settle_agents()
    _settle_jobs()
    _settle_leases()
    _settle_chunks()
    with _altered("attempts"):
        pass
    op.create_index("ix_chunks_pending", "chunks", ["job_id", "first"], sqlite_where=PENDING, postgresql_where=PENDING)


def _create_tables() -> None:
    op.create_table(
        "users",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("vtime", sa.Float(), nullable=False),
        sa.Column("max_slots", sa.Integer(), nullable=True),
        sa.CheckConstraint("max_slots IS NULL OR max_slots >= 1", name=op.f("ck_users_max_slots")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_users")),
    )
    op.execute("INSERT INTO users (name, vtime) SELECT DISTINCT created_by, 0 FROM jobs")
    op.create_table(
        "set_asides",
        sa.Column("agent_id", IDENTITY, nullable=False),
        sa.Column("job_id", IDENTITY, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("fk_set_asides_agent_id")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_set_asides_job_id")),
        sa.PrimaryKeyConstraint("agent_id", "job_id", name=op.f("pk_set_asides")),
    )
    op.create_index(op.f("ix_set_asides_job_id"), "set_asides", ["job_id"])
    op.create_table(
        "job_dependencies",
        sa.Column("job_id", IDENTITY, nullable=False),
        sa.Column("after_id", IDENTITY, nullable=False),
        sa.CheckConstraint("after_id < job_id", name=op.f("ck_job_dependencies_order")),
        sa.ForeignKeyConstraint(["after_id"], ["jobs.id"], name=op.f("fk_job_dependencies_after_id")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_job_dependencies_job_id")),
        sa.PrimaryKeyConstraint("job_id", "after_id", name=op.f("pk_job_dependencies")),
    )
    op.create_index(op.f("ix_job_dependencies_after_id"), "job_dependencies", ["after_id"])


def _add_columns() -> None:
    """Add the columns, empty ones allowed for now, and give them their values."""
    for table, columns in NEW.items():
        for name, (kind, _) in columns.items():
            op.add_column(table, sa.Column(name, kind))
        values = ", ".join(f"{name} = {value}" for name, (_, value) in columns.items() if value is not None)
        if values:
            op.execute(f"UPDATE {table} SET {values}")  # noqa: S608 - the names and values stand above
    op.execute("UPDATE jobs SET speed = slots")
    op.execute(
        """UPDATE jobs SET granted_at = latest.at
           FROM (SELECT job_id, max(granted_at) AS at FROM leases GROUP BY job_id) AS latest
           WHERE latest.job_id = jobs.id"""
    )
    _read_memory()
    _forget_costs()


def _read_memory() -> None:
    """Take the machines' memory out of what is known of their hardware."""
    agents = sa.table("agents", sa.column("id"), sa.column("hardware"), sa.column("ram_bytes"))
    for agent in op.get_bind().execute(sa.select(agents.c.id, agents.c.hardware)).all():
        memory = json.loads(agent.hardware)["memory_bytes"]
        op.execute(agents.update().where(agents.c.id == agent.id).values(ram_bytes=memory))


def _forget_costs() -> None:
    """Begin to learn what the frames of jobs cost: the next ones that are finished tell."""
    jobs = sa.table("jobs", sa.column("frame_count"), sa.column("costs"))
    for count in op.get_bind().execute(sa.select(jobs.c.frame_count).distinct()).scalars().all():
        none = [0] * min(32, count)
        costs = {"frame_count": count, "means": none, "counts": none, "loads": [], "prior": [], "deviation": 0.0}
        op.execute(jobs.update().where(jobs.c.frame_count == count).values(costs=json.dumps(costs)))


@contextmanager
def _altered(name: str) -> Iterator[BatchOperations]:
    """Alter a table, which SQLite does by building it anew; columns that must have a value are told so."""
    with op.batch_alter_table(name) as table:
        for column, (kind, value) in NEW[name].items():
            if value is not None:
                table.alter_column(column, existing_type=kind, nullable=False)
        yield table


def _settle_agents() -> None:
    with _altered("agents") as agents:
        agents.create_check_constraint(op.f("ck_agents_speed"), "speed > 0")
        agents.create_check_constraint(op.f("ck_agents_set_aside"), "(set_aside IS NULL) = (set_aside_at IS NULL)")


def _settle_jobs() -> None:
    with _altered("jobs") as jobs:
        jobs.drop_column("recent_seconds")
        jobs.create_foreign_key(op.f("fk_jobs_created_by"), "users", ["created_by"], ["name"])
        jobs.drop_constraint(op.f("ck_jobs_state"), type_="check")
        jobs.create_check_constraint(
            op.f("ck_jobs_state"),
            "state IN ('blocked', 'queued', 'running', 'paused', 'stitching', 'completed', 'failed', 'cancelled')",
        )
        jobs.drop_constraint(op.f("ck_jobs_counters"), type_="check")
        jobs.create_check_constraint(
            op.f("ck_jobs_counters"),
            "finished >= 0 AND failed >= 0 AND pending >= 0 AND finished + failed + pending <= frame_count",
        )
        jobs.create_check_constraint(op.f("ck_jobs_pending"), "pending = 0 OR state IN ('queued', 'running')")
        jobs.create_check_constraint(
            op.f("ck_jobs_slots"), "slots >= 0 AND (slots = 0 OR state IN ('running', 'paused'))"
        )
        jobs.create_check_constraint(op.f("ck_jobs_max_slots"), "max_slots IS NULL OR max_slots >= 1")
        jobs.create_check_constraint(op.f("ck_jobs_chunk_frames"), "chunk_frames IS NULL OR chunk_frames >= 1")
        jobs.create_check_constraint(op.f("ck_jobs_target_seconds"), "target_seconds > 0")


def _settle_leases() -> None:
    with _altered("leases") as leases:
        leases.drop_constraint(op.f("ck_leases_end_reason"), type_="check")
        leases.create_check_constraint(
            op.f("ck_leases_end_reason"),
            "end_reason IN"
            " ('finished', 'released', 'failed', 'expired', 'left', 'job_ended', 'superseded', 'taken_over')",
        )


def _settle_chunks() -> None:
    with _altered("chunks") as chunks:
        # What the claim query read; it looks at jobs now.
        chunks.drop_column("priority")
        chunks.drop_column("min_blender")
        chunks.create_foreign_key(op.f("fk_chunks_hedge_lease_id"), "leases", ["hedge_lease_id"], ["id"])
        chunks.create_foreign_key(op.f("fk_chunks_avoid_agent_id"), "agents", ["avoid_agent_id"], ["id"])
        chunks.create_check_constraint(
            op.f("ck_chunks_hedge"), "hedge_lease_id IS NULL OR (state = 'leased' AND frame_count = 1)"
        )
    op.create_index(op.f("ix_chunks_hedge_lease_id"), "chunks", ["hedge_lease_id"])
