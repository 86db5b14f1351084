"""What scenes are made of: blobs and packs."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
)

from coordinator.db.schema.base import Digest, metadata, one_of, partial_index
from coordinator.db.types import Instant, PlainText, Word
from coordinator.domain.inspections import InspectionState

blobs = Table(
    "blobs",
    metadata,
    Column("sha256", Digest, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("stored_at", Instant, nullable=False),
    # When it was uploaded last: what no one refers to is kept for a while from then on.
    Column("touched_at", Instant, nullable=False),
    # It is to be removed, and until it is uploaded again no one may count on it.
    Column("condemned_at", Instant),
    CheckConstraint("size >= 0", name="size"),
    partial_index("ix_blobs_condemned", "condemned_at", where="condemned_at IS NOT NULL"),
)

packs = Table(
    "packs",
    metadata,
    Column("id", Digest, primary_key=True),
    # NULL: its files were removed, and jobs that had them have its name only.
    Column("manifest", LargeBinary),
    Column("size", BigInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    # When it was announced last: a job is expected to follow.
    Column("touched_at", Instant, nullable=False),
    CheckConstraint("size >= 0", name="size"),
    Index("ix_packs_touched_at", "touched_at"),
    partial_index("ix_packs_removed", "id", where="manifest IS NULL"),
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

# What agents found in the .blend of packs.  It goes with its pack.
inspections = Table(
    "inspections",
    metadata,
    Column("pack_id", ForeignKey("packs.id", ondelete="CASCADE"), primary_key=True),
    Column("state", Word(InspectionState), nullable=False),
    # As a number (domain.versions) of the oldest Blender that can look into it; 0: any.
    Column("min_blender", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("asked_at", Instant, nullable=False),
    # Who looks into it, or did so last: that agent may read the pack.
    Column("agent_id", ForeignKey("agents.id"), index=True),
    Column("claim", String(16), unique=True),
    Column("expires_at", Instant),
    Column("stage", String(16)),
    Column("findings", LargeBinary),
    Column("reason", PlainText),
    one_of("state", InspectionState),
    CheckConstraint("attempts >= 0 AND min_blender >= 0", name="counts"),
    CheckConstraint("(state = 'running') = (claim IS NOT NULL AND expires_at IS NOT NULL)", name="claim"),
    CheckConstraint("state <> 'running' OR agent_id IS NOT NULL", name="agent"),
    CheckConstraint("(state = 'done') = (findings IS NOT NULL)", name="findings"),
    CheckConstraint("(state = 'failed') = (reason IS NOT NULL)", name="reason"),
    partial_index("ix_inspections_waiting", "asked_at", where="state = 'waiting'"),
    partial_index("ix_inspections_running", "expires_at", where="state = 'running'"),
)
