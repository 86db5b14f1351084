"""The tags and pools that people give agents, and how many frames each lease brought."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

#: The columns that each table gets, with the value for rows that are there already.
NEW: dict[str, dict[str, tuple[sa.types.TypeEngine[Any], str]]] = {
    "agents": {"farm_tags": (sa.Text(), "'[]'"), "farm_pools": (sa.Text(), "'[]'")},
    # What leases brought before nobody counted: an agent's record begins now.
    "leases": {"finished": (sa.Integer(), "0")},
}


def upgrade() -> None:
    """Add the columns, and find an agent's last leases at once."""
    for table, columns in NEW.items():
        for name, (kind, _) in columns.items():
            op.add_column(table, sa.Column(name, kind))
        values = ", ".join(f"{name} = {value}" for name, (_, value) in columns.items())
        op.execute(f"UPDATE {table} SET {values}")  # noqa: S608 - the names and values stand above
        with op.batch_alter_table(table) as altered:
            for name, (kind, _) in columns.items():
                altered.alter_column(name, existing_type=kind, nullable=False)
    op.create_index("ix_leases_agent_granted", "leases", ["agent_id", "granted_at"])
