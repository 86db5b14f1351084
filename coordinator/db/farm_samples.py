"""Queries on what the farm did, minute by minute and hour by hour."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, select, text

from coordinator.db.schema import farm_samples
from coordinator.db.statement import Command, records
from coordinator.db.types import Instant

# Several coordinators of one farm add to the same row, each what it has seen.
_ADD = text(
    "INSERT INTO farm_samples (span, at, frames, samples, slots, busy, pending, jobs)"
    " VALUES (:span, :at, :frames, 1, :slots, :busy, :pending, :jobs)"
    " ON CONFLICT (span, at) DO UPDATE SET frames = farm_samples.frames + excluded.frames,"
    " samples = farm_samples.samples + 1, slots = farm_samples.slots + excluded.slots,"
    " busy = farm_samples.busy + excluded.busy, pending = farm_samples.pending + excluded.pending,"
    " jobs = farm_samples.jobs + excluded.jobs"
).bindparams(bindparam("at", type_=Instant))


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmSample:
    """What the farm did in a minute or an hour.  All but ``frames`` are sums over ``samples`` looks at it."""

    span: int
    """Seconds."""
    at: datetime
    """When it began."""
    frames: int
    """How many were finished."""
    samples: int
    slots: int
    busy: int
    pending: int
    """Frames that waited."""
    jobs: int
    """Jobs that had not ended."""


_SINCE = records(
    select(farm_samples)
    .where(farm_samples.c.span == bindparam("of_span"), farm_samples.c.at >= bindparam("since"))
    .order_by(farm_samples.c.at),
    FarmSample,
)
_FORGET = Command(
    delete(farm_samples).where(farm_samples.c.span == bindparam("of_span"), farm_samples.c.at < bindparam("before"))
)


def add(
    conn: Connection, span: int, at: datetime, *, frames: int, slots: int, busy: int, pending: int, jobs: int
) -> None:
    """Add a look at the farm to the span that began then."""
    values = {"span": span, "at": at, "frames": frames, "slots": slots, "busy": busy, "pending": pending, "jobs": jobs}
    conn.execute(_ADD, values)


def since(conn: Connection, span: int, at: datetime) -> list[FarmSample]:
    """Return the spans of a length since then, oldest first."""
    return _SINCE.all(conn, of_span=span, since=at)


def forget(conn: Connection, span: int, before: datetime) -> None:
    """Drop older ones."""
    _FORGET.run(conn, of_span=span, before=before)
