"""Storage: which blobs are to go, what jobs take, which are kept and which have lost their files."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

#: The columns that each table gets, with the value for rows that are there already; None: the column may be empty.
NEW: dict[str, dict[str, tuple[sa.types.TypeEngine[Any], str | None]]] = {
    "blobs": {"touched_at": (sa.BigInteger(), "stored_at"), "condemned_at": (sa.BigInteger(), None)},
    "packs": {
        "size": (
            sa.BigInteger(),
            "coalesce((SELECT sum(pack_blobs.size) FROM pack_blobs WHERE pack_blobs.pack_id = packs.id), 0)",
        ),
        "touched_at": (sa.BigInteger(), "created_at"),
    },
    "users": {"quota_bytes": (sa.BigInteger(), None)},
    "jobs": {
        "keep": (sa.Boolean(), "false"),
        "bytes": (sa.BigInteger(), None),
        "files_swept_at": (sa.BigInteger(), None),
        "removal": (sa.String(16), None),
    },
}

#: The conditions that a table gets; one of the same name is replaced.
CHECKS = {
    "packs": {"size": "size >= 0"},
    "users": {"quota_bytes": "quota_bytes IS NULL OR quota_bytes >= 0"},
    "jobs": {
        "video": "state <> 'completed' OR NOT video OR video_sha256 IS NOT NULL OR files_swept_at IS NOT NULL",
        "sound_ready": "(sound_state = 'ready' AND files_swept_at IS NULL) = (sound_sha256 IS NOT NULL)",
        "swept": "files_swept_at IS NULL OR (ended_at IS NOT NULL AND video_sha256 IS NULL)",
        "keep": "NOT keep OR files_swept_at IS NULL",
        "removal": "removal IN ('files', 'record')",
        "removal_swept": "removal IS NULL OR files_swept_at IS NOT NULL",
    },
}
REPLACED = {("jobs", "video"), ("jobs", "sound_ready")}

#: The indexes, with the condition of those that are not of all rows.
INDEXES: list[tuple[str, str, list[str], str | None]] = [
    ("ix_blobs_condemned", "blobs", ["condemned_at"], "condemned_at IS NOT NULL"),
    ("ix_packs_touched_at", "packs", ["touched_at"], None),
    ("ix_packs_removed", "packs", ["id"], "manifest IS NULL"),
    ("ix_jobs_removal", "jobs", ["id"], "removal IS NOT NULL"),
    ("ix_jobs_sound_sha256", "jobs", ["sound_sha256"], "sound_sha256 IS NOT NULL"),
    ("ix_jobs_video_sha256", "jobs", ["video_sha256"], "video_sha256 IS NOT NULL"),
    ("ix_leases_job_agent", "leases", ["job_id", "agent_id"], None),
    ("ix_frames_output_sha256", "frames", ["output_sha256", "job_id"], None),
    ("ix_frames_preview_sha256", "frames", ["preview_sha256", "job_id"], None),
    ("ix_frames_display_sha256", "frames", ["display_sha256", "job_id"], "display_sha256 IS NOT NULL"),
    ("ix_extra_files_sha256", "extra_files", ["sha256", "job_id"], None),
]


def upgrade() -> None:
    """Add what the sweeper needs; everything that is in the database stays."""
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
            if table == "packs":
                altered.alter_column("manifest", existing_type=sa.LargeBinary(), nullable=True)
            for name, condition in CHECKS.get(table, {}).items():
                if (table, name) in REPLACED:
                    altered.drop_constraint(op.f(f"ck_{table}_{name}"), type_="check")
                altered.create_check_constraint(op.f(f"ck_{table}_{name}"), condition)
    with op.batch_alter_table("frames") as altered:
        altered.drop_constraint(op.f("fk_frames_lease_id"), type_="foreignkey")
    op.drop_index("ix_leases_agent_job", "leases")
    for index, table, indexed, where in INDEXES:
        only = None if where is None else sa.text(where)
        op.create_index(index, table, indexed, sqlite_where=only, postgresql_where=only)
