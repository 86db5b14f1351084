"""Inspections: what agents found in the .blend of packs."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WAITING = sa.text("state = 'waiting'")
RUNNING = sa.text("state = 'running'")


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "inspections",
        sa.Column("pack_id", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("min_blender", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("agent_id", IDENTITY),
        sa.Column("claim", sa.String(16)),
        sa.Column("expires_at", sa.BigInteger()),
        sa.Column("stage", sa.String(16)),
        sa.Column("findings", sa.LargeBinary()),
        sa.Column("reason", sa.Text()),
        sa.CheckConstraint("state IN ('waiting', 'running', 'done', 'failed')", name=op.f("ck_inspections_state")),
        sa.CheckConstraint("attempts >= 0 AND min_blender >= 0", name=op.f("ck_inspections_counts")),
        sa.CheckConstraint(
            "(state = 'running') = (claim IS NOT NULL AND expires_at IS NOT NULL)", name=op.f("ck_inspections_claim")
        ),
        sa.CheckConstraint("state <> 'running' OR agent_id IS NOT NULL", name=op.f("ck_inspections_agent")),
        sa.CheckConstraint("(state = 'done') = (findings IS NOT NULL)", name=op.f("ck_inspections_findings")),
        sa.CheckConstraint("(state = 'failed') = (reason IS NOT NULL)", name=op.f("ck_inspections_reason")),
        sa.ForeignKeyConstraint(["pack_id"], ["packs.id"], name=op.f("fk_inspections_pack_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("fk_inspections_agent_id")),
        sa.PrimaryKeyConstraint("pack_id", name=op.f("pk_inspections")),
        sa.UniqueConstraint("claim", name=op.f("uq_inspections_claim")),
    )
    op.create_index(op.f("ix_inspections_agent_id"), "inspections", ["agent_id"])
    op.create_index(
        "ix_inspections_waiting", "inspections", ["asked_at"], sqlite_where=WAITING, postgresql_where=WAITING
    )
    op.create_index(
        "ix_inspections_running", "inspections", ["expires_at"], sqlite_where=RUNNING, postgresql_where=RUNNING
    )
