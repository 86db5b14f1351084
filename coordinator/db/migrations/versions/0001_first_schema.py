"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# SQLite counts rows by itself only in a column of type INTEGER.
IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DIGEST = sa.String(64)
WORD = sa.String(16)
LIVE = sa.text("state = 'live'")
PENDING = sa.text("state = 'pending'")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "agents",
        sa.Column("id", IDENTITY, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("software_version", sa.Text(), nullable=False),
        sa.Column("slots", sa.Integer(), nullable=False),
        sa.Column("hardware", sa.Text(), nullable=False),
        sa.Column("blenders", sa.Text(), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("max_blender", sa.Integer(), nullable=False),
        sa.Column("registered_at", sa.BigInteger(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('online', 'offline', 'left')", name=op.f("ck_agents_state")),
        sa.CheckConstraint("slots BETWEEN 1 AND 64", name=op.f("ck_agents_slots")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agents")),
        sa.UniqueConstraint("name", name=op.f("uq_agents_name")),
    )
    op.create_table(
        "blobs",
        sa.Column("sha256", DIGEST, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("stored_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("size >= 0", name=op.f("ck_blobs_size")),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_blobs")),
    )
    op.create_table(
        "packs",
        sa.Column("id", DIGEST, nullable=False),
        sa.Column("manifest", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_packs")),
    )
    op.create_table(
        "jobs",
        sa.Column("id", IDENTITY, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("pack_id", DIGEST, nullable=False),
        sa.Column("frames", sa.Text(), nullable=False),
        sa.Column("frame_count", sa.Integer(), nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("min_blender", sa.Integer(), nullable=False),
        sa.Column("max_retries", sa.Integer(), nullable=False),
        sa.Column("video", sa.Boolean(), nullable=False),
        sa.Column("render", sa.Text(), nullable=False),
        sa.Column("output", sa.Text(), nullable=False),
        sa.Column("warnings", sa.Text(), nullable=False),
        sa.Column("submission", sa.String(32), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("finished", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("whole_failures", sa.Integer(), nullable=False),
        sa.Column("latest_frame", sa.Integer(), nullable=True),
        sa.Column("recent_seconds", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("sound_state", WORD, nullable=False),
        sa.Column("sound_lease_id", WORD, nullable=True),
        sa.Column("sound_failures", sa.Integer(), nullable=False),
        sa.Column("sound_sha256", DIGEST, nullable=True),
        sa.Column("video_sha256", DIGEST, nullable=True),
        sa.Column("stitch_claim", WORD, nullable=True),
        sa.Column("stitch_expires_at", sa.BigInteger(), nullable=True),
        sa.Column("stitch_claims", sa.Integer(), nullable=False),
        sa.CheckConstraint("(sound_state = 'ready') = (sound_sha256 IS NOT NULL)", name=op.f("ck_jobs_sound_ready")),
        sa.CheckConstraint("(state = 'failed') = (reason IS NOT NULL)", name=op.f("ck_jobs_reason")),
        sa.CheckConstraint(
            "(state IN ('completed', 'failed', 'cancelled')) = (ended_at IS NOT NULL)", name=op.f("ck_jobs_ended")
        ),
        sa.CheckConstraint("sound_lease_id IS NULL OR sound_state = 'wanted'", name=op.f("ck_jobs_sound_lease")),
        sa.CheckConstraint("sound_state IN ('none', 'wanted', 'ready', 'failed')", name=op.f("ck_jobs_sound_state")),
        sa.CheckConstraint("state <> 'completed' OR NOT video OR video_sha256 IS NOT NULL", name=op.f("ck_jobs_video")),
        sa.CheckConstraint("state <> 'stitching' OR video", name=op.f("ck_jobs_stitching")),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'stitching', 'completed', 'failed', 'cancelled')",
            name=op.f("ck_jobs_state"),
        ),
        sa.CheckConstraint(
            "state NOT IN ('stitching', 'completed') OR finished = frame_count", name=op.f("ck_jobs_complete")
        ),
        sa.CheckConstraint("stitch_claim IS NULL OR state = 'stitching'", name=op.f("ck_jobs_stitch_state")),
        sa.CheckConstraint("(stitch_claim IS NULL) = (stitch_expires_at IS NULL)", name=op.f("ck_jobs_stitch_claim")),
        sa.CheckConstraint(
            "finished >= 0 AND failed >= 0 AND finished + failed <= frame_count", name=op.f("ck_jobs_counters")
        ),
        sa.CheckConstraint("frame_count >= 1", name=op.f("ck_jobs_frame_count")),
        sa.CheckConstraint("priority BETWEEN 0 AND 100", name=op.f("ck_jobs_priority")),
        sa.ForeignKeyConstraint(["pack_id"], ["packs.id"], name=op.f("fk_jobs_pack_id")),
        sa.ForeignKeyConstraint(["sound_sha256"], ["blobs.sha256"], name=op.f("fk_jobs_sound_sha256")),
        sa.ForeignKeyConstraint(["video_sha256"], ["blobs.sha256"], name=op.f("fk_jobs_video_sha256")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        sa.UniqueConstraint("submission", name=op.f("uq_jobs_submission")),
    )
    op.create_index(op.f("ix_jobs_pack_id"), "jobs", ["pack_id"])
    op.create_index("ix_jobs_state_id", "jobs", ["state", "id"])
    op.create_table(
        "pack_blobs",
        sa.Column("pack_id", DIGEST, nullable=False),
        sa.Column("sha256", DIGEST, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["pack_id"], ["packs.id"], name=op.f("fk_pack_blobs_pack_id")),
        sa.PrimaryKeyConstraint("pack_id", "sha256", name=op.f("pk_pack_blobs")),
    )
    op.create_index(op.f("ix_pack_blobs_sha256"), "pack_blobs", ["sha256"])
    op.create_table(
        "tokens",
        sa.Column("id", IDENTITY, nullable=False),
        sa.Column("kind", WORD, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", DIGEST, nullable=False),
        sa.Column("agent_id", IDENTITY, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("(kind = 'agent') = (agent_id IS NOT NULL)", name=op.f("ck_tokens_agent")),
        sa.CheckConstraint("kind IN ('admin', 'join', 'agent', 'session')", name=op.f("ck_tokens_kind")),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("fk_tokens_agent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_tokens_digest")),
    )
    op.create_index(op.f("ix_tokens_agent_id"), "tokens", ["agent_id"])
    op.create_table(
        "events",
        sa.Column("id", IDENTITY, nullable=False),
        sa.Column("job_id", IDENTITY, nullable=True),
        sa.Column("agent_id", IDENTITY, nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.CheckConstraint("job_id IS NOT NULL OR agent_id IS NOT NULL", name=op.f("ck_events_subject")),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("fk_events_agent_id")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_events_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    op.create_index("ix_events_agent_id_id", "events", ["agent_id", "id"])
    op.create_index("ix_events_job_id_id", "events", ["job_id", "id"])
    op.create_table(
        "leases",
        sa.Column("id", WORD, nullable=False),
        sa.Column("job_id", IDENTITY, nullable=False),
        sa.Column("agent_id", IDENTITY, nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("end_reason", WORD, nullable=True),
        sa.Column("granted_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("stage", WORD, nullable=True),
        sa.Column("frame", sa.Integer(), nullable=True),
        sa.Column("progress", sa.Float(), nullable=False),
        sa.Column("remaining_seconds", sa.Float(), nullable=True),
        sa.Column("memory_bytes", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(state = 'ended') = (end_reason IS NOT NULL AND ended_at IS NOT NULL)", name=op.f("ck_leases_ended")
        ),
        sa.CheckConstraint(
            "end_reason IN ('finished', 'released', 'failed', 'expired', 'left', 'job_ended', 'superseded')",
            name=op.f("ck_leases_end_reason"),
        ),
        sa.CheckConstraint("state IN ('live', 'ended')", name=op.f("ck_leases_state")),
        sa.CheckConstraint("progress BETWEEN 0 AND 1", name=op.f("ck_leases_progress")),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("fk_leases_agent_id")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_leases_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leases")),
    )
    op.create_index("ix_leases_agent_job", "leases", ["agent_id", "job_id"])
    op.create_index("ix_leases_expiry", "leases", ["expires_at"], sqlite_where=LIVE, postgresql_where=LIVE)
    op.create_index("ix_leases_job", "leases", ["job_id"], sqlite_where=LIVE, postgresql_where=LIVE)
    op.create_index("ix_leases_slot", "leases", ["agent_id", "slot"], sqlite_where=LIVE, postgresql_where=LIVE)
    op.create_table(
        "attempts",
        sa.Column("id", IDENTITY, nullable=False),
        sa.Column("job_id", IDENTITY, nullable=False),
        sa.Column("frame", sa.Integer(), nullable=True),
        sa.Column("agent_id", IDENTITY, nullable=False),
        sa.Column("lease_id", WORD, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("fk_attempts_agent_id")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_attempts_job_id")),
        sa.ForeignKeyConstraint(["lease_id"], ["leases.id"], name=op.f("fk_attempts_lease_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
    )
    op.create_index("ix_attempts_job_id_frame", "attempts", ["job_id", "frame"])
    op.create_index("uq_attempts_lease_id_frame", "attempts", ["lease_id", "frame"], unique=True)
    op.create_index(
        "uq_attempts_lease_id_whole",
        "attempts",
        ["lease_id"],
        unique=True,
        sqlite_where=sa.text("frame IS NULL"),
        postgresql_where=sa.text("frame IS NULL"),
    )
    op.create_table(
        "chunks",
        sa.Column("id", IDENTITY, nullable=False),
        sa.Column("job_id", IDENTITY, nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.Column("frame_count", sa.Integer(), nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("lease_id", WORD, nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("min_blender", sa.Integer(), nullable=False),
        sa.CheckConstraint("(state = 'leased') = (lease_id IS NOT NULL)", name=op.f("ck_chunks_lease")),
        sa.CheckConstraint("state IN ('pending', 'leased', 'held')", name=op.f("ck_chunks_state")),
        sa.CheckConstraint(
            "first <= last AND frame_count BETWEEN 1 AND last - first + 1", name=op.f("ck_chunks_frames")
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_chunks_job_id")),
        sa.ForeignKeyConstraint(["lease_id"], ["leases.id"], name=op.f("fk_chunks_lease_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chunks")),
    )
    op.create_index(op.f("ix_chunks_lease_id"), "chunks", ["lease_id"])
    op.create_index(
        "ix_chunks_claim",
        "chunks",
        [sa.text("priority DESC"), "job_id", "first", "min_blender"],
        sqlite_where=PENDING,
        postgresql_where=PENDING,
    )
    op.create_index("uq_chunks_job_id_first", "chunks", ["job_id", "first"], unique=True)
    op.create_table(
        "frames",
        sa.Column("job_id", IDENTITY, nullable=False),
        sa.Column("frame", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", WORD, nullable=False),
        sa.Column("agent_id", IDENTITY, nullable=True),
        sa.Column("lease_id", WORD, nullable=True),
        sa.Column("output_sha256", DIGEST, nullable=True),
        sa.Column("output_size", sa.BigInteger(), nullable=True),
        sa.Column("preview_sha256", DIGEST, nullable=True),
        sa.Column("preview_size", sa.BigInteger(), nullable=True),
        sa.Column("display_sha256", DIGEST, nullable=True),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("peak_memory_bytes", sa.BigInteger(), nullable=True),
        sa.Column("blender", sa.String(length=32), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("(state = 'failed') = (reason IS NOT NULL)", name=op.f("ck_frames_failed")),
        sa.CheckConstraint(
            "(state = 'finished') = (output_sha256 IS NOT NULL AND output_size IS NOT NULL)",
            name=op.f("ck_frames_output"),
        ),
        sa.CheckConstraint(
            "(state = 'finished') = (preview_sha256 IS NOT NULL AND preview_size IS NOT NULL)",
            name=op.f("ck_frames_preview"),
        ),
        sa.CheckConstraint(
            "state <> 'finished' OR (agent_id IS NOT NULL AND lease_id IS NOT NULL AND seconds IS NOT NULL)",
            name=op.f("ck_frames_finished"),
        ),
        sa.CheckConstraint("state IN ('finished', 'failed')", name=op.f("ck_frames_state")),
        sa.CheckConstraint("attempts >= 1", name=op.f("ck_frames_attempts")),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("fk_frames_agent_id")),
        sa.ForeignKeyConstraint(["display_sha256"], ["blobs.sha256"], name=op.f("fk_frames_display_sha256")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_frames_job_id")),
        sa.ForeignKeyConstraint(["lease_id"], ["leases.id"], name=op.f("fk_frames_lease_id")),
        sa.ForeignKeyConstraint(["output_sha256"], ["blobs.sha256"], name=op.f("fk_frames_output_sha256")),
        sa.ForeignKeyConstraint(["preview_sha256"], ["blobs.sha256"], name=op.f("fk_frames_preview_sha256")),
        sa.PrimaryKeyConstraint("job_id", "frame", name=op.f("pk_frames")),
    )
    op.create_index(
        "ix_frames_failed",
        "frames",
        ["job_id", "frame"],
        sqlite_where=sa.text("state = 'failed'"),
        postgresql_where=sa.text("state = 'failed'"),
    )
