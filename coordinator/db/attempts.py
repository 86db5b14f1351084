"""Queries on failed attempts."""

from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from coordinator.db.schema import attempts


def insert_attempt(
    conn: Connection,
    *,
    job_id: int,
    frame: int | None,
    agent_id: int,
    lease_id: str,
    code: str,
    message: str,
    at: datetime,
) -> int:
    """Record a failed attempt and return how many there are of this frame (``None``: of the whole job)."""
    conn.execute(
        insert(attempts).values(
            job_id=job_id, frame=frame, agent_id=agent_id, lease_id=lease_id, code=code, message=message, at=at
        )
    )
    return count(conn, job_id, frame)


def count(conn: Connection, job_id: int, frame: int | None) -> int:
    """Return how often a frame (``None``: the whole job) failed."""
    same = attempts.c.frame.is_(None) if frame is None else attempts.c.frame == frame
    query = select(func.count()).select_from(attempts).where(attempts.c.job_id == job_id, same)
    return int(conn.execute(query).scalar_one())
