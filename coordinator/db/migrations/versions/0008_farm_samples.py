"""What the farm did, minute by minute and hour by hour."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    counters = ("frames", "samples", "slots", "busy", "pending", "jobs")
    op.create_table(
        "farm_samples",
        sa.Column("span", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in counters),
        sa.CheckConstraint("samples >= 1", name=op.f("ck_farm_samples_samples")),
        sa.PrimaryKeyConstraint("span", "at", name=op.f("pk_farm_samples")),
    )
