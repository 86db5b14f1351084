"""An index of the events that are more than one frame's or one lease's business."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

NOTABLE = sa.text("kind NOT IN ('frame_finished', 'lease_granted', 'lease_ended', 'tail_taken_over', 'frame_hedged')")


def upgrade() -> None:
    """Add the index."""
    op.create_index("ix_events_notable", "events", ["job_id", "id"], sqlite_where=NOTABLE, postgresql_where=NOTABLE)
