"""Queries on frames that have ended."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, insert, literal_column, select, update

from coordinator.db.schema import frames
from coordinator.db.statement import Command, Query, bound, records
from coordinator.domain.model import Frame, FrameState

#: Digits of a digest that tell one picture of a frame from the next.
VERSION_DIGITS = 6

MapRow = tuple[int, FrameState, int | None, float | None, str | None, bool]
"""Frame, state, agent, seconds, the beginning of its digest, and whether it is doubted."""

_INSERT = Command(insert(frames).values(bound(frames.c.keys())), job="job_id")
_NOTHING: dict[str, Any] = dict.fromkeys(frames.c.keys())
_GET = records(
    select(frames).where(frames.c.job_id == bindparam("job_id"), frames.c.frame == bindparam("frame")), Frame
)

_FINISHED_BETWEEN = records(
    select(frames)
    .where(
        frames.c.job_id == bindparam("job_id"),
        frames.c.frame.between(bindparam("first"), bindparam("last")),
        frames.c.state == literal_column("'finished'"),
    )
    .order_by(frames.c.frame),
    Frame,
)
_MAP = Query(
    select(
        frames.c.frame,
        frames.c.state,
        frames.c.agent_id,
        frames.c.seconds,
        func.substr(frames.c.output_sha256, 1, VERSION_DIGITS),
        frames.c.doubt.is_not(None),
    )
    .where(frames.c.job_id == bindparam("job_id"))
    .order_by(frames.c.frame),
    lambda values: (values[0], values[1], values[2], values[3], values[4], bool(values[5])),
)
_SET_DOUBT = Command(
    update(frames)
    .where(frames.c.job_id == bindparam("of_job"), frames.c.frame == bindparam("of_frame"))
    .values(doubt=bindparam("doubt"))
)


def insert_frame(conn: Connection, **values: Any) -> None:
    """Record how a frame ended."""
    _INSERT.must(conn, **(_NOTHING | values))


def get(conn: Connection, job_id: int, frame: int) -> Frame | None:
    """Return a frame that has ended."""
    return _GET.one_or_none(conn, job_id=job_id, frame=frame)


def page(conn: Connection, job_id: int, after: int | None, limit: int) -> list[Frame]:
    """Return up to ``limit`` ended frames past ``after``, in order."""
    query = select(frames).where(frames.c.job_id == job_id).order_by(frames.c.frame).limit(limit)
    if after is not None:
        query = query.where(frames.c.frame > after)
    return [Frame(**row) for row in conn.execute(query).mappings()]


def all_ended(conn: Connection, job_id: int) -> list[MapRow]:
    """Return a little of every frame that has ended, in order."""
    return _MAP.all(conn, job_id=job_id)


def outputs(conn: Connection, job_id: int) -> list[tuple[int, str, int, datetime]]:
    """Return frame, digest, size and time of every finished frame, in order."""
    query = (
        select(frames.c.frame, frames.c.output_sha256, frames.c.output_size, frames.c.ended_at)
        .where(frames.c.job_id == job_id, frames.c.state == FrameState.FINISHED)
        .order_by(frames.c.frame)
    )
    return [(row[0], row[1], row[2], row[3]) for row in conn.execute(query)]


class Took(NamedTuple):
    """What the finished frames of a job took on one agent."""

    agent_id: int
    frames: int
    seconds: float
    measured: int
    """Frames whose energy is known."""
    joules: float
    """Of these."""


def by_agent(conn: Connection, job_id: int) -> list[Took]:
    """Return what a job's finished frames took, agent by agent."""
    energy = frames.c.energy_joules
    query = (
        select(
            frames.c.agent_id,
            func.count(),
            func.sum(frames.c.seconds),
            func.count(energy),
            func.coalesce(func.sum(energy), 0.0),
        )
        .where(frames.c.job_id == job_id, frames.c.state == FrameState.FINISHED)
        .group_by(frames.c.agent_id)
    )
    return [Took(*row) for row in conn.execute(query)]


def finished_between(conn: Connection, job_id: int, first: int, last: int) -> list[Frame]:
    """Return the finished frames from ``first`` to ``last``, in order."""
    return _FINISHED_BETWEEN.all(conn, job_id=job_id, first=first, last=last)


def set_doubt(conn: Connection, job_id: int, frame: int, doubt: str | None) -> None:
    """Write down why a finished frame may be wrong, or that nothing is doubted of it any more."""
    _SET_DOUBT.run(conn, of_job=job_id, of_frame=frame, doubt=doubt)


def doubtful(conn: Connection, job_id: int, limit: int) -> list[Frame]:
    """Return the first ``limit`` frames that may be wrong."""
    query = select(frames).where(frames.c.job_id == job_id, frames.c.doubt.is_not(None))
    return [Frame(**row) for row in conn.execute(query.order_by(frames.c.frame).limit(limit)).mappings()]


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


def ended(conn: Connection, job_id: int, first: int, last: int) -> list[int]:
    """Return the frames from ``first`` to ``last`` that have ended, in order."""
    query = select(frames.c.frame).where(frames.c.job_id == job_id, frames.c.frame.between(first, last))
    return list(conn.scalars(query.order_by(frames.c.frame)))


def all_failed(conn: Connection, job_id: int) -> list[int]:
    """Return the frames that failed for good, in order."""
    query = select(frames.c.frame).where(frames.c.job_id == job_id, frames.c.state == literal_column("'failed'"))
    return list(conn.scalars(query.order_by(frames.c.frame)))


def remove(conn: Connection, job_id: int, first: int, last: int) -> Counter[str]:
    """Forget how the frames from ``first`` to ``last`` ended; return how many were in each state, blank, doubtful."""
    query = delete(frames).where(frames.c.job_id == job_id, frames.c.frame.between(first, last))
    gone: Counter[str] = Counter()
    for state, blank, doubt in conn.execute(query.returning(frames.c.state, frames.c.blank, frames.c.doubt)):
        gone.update({state: 1, "blank": blank is not None, "doubtful": doubt is not None})
    return gone


def latest(conn: Connection, job_id: int) -> int | None:
    """Return the frame that was finished last."""
    query = select(frames.c.frame).where(frames.c.job_id == job_id, frames.c.state == FrameState.FINISHED)
    return conn.scalars(query.order_by(frames.c.ended_at.desc(), frames.c.frame.desc()).limit(1)).first()
