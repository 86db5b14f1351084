"""The tables, with CHECKs that repeat what they can of the invariants in docs/ARCHITECTURE.md.

The migrations build the same schema step by step; a test compares the two on every database.
"""

import enum

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    text,
)

from coordinator.db.types import Instant, JsonTuple, PlainText, Word
from coordinator.domain.model import (
    AgentState,
    Blank,
    ChunkState,
    FrameState,
    JobState,
    LeaseEnd,
    LeaseState,
    SoundState,
    TokenKind,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def one_of(column: str, kind: type[enum.StrEnum]) -> CheckConstraint:
    """Return the CHECK that holds ``column`` to the words of ``kind``."""
    words = ", ".join(f"'{word}'" for word in kind)
    return CheckConstraint(f"{column} IN ({words})", name=column)


# SQLite counts rows by itself only in a column of type INTEGER.
Identity = BigInteger().with_variant(Integer(), "sqlite")
Digest = String(64)

blobs = Table(
    "blobs",
    metadata,
    Column("sha256", Digest, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("stored_at", Instant, nullable=False),
    CheckConstraint("size >= 0", name="size"),
)

packs = Table(
    "packs",
    metadata,
    Column("id", Digest, primary_key=True),
    Column("manifest", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False),
)

# A pack is known before its blobs are in, so sha256 refers to nothing.
pack_blobs = Table(
    "pack_blobs",
    metadata,
    Column("pack_id", ForeignKey("packs.id"), primary_key=True),
    Column("sha256", Digest, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Index(None, "sha256"),
)

agents = Table(
    "agents",
    metadata,
    Column("id", Identity, primary_key=True),
    Column("name", PlainText, nullable=False, unique=True),
    Column("state", Word(AgentState), nullable=False),
    Column("software_version", PlainText, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("hardware", PlainText, nullable=False),
    Column("blenders", PlainText, nullable=False),
    Column("tags", PlainText, nullable=False),
    Column("pools", PlainText, nullable=False),
    Column("engines", PlainText, nullable=False),
    Column("device", String(16), nullable=False),
    Column("platform", String(16), nullable=False),
    Column("ram_bytes", BigInteger, nullable=False),
    Column("vram_bytes", BigInteger),
    Column("max_blender", Integer, nullable=False),
    Column("speed", Float, nullable=False),
    Column("speed_count", Integer, nullable=False),
    Column("set_aside", PlainText),
    Column("set_aside_at", Instant),
    Column("sandboxed", Boolean, nullable=False),
    Column("drained", Boolean, nullable=False),
    Column("resting", PlainText),
    Column("telemetry", PlainText),
    Column("registered_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    one_of("state", AgentState),
    CheckConstraint("slots BETWEEN 1 AND 64", name="slots"),
    CheckConstraint("speed > 0", name="speed"),
    CheckConstraint("(set_aside IS NULL) = (set_aside_at IS NULL)", name="set_aside"),
)

users = Table(
    "users",
    metadata,
    Column("name", PlainText, primary_key=True),
    Column("vtime", Float, nullable=False),
    Column("max_slots", Integer),
    Column("scripts", Boolean, nullable=False),
    CheckConstraint("max_slots IS NULL OR max_slots >= 1", name="max_slots"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Identity, primary_key=True),
    Column("kind", Word(TokenKind), nullable=False),
    Column("name", PlainText, nullable=False),
    Column("digest", Digest, nullable=False, unique=True),
    Column("agent_id", ForeignKey("agents.id"), index=True),
    Column("single_use", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
    one_of("kind", TokenKind),
    CheckConstraint("(kind = 'agent') = (agent_id IS NOT NULL)", name="agent"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Identity, primary_key=True),
    Column("name", PlainText, nullable=False),
    Column("pack_id", ForeignKey("packs.id"), nullable=False, index=True),
    Column("frames", PlainText, nullable=False),
    Column("frame_count", Integer, nullable=False),
    Column("state", Word(JobState), nullable=False),
    Column("reason", PlainText),
    Column("priority", Integer, nullable=False),
    Column("min_blender", Integer, nullable=False),
    Column("needs", PlainText, nullable=False),
    Column("ram_needed", BigInteger, nullable=False),
    Column("vram_needed", BigInteger, nullable=False),
    Column("max_slots", Integer),
    Column("chunk_frames", Integer),
    Column("target_seconds", Float, nullable=False),
    Column("hedge", Boolean, nullable=False),
    Column("first_look", Boolean, nullable=False),
    Column("looks", Integer, nullable=False),
    Column("stop_after", Integer, nullable=False),
    Column("stop_on_missing", Boolean, nullable=False),
    Column("cpu_fallback", Boolean, nullable=False),
    Column("max_retries", Integer, nullable=False),
    Column("video", Boolean, nullable=False),
    Column("render", PlainText, nullable=False),
    Column("output", PlainText, nullable=False),
    Column("warnings", JsonTuple, nullable=False),
    # A submission sent again, because its answer was lost, must not make a second job.
    Column("submission", String(32), unique=True),
    Column("created_by", ForeignKey("users.name"), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("ended_at", Instant),
    Column("finished", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("whole_failures", Integer, nullable=False),
    Column("latest_frame", Integer),
    Column("costs", PlainText, nullable=False),
    Column("pending", Integer, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("speed", Float, nullable=False),
    Column("vtime", Float, nullable=False),
    Column("granted_at", Instant),
    Column("width", Integer),
    Column("height", Integer),
    Column("sound_state", Word(SoundState), nullable=False),
    # No foreign key: leases refer to jobs, and a lease that ended is taken off here.
    Column("sound_lease_id", String(16)),
    Column("sound_failures", Integer, nullable=False),
    Column("sound_sha256", ForeignKey("blobs.sha256")),
    Column("video_sha256", ForeignKey("blobs.sha256")),
    Column("stitch_claim", String(16)),
    Column("stitch_expires_at", Instant),
    Column("stitch_claims", Integer, nullable=False),
    one_of("state", JobState),
    CheckConstraint("priority BETWEEN 0 AND 100", name="priority"),
    CheckConstraint("frame_count >= 1", name="frame_count"),
    CheckConstraint(
        "finished >= 0 AND failed >= 0 AND pending >= 0 AND finished + failed + pending <= frame_count", name="counters"
    ),
    CheckConstraint("pending = 0 OR state IN ('queued', 'running')", name="pending"),
    CheckConstraint("slots >= 0 AND (slots = 0 OR state IN ('running', 'paused'))", name="slots"),
    CheckConstraint("max_slots IS NULL OR max_slots >= 1", name="max_slots"),
    CheckConstraint("chunk_frames IS NULL OR chunk_frames >= 1", name="chunk_frames"),
    CheckConstraint("target_seconds > 0", name="target_seconds"),
    CheckConstraint("state NOT IN ('stitching', 'completed') OR finished = frame_count", name="complete"),
    CheckConstraint("state <> 'completed' OR NOT video OR video_sha256 IS NOT NULL", name="video"),
    CheckConstraint("state <> 'stitching' OR video", name="stitching"),
    CheckConstraint("(state IN ('completed', 'failed', 'cancelled')) = (ended_at IS NOT NULL)", name="ended"),
    CheckConstraint("(state = 'failed') = (reason IS NOT NULL)", name="reason"),
    one_of("sound_state", SoundState),
    CheckConstraint("(sound_state = 'ready') = (sound_sha256 IS NOT NULL)", name="sound_ready"),
    CheckConstraint("sound_lease_id IS NULL OR sound_state = 'wanted'", name="sound_lease"),
    CheckConstraint("(stitch_claim IS NULL) = (stitch_expires_at IS NULL)", name="stitch_claim"),
    CheckConstraint("stitch_claim IS NULL OR state = 'stitching'", name="stitch_state"),
    Index("ix_jobs_state_id", "state", "id"),
)

leases = Table(
    "leases",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("job_id", ForeignKey("jobs.id"), nullable=False),
    Column("agent_id", ForeignKey("agents.id"), nullable=False),
    Column("slot", Integer, nullable=False),
    Column("state", Word(LeaseState), nullable=False),
    Column("end_reason", Word(LeaseEnd)),
    Column("granted_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("stage", String(16)),
    Column("frame", Integer),
    Column("frame_since", Instant),
    Column("progress", Float, nullable=False),
    Column("remaining_seconds", Float),
    Column("memory_bytes", BigInteger),
    Column("speed", Float, nullable=False),
    Column("load_seconds", Float, nullable=False),
    Column("charged", Float, nullable=False),
    Column("used", Float, nullable=False),
    one_of("state", LeaseState),
    CheckConstraint("(state = 'ended') = (end_reason IS NOT NULL AND ended_at IS NOT NULL)", name="ended"),
    one_of("end_reason", LeaseEnd),
    CheckConstraint("progress BETWEEN 0 AND 1", name="progress"),
    # The reaper, the slots and the jobs look at live leases only; the ended ones are history.
    Index(
        "ix_leases_expiry", "expires_at", sqlite_where=text("state = 'live'"), postgresql_where=text("state = 'live'")
    ),
    Index(
        "ix_leases_slot",
        "agent_id",
        "slot",
        sqlite_where=text("state = 'live'"),
        postgresql_where=text("state = 'live'"),
    ),
    Index("ix_leases_job", "job_id", sqlite_where=text("state = 'live'"), postgresql_where=text("state = 'live'")),
    # What an agent was ever given tells what it may read.
    Index("ix_leases_agent_job", "agent_id", "job_id"),
)

chunks = Table(
    "chunks",
    metadata,
    Column("id", Identity, primary_key=True),
    Column("job_id", ForeignKey("jobs.id"), nullable=False),
    Column("first", Integer, nullable=False),
    Column("last", Integer, nullable=False),
    Column("frame_count", Integer, nullable=False),
    Column("state", Word(ChunkState), nullable=False),
    Column("lease_id", ForeignKey("leases.id"), index=True),
    Column("hedge_lease_id", ForeignKey("leases.id"), index=True),
    Column("avoid_agent_id", ForeignKey("agents.id")),
    one_of("state", ChunkState),
    CheckConstraint("(state = 'leased') = (lease_id IS NOT NULL)", name="lease"),
    CheckConstraint("hedge_lease_id IS NULL OR (state = 'leased' AND frame_count = 1)", name="hedge"),
    CheckConstraint("first <= last AND frame_count BETWEEN 1 AND last - first + 1", name="frames"),
    Index("uq_chunks_job_id_first", "job_id", "first", unique=True),
    # A job of ten thousand leased frames and a pending one: the next frame to lease is found at once.
    Index(
        "ix_chunks_pending",
        "job_id",
        "first",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
)

frames = Table(
    "frames",
    metadata,
    Column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("frame", Integer, primary_key=True, autoincrement=False),
    Column("state", Word(FrameState), nullable=False),
    Column("agent_id", ForeignKey("agents.id")),
    Column("lease_id", ForeignKey("leases.id")),
    Column("output_sha256", ForeignKey("blobs.sha256")),
    Column("output_size", BigInteger),
    Column("preview_sha256", ForeignKey("blobs.sha256")),
    Column("preview_size", BigInteger),
    Column("display_sha256", ForeignKey("blobs.sha256")),
    Column("seconds", Float),
    Column("peak_memory_bytes", BigInteger),
    Column("peak_gpu_memory_bytes", BigInteger),
    Column("blender", String(32)),
    Column("blank", Word(Blank)),
    Column("doubt", PlainText),
    Column("reason", PlainText),
    Column("attempts", Integer, nullable=False),
    Column("ended_at", Instant, nullable=False),
    one_of("state", FrameState),
    CheckConstraint(
        "state <> 'finished' OR (agent_id IS NOT NULL AND lease_id IS NOT NULL AND seconds IS NOT NULL)",
        name="finished",
    ),
    CheckConstraint(
        "(state = 'finished') = (output_sha256 IS NOT NULL AND output_size IS NOT NULL)",
        name="output",
    ),
    CheckConstraint(
        "(state = 'finished') = (preview_sha256 IS NOT NULL AND preview_size IS NOT NULL)",
        name="preview",
    ),
    CheckConstraint("(state = 'failed') = (reason IS NOT NULL)", name="failed"),
    one_of("blank", Blank),
    CheckConstraint("attempts >= 1", name="attempts"),
    Index(
        "ix_frames_failed",
        "job_id",
        "frame",
        sqlite_where=text("state = 'failed'"),
        postgresql_where=text("state = 'failed'"),
    ),
)
extra_files = Table(
    "extra_files",
    metadata,
    Column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("frame", Integer, primary_key=True, autoincrement=False),
    # Where a File Output node of the scene would have put it, below the frame's folder.
    Column("path", PlainText, primary_key=True),
    Column("sha256", ForeignKey("blobs.sha256"), nullable=False),
    Column("size", BigInteger, nullable=False),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Identity, primary_key=True),
    Column("job_id", ForeignKey("jobs.id"), nullable=False),
    # NULL: the whole job could not be rendered.
    Column("frame", Integer),
    Column("agent_id", ForeignKey("agents.id"), nullable=False),
    Column("lease_id", ForeignKey("leases.id"), nullable=False),
    Column("code", PlainText, nullable=False),
    Column("message", PlainText, nullable=False),
    Column("at", Instant, nullable=False),
    # Of a frame that was requeued since: kept as a record, counted no more.
    Column("voided", Boolean, nullable=False),
    Index("ix_attempts_job_id_frame", "job_id", "frame"),
    # The same failure told twice counts once.
    Index("uq_attempts_lease_id_frame", "lease_id", "frame", unique=True),
    Index(
        "uq_attempts_lease_id_whole",
        "lease_id",
        unique=True,
        sqlite_where=text("frame IS NULL"),
        postgresql_where=text("frame IS NULL"),
    ),
)

set_asides = Table(
    "set_asides",
    metadata,
    Column("agent_id", ForeignKey("agents.id"), primary_key=True),
    Column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("reason", PlainText, nullable=False),
    Column("at", Instant, nullable=False),
    Index(None, "job_id"),
)

job_dependencies = Table(
    "job_dependencies",
    metadata,
    Column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("after_id", ForeignKey("jobs.id"), primary_key=True),
    CheckConstraint("after_id < job_id", name="order"),
    Index(None, "after_id"),
)

events = Table(
    "events",
    metadata,
    Column("id", Identity, primary_key=True),
    Column("job_id", ForeignKey("jobs.id")),
    Column("agent_id", ForeignKey("agents.id")),
    Column("at", Instant, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("message", PlainText, nullable=False),
    Column("data", PlainText, nullable=False),
    CheckConstraint("job_id IS NOT NULL OR agent_id IS NOT NULL", name="subject"),
    Index("ix_events_job_id_id", "job_id", "id"),
    Index("ix_events_agent_id_id", "agent_id", "id"),
)
