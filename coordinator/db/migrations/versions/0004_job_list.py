"""Jobs are found by their names, users and files, and listed in several orders."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ENDED = sa.text("ended_at IS NOT NULL")
REST = ["state", "created_by", "created_at"]

INDEXES = {
    "ix_jobs_by_id": ["id", *REST, "search"],
    "ix_jobs_by_priority": ["priority", "id", *REST, "search"],
    "ix_jobs_by_name": ["search", "id", *REST],
}


def upgrade() -> None:
    """Add what jobs are found by; everything that is in the database stays."""
    op.add_column("jobs", sa.Column("search", sa.Text()))
    conn = op.get_bind()
    packs = conn.execute(sa.text("SELECT id, manifest FROM packs WHERE id IN (SELECT pack_id FROM jobs)"))
    files = {row.id: _main_file(bytes(row.manifest)) for row in packs}
    rows = conn.execute(sa.text("SELECT id, name, created_by, pack_id FROM jobs")).all()
    texts = [
        {"job": row.id, "search": _search_text(row.name, row.created_by, files.get(row.pack_id, ""))} for row in rows
    ]
    if texts:
        conn.execute(sa.text("UPDATE jobs SET search = :search WHERE id = :job"), texts)
    with op.batch_alter_table("jobs") as jobs:
        jobs.alter_column("search", existing_type=sa.Text(), nullable=False)
    for name, columns in INDEXES.items():
        op.create_index(name, "jobs", columns)
    op.create_index(
        "ix_jobs_by_end", "jobs", ["ended_at", "id", *REST, "search"], sqlite_where=ENDED, postgresql_where=ENDED
    )


def _main_file(manifest: bytes) -> str:
    return str(json.loads(manifest).get("main", "")).rpartition("/")[2]


def _search_text(name: str, user: str, file: str) -> str:
    parts = ((name, 200), (user, 60), (file, 110))
    return "\n".join(" ".join(text.casefold().split())[:longest] for text, longest in parts)
