"""Queries on jobs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, literal_column, or_, select, update

from coordinator.db import leases as lease_rows
from coordinator.db.kept import Shelf, is_lasting
from coordinator.db.schema import jobs, leases
from coordinator.db.statement import Change, records
from coordinator.domain.model import Job, JobState

_LOCKED: Shelf[int, Job | None] = Shelf()
#: What is to be removed altogether is there no more for people.
_SHOWN = jobs.c.removal.is_(None) | (jobs.c.removal != literal_column("'record'"))

_GET = records(select(jobs).where(jobs.c.id == bindparam("id")), Job)
# NO KEY: rows that refer to the job may be added meanwhile.
_LOCK = records(select(jobs).where(jobs.c.id == bindparam("id")).with_for_update(key_share=True), Job)
_of_lease = select(leases.c.job_id).where(
    leases.c.id == bindparam("lease_id"), leases.c.agent_id == bindparam("agent_id")
)
_LOCK_OF_LEASE = records(
    select(jobs).where(jobs.c.id == _of_lease.scalar_subquery()).with_for_update(key_share=True), Job
)
_OF_LEASE = records(select(jobs).join(leases, leases.c.job_id == jobs.c.id).where(leases.c.id == bindparam("id")), Job)
# One by one: a list would be bound anew each time.
_WORKABLE = records(
    select(jobs)
    .where(or_(*(jobs.c.state == state for state in (JobState.QUEUED, JobState.RUNNING, JobState.PAUSED))))
    .order_by(jobs.c.id),
    Job,
)
_CHANGE = Change(
    update(jobs).where(jobs.c.id == bindparam("of_id"), jobs.c.state == bindparam("of_state")), Job, job="id"
)


def insert_job(conn: Connection, **values: Any) -> Job:
    """Add a job and return it."""
    return Job(**conn.execute(insert(jobs).values(**values).returning(jobs)).mappings().one())


def get(conn: Connection, job_id: int) -> Job | None:
    """Return a job."""
    return _GET.one_or_none(conn, id=job_id)


def of_submission(conn: Connection, submission: str) -> int | None:
    """Return the id of the job that a submission made."""
    return conn.execute(select(jobs.c.id).where(jobs.c.submission == submission)).scalar_one_or_none()


def lock(conn: Connection, job_id: int) -> Job | None:
    """Return a job and keep every other writer off it, its chunks and its leases until the transaction ends."""
    return _LOCKED.get(conn, job_id, lambda: _LOCK.one_or_none(conn, id=job_id))


def ask_to_lock(conn: Connection, job_id: int) -> None:
    """Have :func:`lock` answered with what is read next."""
    _LOCKED.ask(conn, job_id, lambda: _LOCK.ask_for_one(conn, id=job_id))


def seen_of_lease(conn: Connection, lease_id: str) -> Job | None:
    """Return the job of a lease, live or ended; it need not be locked, and may be another then."""
    lease = lease_rows.known(conn, lease_id)
    job = None if lease is None else _LOCKED.peek(conn, lease.job_id)
    return job or _OF_LEASE.one_or_none(conn, id=lease_id)


def lock_of_lease(conn: Connection, lease_id: str, agent_id: int) -> Job | None:
    """Return the job of an agent's lease, live or ended, locked as by :func:`lock`."""
    # Where the job itself is most likely known, it need not be read.
    place = lease_rows.place(conn, lease_id) if is_lasting(conn) else lease_rows.known_place(conn, lease_id)
    if place is not None:
        return lock(conn, place.job_id) if place.agent_id == agent_id else None
    job = _LOCK_OF_LEASE.one_or_none(conn, lease_id=lease_id, agent_id=agent_id)
    if job is not None:
        _LOCKED.put(conn, job.id, job)
    return job


def change(conn: Connection, job: Job, **values: Any) -> Job:
    """Set columns of a job, which is locked, and return it.

    Raises:
        StaleWrite: it is no longer in the state that it was read in.
    """
    changed = _CHANGE.of(conn, job, values, of_id=job.id, of_state=job.state)
    _LOCKED.put(conn, job.id, changed)
    return changed


def workable(conn: Connection) -> list[Job]:
    """Return the jobs that slots work on or could work on, in order."""
    return _WORKABLE.all(conn)


def newest(conn: Connection, limit: int) -> list[Job]:
    """Return the newest jobs."""
    query = select(jobs).order_by(jobs.c.id.desc()).limit(limit)
    return [Job(**row) for row in conn.execute(query).mappings()]


def names(conn: Connection, ids: Sequence[int]) -> dict[int, str]:
    """Return the names of jobs."""
    rows = conn.execute(select(jobs.c.id, jobs.c.name).where(jobs.c.id.in_(ids)))
    return {row.id: row.name for row in rows}


def claim_stitching(conn: Connection, now: datetime) -> Job | None:
    """Return, locked, the oldest job to be stitched on which no stitcher works."""
    query = (
        select(jobs)
        .where(jobs.c.state == JobState.STITCHING)
        .where(jobs.c.stitch_expires_at.is_(None) | (jobs.c.stitch_expires_at <= now))
        .order_by(jobs.c.id)
        .limit(1)
        .with_for_update(key_share=True, skip_locked=True)
    )
    row = conn.execute(query).mappings().one_or_none()
    return Job(**row) if row else None


def counts(conn: Connection) -> dict[JobState, int]:
    """Return how many jobs are in each state."""
    rows = conn.execute(select(jobs.c.state, func.count()).where(_SHOWN).group_by(jobs.c.state))
    return {row[0]: row[1] for row in rows}


def rendered_before(conn: Connection, pack_id: str, user: str) -> Job | None:
    """Return the newest job with finished frames: of the same pack, or else of the same user; None without either."""
    newest = select(jobs).where(jobs.c.finished > 0).order_by(jobs.c.id.desc()).limit(1)
    for like in (jobs.c.pack_id == pack_id, jobs.c.created_by == user):
        row = conn.execute(newest.where(like)).mappings().one_or_none()
        if row is not None:
            return Job(**row)
    return None
