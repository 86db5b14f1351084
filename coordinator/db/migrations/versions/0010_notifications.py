"""Who is told of a job's end, and what waits to be told."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add what waits to be told; nobody wants to hear of the jobs that are there."""
    op.add_column("jobs", sa.Column("notify", sa.Text()))
    op.execute("UPDATE jobs SET notify = '[]'")
    with op.batch_alter_table("jobs") as jobs:
        jobs.alter_column("notify", existing_type=sa.Text(), nullable=False)
    op.create_table(
        "deliveries",
        sa.Column("id", IDENTITY, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        # No foreign keys: who is told of a job that was deleted meanwhile is told all the same.
        sa.Column("job_id", sa.BigInteger()),
        sa.Column("agent_id", sa.BigInteger()),
        sa.Column("target", sa.Text()),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_deliveries_attempts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
    )
    op.create_index(op.f("ix_deliveries_due_at"), "deliveries", ["due_at"])
