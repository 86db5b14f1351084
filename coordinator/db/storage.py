"""Queries on what jobs and users take of the store."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, exists, func, literal_column, select

from coordinator.db.schema import blobs, job_dependencies, jobs, packs
from coordinator.domain.model import JobState

_HAS_FILES = jobs.c.files_swept_at.is_(None)
_waiting = jobs.alias("waiting")
#: A job that could not be rendered again would keep those that wait for it waiting for ever.
AWAITED = exists().where(
    job_dependencies.c.after_id == jobs.c.id,
    job_dependencies.c.job_id == _waiting.c.id,
    _waiting.c.state == literal_column("'blocked'"),
)
_MAY_GO = (_HAS_FILES, jobs.c.ended_at.is_not(None), ~jobs.c.keep, ~AWAITED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """A job and what it takes.  Bytes."""

    id: int
    name: str
    user: str
    state: JobState
    keep: bool
    ended_at: datetime | None
    pack_id: str
    own: int | None
    """Its files without the pack; None if they were not counted."""
    pack: int


_WEIGHTS: Select[Any] = select(
    jobs.c.id,
    jobs.c.name,
    jobs.c.created_by.label("user"),
    jobs.c.state,
    jobs.c.keep,
    jobs.c.ended_at,
    jobs.c.pack_id,
    jobs.c.bytes.label("own"),
    packs.c.size.label("pack"),
).join_from(jobs, packs, packs.c.id == jobs.c.pack_id)


def _all(conn: Connection, query: Select[Any]) -> list[Weight]:
    return [Weight(**row) for row in conn.execute(query).mappings()]


def largest(conn: Connection, limit: int) -> list[Weight]:
    """Return the jobs that take most, with their packs, the largest first."""
    total = func.coalesce(jobs.c.bytes, 0) + packs.c.size
    return _all(conn, _WEIGHTS.where(_HAS_FILES).order_by(total.desc(), jobs.c.id).limit(limit))


def ended_before(conn: Connection, time: datetime, limit: int) -> list[Weight]:
    """Return jobs that ended before a time and whose files may go, the oldest first."""
    query = _WEIGHTS.where(*_MAY_GO, jobs.c.ended_at < time)
    return _all(conn, query.order_by(jobs.c.ended_at, jobs.c.id).limit(limit))


def of_user(conn: Connection, name: str) -> list[Weight]:
    """Return a user's jobs whose files may go, the one that ended first at first."""
    query = _WEIGHTS.where(*_MAY_GO, jobs.c.created_by == name)
    return _all(conn, query.order_by(jobs.c.ended_at, jobs.c.id))


def uncounted(conn: Connection, limit: int) -> list[int]:
    """Return jobs that have ended and whose files were not counted."""
    query = select(jobs.c.id).where(_HAS_FILES, jobs.c.ended_at.is_not(None), jobs.c.bytes.is_(None))
    return list(conn.scalars(query.order_by(jobs.c.id).limit(limit)))


def unended(conn: Connection) -> dict[str, list[int]]:
    """Return the jobs that have not ended, by their users."""
    found: dict[str, list[int]] = {}
    for job_id, user in conn.execute(select(jobs.c.id, jobs.c.created_by).where(jobs.c.ended_at.is_(None))):
        found.setdefault(user, []).append(job_id)
    return found


def by_user(conn: Connection) -> dict[str, tuple[int, int]]:
    """Return, for users whose jobs have files, how many bytes these take that were counted, and how many jobs."""
    files = (
        select(jobs.c.created_by, func.coalesce(func.sum(jobs.c.bytes), 0), func.count())
        .where(_HAS_FILES)
        .group_by(jobs.c.created_by)
    )
    used = select(jobs.c.created_by, jobs.c.pack_id).where(_HAS_FILES).distinct().subquery("used")
    of_packs = (
        select(used.c.created_by, func.sum(packs.c.size))
        .join_from(used, packs, packs.c.id == used.c.pack_id)
        .group_by(used.c.created_by)
    )
    sizes = {user: int(size) for user, size in conn.execute(of_packs)}
    return {user: (int(own) + sizes.get(user, 0), count) for user, own, count in conn.execute(files)}


def packs_of_user(conn: Connection, name: str) -> dict[str, int]:
    """Return how many jobs with files a user has of each pack."""
    query = select(jobs.c.pack_id, func.count()).where(_HAS_FILES, jobs.c.created_by == name)
    return {row[0]: row[1] for row in conn.execute(query.group_by(jobs.c.pack_id))}


def is_awaited(conn: Connection, job_id: int) -> bool:
    """Tell whether a blocked job waits for this one."""
    return conn.execute(select(jobs.c.id).where(jobs.c.id == job_id, AWAITED)).first() is not None


def stored_bytes(conn: Connection) -> int:
    """Return how many bytes are in the store."""
    return int(conn.execute(select(func.coalesce(func.sum(blobs.c.size), 0))).scalar_one())
