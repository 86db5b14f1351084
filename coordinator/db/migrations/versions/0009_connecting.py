"""Requests of programs to be let in."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the table; everything that is in the database stays."""
    op.create_table(
        "connect_requests",
        sa.Column("id", IDENTITY, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("code_digest", sa.String(64), nullable=False),
        sa.Column("token_digest", sa.String(64), nullable=False),
        sa.Column("wrong_codes", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('waiting', 'approved', 'refused')", name=op.f("ck_connect_requests_state")),
        sa.CheckConstraint("wrong_codes >= 0", name=op.f("ck_connect_requests_wrong_codes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connect_requests")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_connect_requests_token_digest")),
    )
