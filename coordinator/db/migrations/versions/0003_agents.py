"""Agents: sandbox, rest, telemetry, codes to join with; frames in doubt, and files that scenes write themselves."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

#: The columns that each table gets, with the value for rows that are there already; None: the column may be empty.
NEW: dict[str, dict[str, tuple[sa.types.TypeEngine[Any], str | None]]] = {
    "agents": {
        # Of one that has not said so since, it cannot be known.
        "sandboxed": (sa.Boolean(), "false"),
        "drained": (sa.Boolean(), "false"),
        "resting": (sa.Text(), None),
        "telemetry": (sa.Text(), None),
    },
    "tokens": {"single_use": (sa.Boolean(), "false")},
    "users": {"scripts": (sa.Boolean(), "false")},
    "jobs": {
        "stop_on_missing": (sa.Boolean(), "false"),
        "cpu_fallback": (sa.Boolean(), "false"),
    },
    "frames": {
        "peak_gpu_memory_bytes": (sa.BigInteger(), None),
        "blank": (sa.String(16), None),
        "doubt": (sa.Text(), None),
    },
}


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
            if table == "frames":
                altered.create_check_constraint(op.f("ck_frames_blank"), "blank IN ('black', 'transparent', 'nan')")
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
