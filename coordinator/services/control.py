"""What a person does to a job as a whole: pause it, resume it, cancel it.

What was done already is answered as if it were done now.  ``by`` is who does it.
"""

from coordinator.db import chunks, leases
from coordinator.db.engine import Transaction
from coordinator.domain.carving import Span, carve
from coordinator.domain.model import Chunk, ChunkState, Job, JobState, Lease, LeaseEnd
from coordinator.domain.transitions import NEW
from coordinator.protocol import ErrorCode, Stage
from coordinator.services.changes import check_chunk, chunk_written, move_job, tell
from coordinator.services.endings import end_job, end_lease
from coordinator.services.errors import Refused
from coordinator.services.queueing import lock_job, release_held
from coordinator.services.schemas import JobView
from coordinator.services.views import job_view


def pause(tx: Transaction, job_id: int, by: str) -> JobView:
    """Have the slots finish the frames that they render, and begin no other one of the job.

    Raises:
        Refused: NOT_FOUND; CONFLICT, it has not begun or is past rendering.
    """
    job = lock_job(tx, job_id)
    if job.state == JobState.PAUSED:
        return job_view(tx, job_id)
    if job.state not in (JobState.QUEUED, JobState.RUNNING):
        raise Refused(ErrorCode.CONFLICT, f"job {job_id} cannot be paused: {_NOT_PAUSED[job.state]}")
    check_chunk(tx, job, ChunkState.PENDING, ChunkState.HELD)
    chunks.move_all(tx.conn, job.id, ChunkState.PENDING, ChunkState.HELD)
    job = move_job(tx, job, JobState.PAUSED, f"{by} paused the job.", pending=0)
    for lease in leases.live_of_jobs(tx.conn, [job.id]):
        job = _hold_untouched(tx, job, lease)
    return job_view(tx, job_id)


def resume(tx: Transaction, job_id: int, by: str) -> JobView:
    """Have a paused job go on.

    Raises:
        Refused: NOT_FOUND; CONFLICT, it is not paused.
    """
    job = lock_job(tx, job_id)
    if job.state in (JobState.QUEUED, JobState.RUNNING):
        return job_view(tx, job_id)
    if job.state != JobState.PAUSED:
        raise Refused(ErrorCode.CONFLICT, f"job {job_id} is not paused: {_NOT_RESUMED[job.state]}")
    state = JobState.RUNNING if job.slots else JobState.QUEUED
    move_job(tx, job, state, f"{by} resumed the job.", **release_held(tx, job))
    return job_view(tx, job_id)


def cancel(tx: Transaction, job_id: int, by: str) -> JobView:
    """Cancel a job: agents drop it at their next report, and what is finished stays.

    Raises:
        Refused: NOT_FOUND; CONFLICT, it has ended otherwise.
    """
    job = lock_job(tx, job_id)
    if job.state == JobState.CANCELLED:
        return job_view(tx, job_id)
    if job.state.ended:
        raise Refused(ErrorCode.CONFLICT, f"job {job_id} is {job.state.value} already; there is nothing left to cancel")
    tell(tx, job, "cancel_asked", f"{by} cancelled the job.", {"by": by})
    end_job(tx, job, JobState.CANCELLED)
    return job_view(tx, job_id)


def _hold_untouched(tx: Transaction, job: Job, lease: Lease) -> Job:
    """Take from a lease of a paused job the frames that it has not begun; with none begun, the lease ends."""
    held = chunks.of_lease(tx.conn, lease.id)
    last = _last_begun(lease, held)
    if last is None and job.sound_lease_id != lease.id:
        return end_lease(tx, job, lease, LeaseEnd.RELEASED, "The job was paused before a frame was begun.")
    for chunk in held:
        begun = job.frame_range.count(chunk.first, last) if last is not None else 0
        if begun >= chunk.frame_count or chunk.hedge_lease_id is not None:
            continue
        if begun <= 0:
            check_chunk(tx, job, chunk.state, ChunkState.HELD)
            avoid = chunk.avoid_agent_id
            chunk_written(job, chunks.set_state(tx.conn, chunk, ChunkState.HELD, avoid_agent_id=avoid))
            continue
        head, rest = carve(job.frame_range, Span(chunk.first, chunk.last, chunk.frame_count), begun)
        if rest is not None:
            chunk_written(job, chunks.shrink(tx.conn, chunk, head))
            check_chunk(tx, job, NEW, ChunkState.HELD)
            chunks.insert_chunk(tx.conn, job, rest, ChunkState.HELD, avoid_agent_id=chunk.avoid_agent_id)
    return job


def _last_begun(lease: Lease, held: list[Chunk]) -> int | None:
    """Return the last frame of a lease that was begun by its last report: those before it are on their way."""
    if not held:
        return None
    if lease.stage == Stage.UPLOADING:
        return held[-1].last
    if lease.stage == Stage.RENDERING:
        # Just after a frame was handed in or failed no other one was reported yet: the next one is being rendered.
        return held[0].first if lease.frame is None else max(lease.frame, held[0].first)
    return None


_ENDED = "it has ended; requeue frames of it, and it goes on"
_NOT_PAUSED = {
    JobState.BLOCKED: "it waits for other jobs and has not begun; cancel it if it shall not begin",
    JobState.STITCHING: "its frames are finished, and only its video is being made",
    **dict.fromkeys((JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED), "it has ended already"),
}
_NOT_RESUMED = {
    JobState.BLOCKED: "it waits for other jobs, and begins when they are completed",
    JobState.STITCHING: "its frames are finished, and its video is being made",
    **dict.fromkeys((JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED), _ENDED),
}
