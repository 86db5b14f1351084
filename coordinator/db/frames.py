"""Queries on frames that have ended."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, insert, literal_column, select

from coordinator.db.schema import frames
from coordinator.domain.model import Frame, FrameState


def insert_frame(conn: Connection, **values: Any) -> None:
    """Record how a frame ended."""
    conn.execute(insert(frames).values(**values))


def get(conn: Connection, job_id: int, frame: int) -> Frame | None:
    """Return a frame that has ended."""
    query = select(frames).where(frames.c.job_id == job_id, frames.c.frame == frame)
    row = conn.execute(query).mappings().one_or_none()
    return Frame(**row) if row else None


def page(conn: Connection, job_id: int, after: int | None, limit: int) -> list[Frame]:
    """Return up to ``limit`` ended frames past ``after``, in order."""
    query = select(frames).where(frames.c.job_id == job_id).order_by(frames.c.frame).limit(limit)
    if after is not None:
        query = query.where(frames.c.frame > after)
    return [Frame(**row) for row in conn.execute(query).mappings()]


def failed(conn: Connection, job_id: int, limit: int) -> list[Frame]:
    """Return the first ``limit`` frames that failed for good."""
    query = (
        select(frames)
        .where(frames.c.job_id == job_id, frames.c.state == literal_column("'failed'"))
        .order_by(frames.c.frame)
        .limit(limit)
    )
    return [Frame(**row) for row in conn.execute(query).mappings()]


def pictures(conn: Connection, job_id: int, after: int | None, limit: int) -> Sequence[tuple[int, str]]:
    """Return (frame, digest) of the files to make a video of: the display file where there is one."""
    query = (
        select(frames.c.frame, func.coalesce(frames.c.display_sha256, frames.c.output_sha256))
        .where(frames.c.job_id == job_id, frames.c.state == FrameState.FINISHED)
        .order_by(frames.c.frame)
        .limit(limit)
    )
    if after is not None:
        query = query.where(frames.c.frame > after)
    return [(frame, sha256) for frame, sha256 in conn.execute(query)]
