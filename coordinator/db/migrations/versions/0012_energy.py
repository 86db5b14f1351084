"""The energy that graphics cards took for a frame."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column: of frames that were rendered before, nobody knows."""
    op.add_column("frames", sa.Column("energy_joules", sa.Float()))
