"""Queries on failed attempts.  Those from before a requeue are kept as a record and counted no more."""

from datetime import datetime

from sqlalchemy import Connection, bindparam, distinct, func, insert, literal_column, select, update

from coordinator.db.schema import attempts, frames
from coordinator.db.statement import Command, bound, records, scalars
from coordinator.domain.model import Attempt

_COLUMNS = (
    attempts.c.job_id,
    attempts.c.frame,
    attempts.c.agent_id,
    attempts.c.lease_id,
    attempts.c.code,
    attempts.c.message,
)
_COUNTED = attempts.c.voided.is_(False)

_INSERT = Command(
    insert(attempts)
    .values(bound(("job_id", "frame", "agent_id", "lease_id", "code", "message", "at")))
    .values(voided=False)
)
_COUNT = scalars(
    select(func.count())
    .select_from(attempts)
    .where(attempts.c.job_id == bindparam("job_id"), attempts.c.frame == bindparam("frame"), _COUNTED),
    int,
)
_OF_FRAME = records(
    select(*_COLUMNS)
    .where(attempts.c.job_id == bindparam("job_id"), attempts.c.frame == bindparam("frame"), _COUNTED)
    .order_by(attempts.c.id),
    Attempt,
)
_OF_WHOLE = records(
    select(*_COLUMNS)
    .where(attempts.c.job_id == bindparam("job_id"), attempts.c.frame.is_(None), _COUNTED)
    .order_by(attempts.c.id),
    Attempt,
)
_OF_FRAMES = records(
    select(*_COLUMNS)
    .where(attempts.c.job_id == bindparam("job_id"), attempts.c.frame.is_not(None), _COUNTED)
    .order_by(attempts.c.id)
    .limit(bindparam("limit")),
    Attempt,
)
_WITH_CODE = records(
    select(*_COLUMNS)
    .where(
        attempts.c.job_id == bindparam("job_id"),
        attempts.c.frame.between(bindparam("first"), bindparam("last")),
        attempts.c.code == bindparam("code"),
        _COUNTED,
    )
    .order_by(attempts.c.id),
    Attempt,
)
_LATEST = scalars(
    select(func.max(attempts.c.at)).where(
        attempts.c.job_id == bindparam("job_id"), attempts.c.frame == bindparam("frame")
    ),
    datetime,
)
_OUTDONE = scalars(
    select(func.count(distinct(attempts.c.frame)))
    .join(frames, (frames.c.job_id == attempts.c.job_id) & (frames.c.frame == attempts.c.frame))
    .where(
        attempts.c.job_id == bindparam("job_id"),
        attempts.c.agent_id == bindparam("agent_id"),
        _COUNTED,
        frames.c.state == literal_column("'finished'"),
        # One in which there is nothing to be seen outdoes nobody.
        frames.c.blank.is_(None),
        frames.c.agent_id != attempts.c.agent_id,
    ),
    int,
)


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
) -> None:
    """Record a failed attempt at a frame, or at the whole job (``frame`` None)."""
    _INSERT.must(
        conn, job_id=job_id, frame=frame, agent_id=agent_id, lease_id=lease_id, code=code, message=message, at=at
    )


def count(conn: Connection, job_id: int, frame: int) -> int:
    """Return how often a frame failed."""
    return _COUNT.one(conn, job_id=job_id, frame=frame)


def of_frame(conn: Connection, job_id: int, frame: int | None) -> list[Attempt]:
    """Return the failed attempts at a frame, or at the whole job (None), the oldest first."""
    if frame is None:
        return _OF_WHOLE.all(conn, job_id=job_id)
    return _OF_FRAME.all(conn, job_id=job_id, frame=frame)


def record_of_frame(conn: Connection, job_id: int, frame: int) -> list[tuple[datetime, int, str, str, bool]]:
    """Return when, by which agent, why (code and message) a frame failed, and whether it counts; the oldest first."""
    query = (
        select(attempts.c.at, attempts.c.agent_id, attempts.c.code, attempts.c.message, attempts.c.voided)
        .where(attempts.c.job_id == job_id, attempts.c.frame == frame)
        .order_by(attempts.c.id)
    )
    return [(row[0], row[1], row[2], row[3], not row[4]) for row in conn.execute(query)]


def of_frames(conn: Connection, job_id: int, limit: int) -> list[Attempt]:
    """Return the first failed attempts at any frame of a job."""
    return _OF_FRAMES.all(conn, job_id=job_id, limit=limit)


def with_code(conn: Connection, job_id: int, first: int, last: int, code: str) -> list[Attempt]:
    """Return the attempts at the frames from ``first`` to ``last`` that failed with this code, the oldest first."""
    return _WITH_CODE.all(conn, job_id=job_id, first=first, last=last, code=code)


def latest(conn: Connection, job_id: int, frame: int) -> datetime | None:
    """Return when a frame failed last."""
    return _LATEST.one_or_none(conn, job_id=job_id, frame=frame)


def outdone(conn: Connection, job_id: int, agent_id: int) -> int:
    """Return how many frames of a job the agent failed that another agent rendered."""
    return _OUTDONE.one(conn, job_id=job_id, agent_id=agent_id)


def void(conn: Connection, job_id: int, first: int, last: int) -> None:
    """Count the attempts at frames from ``first`` to ``last`` no more."""
    query = update(attempts).where(attempts.c.job_id == job_id, attempts.c.frame.between(first, last))
    conn.execute(query.values(voided=True))


def void_whole(conn: Connection, job_id: int) -> None:
    """Count the attempts at a job as a whole no more."""
    conn.execute(update(attempts).where(attempts.c.job_id == job_id, attempts.c.frame.is_(None)).values(voided=True))
