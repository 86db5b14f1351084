"""What is to be rendered, who renders it, and what became of it."""

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
    String,
    Table,
)

from coordinator.db.schema.base import Identity, metadata, one_of, partial_index
from coordinator.db.types import Instant, JsonTuple, PlainText, SortedText, Word
from coordinator.domain.model import Blank, ChunkState, FrameState, JobState, LeaseEnd, LeaseState, Removal, SoundState

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
    # E-mail addresses.
    Column("notify", JsonTuple, nullable=False),
    Column("search", SortedText, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("ended_at", Instant),
    Column("finished", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("blank", Integer, nullable=False),
    Column("doubtful", Integer, nullable=False),
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
    # Its files are never removed but by a person.
    Column("keep", Boolean, nullable=False),
    # What its files take, without its pack, once it has ended and they were counted.
    Column("bytes", BigInteger),
    Column("files_swept_at", Instant),
    # What is still to be removed of it; one that goes altogether is shown to no one any more.
    Column("removal", Word(Removal)),
    one_of("state", JobState),
    CheckConstraint("priority BETWEEN 0 AND 100", name="priority"),
    CheckConstraint("frame_count >= 1", name="frame_count"),
    CheckConstraint(
        "finished >= 0 AND failed >= 0 AND pending >= 0 AND finished + failed + pending <= frame_count", name="counters"
    ),
    CheckConstraint("blank BETWEEN 0 AND finished AND doubtful BETWEEN 0 AND finished", name="doubts"),
    CheckConstraint("pending = 0 OR state IN ('queued', 'running')", name="pending"),
    CheckConstraint("slots >= 0 AND (slots = 0 OR state IN ('running', 'paused'))", name="slots"),
    CheckConstraint("max_slots IS NULL OR max_slots >= 1", name="max_slots"),
    CheckConstraint("chunk_frames IS NULL OR chunk_frames >= 1", name="chunk_frames"),
    CheckConstraint("target_seconds > 0", name="target_seconds"),
    CheckConstraint("state NOT IN ('stitching', 'completed') OR finished = frame_count", name="complete"),
    CheckConstraint(
        "state <> 'completed' OR NOT video OR video_sha256 IS NOT NULL OR files_swept_at IS NOT NULL", name="video"
    ),
    CheckConstraint("state <> 'stitching' OR video", name="stitching"),
    CheckConstraint("(state IN ('completed', 'failed', 'cancelled')) = (ended_at IS NOT NULL)", name="ended"),
    CheckConstraint("(state = 'failed') = (reason IS NOT NULL)", name="reason"),
    one_of("sound_state", SoundState),
    CheckConstraint(
        "(sound_state = 'ready' AND files_swept_at IS NULL) = (sound_sha256 IS NOT NULL)", name="sound_ready"
    ),
    CheckConstraint("sound_lease_id IS NULL OR sound_state = 'wanted'", name="sound_lease"),
    CheckConstraint("(stitch_claim IS NULL) = (stitch_expires_at IS NULL)", name="stitch_claim"),
    CheckConstraint("stitch_claim IS NULL OR state = 'stitching'", name="stitch_state"),
    CheckConstraint("files_swept_at IS NULL OR (ended_at IS NOT NULL AND video_sha256 IS NULL)", name="swept"),
    CheckConstraint("NOT keep OR files_swept_at IS NULL", name="keep"),
    one_of("removal", Removal),
    CheckConstraint("removal IS NULL OR files_swept_at IS NOT NULL", name="removal_swept"),
    Index("ix_jobs_state_id", "state", "id"),
    # Each has all that the list of jobs asks about: db/job_list.py. What changes with every frame is in none of them.
    Index("ix_jobs_by_id", "id", "state", "created_by", "created_at", "search"),
    Index("ix_jobs_by_priority", "priority", "id", "state", "created_by", "created_at", "search"),
    Index("ix_jobs_by_name", "search", "id", "state", "created_by", "created_at"),
    partial_index(
        "ix_jobs_by_end",
        *("ended_at", "id", "state", "created_by", "created_at", "search"),
        where="ended_at IS NOT NULL",
    ),
    partial_index("ix_jobs_removal", "id", where="removal IS NOT NULL"),
    # Who refers to a blob is asked before it is removed.
    partial_index("ix_jobs_sound_sha256", "sound_sha256", where="sound_sha256 IS NOT NULL"),
    partial_index("ix_jobs_video_sha256", "video_sha256", where="video_sha256 IS NOT NULL"),
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
    Column("finished", Integer, nullable=False),
    one_of("state", LeaseState),
    CheckConstraint("(state = 'ended') = (end_reason IS NOT NULL AND ended_at IS NOT NULL)", name="ended"),
    one_of("end_reason", LeaseEnd),
    CheckConstraint("progress BETWEEN 0 AND 1", name="progress"),
    # The reaper, the slots and the jobs look at live leases only; the ended ones are history.
    partial_index("ix_leases_expiry", "expires_at", where="state = 'live'"),
    partial_index("ix_leases_slot", "agent_id", "slot", where="state = 'live'"),
    partial_index("ix_leases_job", "job_id", where="state = 'live'"),
    # What an agent was ever given tells what it may read.
    Index("ix_leases_job_agent", "job_id", "agent_id"),
    # How an agent did lately.
    Index("ix_leases_agent_granted", "agent_id", "granted_at"),
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
    partial_index("ix_chunks_pending", "job_id", "first", where="state = 'pending'"),
)

frames = Table(
    "frames",
    metadata,
    Column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("frame", Integer, primary_key=True, autoincrement=False),
    Column("state", Word(FrameState), nullable=False),
    Column("agent_id", ForeignKey("agents.id")),
    # No foreign key: all frames would be searched for each lease that is removed with its job.
    Column("lease_id", String(16)),
    Column("output_sha256", ForeignKey("blobs.sha256")),
    Column("output_size", BigInteger),
    Column("preview_sha256", ForeignKey("blobs.sha256")),
    Column("preview_size", BigInteger),
    Column("display_sha256", ForeignKey("blobs.sha256")),
    Column("seconds", Float),
    Column("peak_memory_bytes", BigInteger),
    Column("peak_gpu_memory_bytes", BigInteger),
    Column("energy_joules", Float),
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
    partial_index("ix_frames_failed", "job_id", "frame", where="state = 'failed'"),
    partial_index("ix_frames_doubtful", "job_id", "frame", where="doubt IS NOT NULL"),
    # Who refers to a blob is asked before it is removed.
    Index("ix_frames_output_sha256", "output_sha256", "job_id"),
    Index("ix_frames_preview_sha256", "preview_sha256", "job_id"),
    partial_index("ix_frames_display_sha256", "display_sha256", "job_id", where="display_sha256 IS NOT NULL"),
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
    Index("ix_extra_files_sha256", "sha256", "job_id"),
)

frame_logs = Table(
    "frame_logs",
    metadata,
    Column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("frame", Integer, primary_key=True, autoincrement=False),
    # What Blender said of the frame, packed (db/frame_logs.py).  Beside the frames: those are read by the thousand.
    Column("packed", LargeBinary, nullable=False),
)
