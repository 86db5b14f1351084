"""Queries on which jobs wait for which."""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection, insert, literal_column, select

from coordinator.db.schema import job_dependencies, jobs
from coordinator.domain.model import Job


def insert_dependencies(conn: Connection, job_id: int, after: Sequence[int]) -> None:
    """Have a job wait for others, of which there is at least one."""
    conn.execute(insert(job_dependencies), [{"job_id": job_id, "after_id": after_id} for after_id in after])


def of_jobs(conn: Connection, job_ids: Sequence[int]) -> dict[int, list[int]]:
    """Return, for those of the jobs that were submitted to come after others, these others in order."""
    query = (
        select(job_dependencies.c.job_id, job_dependencies.c.after_id)
        .where(job_dependencies.c.job_id.in_(job_ids))
        .order_by(job_dependencies.c.job_id, job_dependencies.c.after_id)
    )
    found: dict[int, list[int]] = defaultdict(list)
    for job_id, after_id in conn.execute(query):
        found[job_id].append(after_id)
    return dict(found)


def unfinished(conn: Connection, job_id: int) -> list[Job]:
    """Return the jobs that a job waits for and that are not completed, in order."""
    query = (
        select(jobs)
        .join(job_dependencies, job_dependencies.c.after_id == jobs.c.id)
        .where(job_dependencies.c.job_id == job_id, jobs.c.state != literal_column("'completed'"))
        .order_by(jobs.c.id)
    )
    return [Job(**row) for row in conn.execute(query).mappings()]


def waiting_for(conn: Connection, after_id: int) -> list[int]:
    """Return the blocked jobs that wait for a job, in order."""
    query = (
        select(job_dependencies.c.job_id)
        .join(jobs, jobs.c.id == job_dependencies.c.job_id)
        .where(job_dependencies.c.after_id == after_id, jobs.c.state == literal_column("'blocked'"))
        .order_by(job_dependencies.c.job_id)
    )
    return list(conn.scalars(query))
