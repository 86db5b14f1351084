"""What happened: failed attempts, who was set aside, which job waits for which, and the events."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
)

from coordinator.db.schema.base import Identity, metadata, partial_index
from coordinator.db.types import Instant, PlainText

#: Leaves out what happens with every frame and lease: of these a job has as many as frames.
NOTABLE_EVENT = "kind NOT IN ('frame_finished', 'lease_granted', 'lease_ended', 'tail_taken_over', 'frame_hedged')"

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
    partial_index("uq_attempts_lease_id_whole", "lease_id", where="frame IS NULL", unique=True),
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
    # Among 100,000 frames' events, the few others are found at once.
    partial_index("ix_events_notable", "job_id", "id", where=NOTABLE_EVENT),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Identity, primary_key=True),
    Column("kind", String(32), nullable=False),
    # No foreign keys: who is told of a job that was deleted meanwhile is told all the same.
    Column("job_id", BigInteger),
    Column("agent_id", BigInteger),
    # NULL: something happened, and whom to tell is to be found out.
    Column("target", PlainText),
    Column("payload", PlainText, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", Instant, nullable=False, index=True),
    Column("created_at", Instant, nullable=False),
    CheckConstraint("attempts >= 0", name="attempts"),
)

farm_samples = Table(
    "farm_samples",
    metadata,
    # Seconds: a minute, or an hour.
    Column("span", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, primary_key=True, autoincrement=False),
    Column("frames", BigInteger, nullable=False),
    Column("samples", BigInteger, nullable=False),
    Column("slots", BigInteger, nullable=False),
    Column("busy", BigInteger, nullable=False),
    Column("pending", BigInteger, nullable=False),
    Column("jobs", BigInteger, nullable=False),
    CheckConstraint("samples >= 1", name="samples"),
)
