"""Agents: sandbox, rest, telemetry, codes to join with; frames in doubt, and files that scenes write themselves."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DOUBT = sa.text("doubt IS NOT NULL")

#: The columns that each table gets, with the value for rows that are there already; None: the column may be empty.
NEW: dict[str, dict[str, tuple[sa.types.TypeEngine[Any], str | None]]] = {
    "agents": {
        # Of one that has not said so since, it cannot be known.
        "sandboxed": (sa.Boolean(), "false"),
        "drained": (sa.Boolean(), "false"),
        "resting": (sa.Text(), None),
        "telemetry": (sa.Text(), None),
        "removed": (sa.Boolean(), "false"),
    },
    "tokens": {"single_use": (sa.Boolean(), "false")},
    "users": {"scripts": (sa.Boolean(), "false")},
    "jobs": {
        "stop_on_missing": (sa.Boolean(), "false"),
        "cpu_fallback": (sa.Boolean(), "false"),
        # No frame was looked at for that until now.
        "blank": (sa.Integer(), "0"),
        "doubtful": (sa.Integer(), "0"),
    },
    "frames": {
        "peak_gpu_memory_bytes": (sa.BigInteger(), None),
        "blank": (sa.String(16), None),
        "doubt": (sa.Text(), None),
    },
}

#: The conditions that a table gets; one of the same name is replaced.
CHECKS = {
    "agents": {"removed": "state = 'left' OR NOT removed"},
    "jobs": {"doubts": "blank BETWEEN 0 AND finished AND doubtful BETWEEN 0 AND finished"},
    "frames": {"blank": "blank IN ('black', 'transparent', 'nan')"},
    "leases": {
        "end_reason": "end_reason IN ('finished', 'released', 'failed', 'expired', 'left', 'stopped', 'job_ended',"
        " 'superseded', 'taken_over')"
    },
    "tokens": {
        "agent": "(kind = 'agent' AND agent_id IS NOT NULL) OR (kind <> 'agent' AND"
        " (agent_id IS NULL OR (single_use AND revoked_at IS NOT NULL)))"
    },
}
REPLACED = {("leases", "end_reason"), ("tokens", "agent")}


def upgrade() -> None:
    """Add what agents tell and what frames are checked for; everything that is in the database stays."""
    for table, columns in NEW.items():
        for name, (kind, _) in columns.items():
            op.add_column(table, sa.Column(name, kind))
        values = ", ".join(f"{name} = {value}" for name, (_, value) in columns.items() if value is not None)
        if values:
            op.execute(f"UPDATE {table} SET {values}")  # noqa: S608 - the names and values stand above
        with op.batch_alter_table(table) as altered:
            for name, (kind, value) in columns.items():
                if value is not None:
                    altered.alter_column(name, existing_type=kind, nullable=False)
    for table, checks in CHECKS.items():
        with op.batch_alter_table(table) as altered:
            for name, condition in checks.items():
                if (table, name) in REPLACED:
                    altered.drop_constraint(op.f(f"ck_{table}_{name}"), type_="check")
                altered.create_check_constraint(op.f(f"ck_{table}_{name}"), condition)
    op.create_table(
        "extra_files",
        sa.Column("job_id", IDENTITY, nullable=False),
        sa.Column("frame", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_extra_files_job_id")),
        sa.ForeignKeyConstraint(["sha256"], ["blobs.sha256"], name=op.f("fk_extra_files_sha256")),
        sa.PrimaryKeyConstraint("job_id", "frame", "path", name=op.f("pk_extra_files")),
    )
    op.create_index("ix_frames_doubtful", "frames", ["job_id", "frame"], sqlite_where=DOUBT, postgresql_where=DOUBT)
