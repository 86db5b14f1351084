"""What could not be rendered: try again, or give up.

Functions take the job locked and return it as it is afterwards.
"""

from coordinator.db import attempts, chunks
from coordinator.db.engine import WORK, Transaction
from coordinator.domain.carving import Span, take_out
from coordinator.domain.model import Chunk, ChunkState, FrameState, Job, JobState, Lease, LeaseEnd
from coordinator.domain.retry import may_retry
from coordinator.domain.transitions import GONE, NEW
from coordinator.services.changes import check_chunk, chunk_written, end_frame, tell, update_job
from coordinator.services.endings import end_job, end_lease, end_lease_if_empty, finish_if_done


def leased_chunk(tx: Transaction, job: Job, lease: Lease, frame: int) -> Chunk | None:
    """Return the chunk of this lease that holds a frame; None if the lease has not got it."""
    chunk = chunks.around(tx.conn, job.id, frame)
    if chunk is None or chunk.lease_id != lease.id or frame not in job.frame_range:
        return None
    return chunk


def take_frame(tx: Transaction, job: Job, chunk: Chunk, frame: int) -> None:
    """Take a frame out of a leased chunk; what is left stays with the lease."""
    parts = take_out(job.frame_range, Span(chunk.first, chunk.last, chunk.frame_count), frame)
    if not parts:
        check_chunk(tx, job, chunk.state, GONE)
        chunk_written(job, chunks.remove(tx.conn, chunk))
        return
    chunk_written(job, chunks.shrink(tx.conn, chunk, parts[0]))
    for part in parts[1:]:
        check_chunk(tx, job, NEW, chunk.state)
        chunks.insert_chunk(tx.conn, job, part, chunk.state, chunk.lease_id)


def fail_frame(tx: Transaction, job: Job, lease: Lease, frame: int, code: str, message: str) -> Job:
    """Count a failed attempt at a frame; a frame that the lease has not got (any more) changes nothing."""
    chunk = leased_chunk(tx, job, lease, frame)
    if chunk is None:
        return job
    take_frame(tx, job, chunk, frame)
    tried = _count_attempt(tx, job, lease, frame, code, message)
    if may_retry(tried, job.max_retries):
        check_chunk(tx, job, NEW, ChunkState.PENDING)
        chunks.insert_chunk(tx.conn, job, Span(frame, frame, 1), ChunkState.PENDING)
        tx.notify(WORK)
    else:
        end_frame(
            tx,
            job,
            frame,
            FrameState.FAILED,
            f"Frame {frame} failed for good after {tried} attempts: {message}",
            reason=message,
            attempts=tried,
            agent_id=lease.agent_id,
            lease_id=lease.id,
        )
        job = update_job(tx, job, failed=job.failed + 1)
    return finish_if_done(tx, end_lease_if_empty(tx, job, lease))


def fail_whole_job(tx: Transaction, job: Job, lease: Lease, code: str, message: str) -> Job:
    """Count that an agent could not render the job at all: the lease ends, and too many of these end the job."""
    tried = _count_attempt(tx, job, lease, None, code, message)
    job = update_job(tx, job, whole_failures=tried)
    job = end_lease(tx, job, lease, LeaseEnd.FAILED, "The agent could not render the job.")
    if job.state == JobState.RUNNING and not may_retry(tried, job.max_retries):
        job = end_job(tx, job, JobState.FAILED, message)
    return job


def _count_attempt(tx: Transaction, job: Job, lease: Lease, frame: int | None, code: str, message: str) -> int:
    """Record a failed attempt at a frame, or at the whole job (None), and return how many there are by now."""
    tried = attempts.insert_attempt(
        tx.conn,
        job_id=job.id,
        frame=frame,
        agent_id=lease.agent_id,
        lease_id=lease.id,
        code=code,
        message=message,
        at=tx.now,
    )
    what = "The job could not be rendered" if frame is None else f"Frame {frame} failed"
    data = {"frame": frame, "code": code, "attempt": tried, "agent_id": lease.agent_id}
    tell(tx, job, "attempt_failed", f"{what} (attempt {tried}): {message}", data)
    return tried
