"""Jobs (back) in the queue: their frames wait for leases, and their owners stand where the others do.

Functions take the job locked.
"""

from typing import Any

from coordinator.db import attempts, chunks, dependencies, jobs, set_asides
from coordinator.db.engine import WORK, Transaction
from coordinator.domain.model import ChunkState, Job, JobState, Removal
from coordinator.services.changes import check_chunk, move_job
from coordinator.services.errors import not_found
from coordinator.services.shares import join


def lock_job(tx: Transaction, job_id: int) -> Job:
    """Return a job, locked, and lock those that it comes after before it.

    Whoever completes one of those locks it first and then the jobs that wait for it.

    Raises:
        Refused: NOT_FOUND.
    """
    for after_id in dependencies.of_jobs(tx.conn, [job_id]).get(job_id, ()):
        jobs.lock(tx.conn, after_id)
    job = jobs.lock(tx.conn, job_id)
    if job is None or job.removal == Removal.RECORD:
        raise not_found(f"job {job_id}")
    return job


def idle_state(job: Job) -> ChunkState:
    """Return the state of a chunk of this job that no lease has."""
    return ChunkState.PENDING if job.state in (JobState.QUEUED, JobState.RUNNING) else ChunkState.HELD


def release_held(tx: Transaction, job: Job) -> dict[str, Any]:
    """Make a job's held chunks pending, and return the job's columns with them."""
    check_chunk(tx, job, ChunkState.HELD, ChunkState.PENDING)
    released = chunks.move_all(tx.conn, job.id, ChunkState.HELD, ChunkState.PENDING)
    return {"pending": job.pending + released, **take_part(tx, job)}


def take_part(tx: Transaction, job: Job) -> dict[str, Any]:
    """Have slots look at a job that has frames for them, and return its columns.

    One that had none until now begins where its owner's other jobs are, and its owner where other users are: being idle
    earns no credit.
    """
    tx.notify(WORK)
    if job.pending:
        return {}
    join(tx, job.created_by)
    return {"vtime": max(job.vtime, tx.board.job_floor(job.created_by))}


def reopen(tx: Transaction, job: Job, message: str, **values: Any) -> Job:
    """Have a job that ended go on with the frames that are held.

    Its past does not count: not why it ended, nor what failed, nor who was set aside for it.  Its video is made anew.
    """
    attempts.void_whole(tx.conn, job.id)
    for chunk in chunks.all_of_job(tx.conn, job.id):
        attempts.void(tx.conn, job.id, chunk.first, chunk.last)
    set_asides.forget_job(tx.conn, job.id)
    values |= {"reason": None, "ended_at": None, "whole_failures": 0, "video_sha256": None, "stitch_claims": 0}
    # They are counted when it ends again.
    values["bytes"] = None
    if job.started_at is None and dependencies.unfinished(tx.conn, job.id):
        return move_job(tx, job, JobState.BLOCKED, message, **values)
    return move_job(tx, job, JobState.QUEUED, message, **values, **release_held(tx, job))
