"""What a person does to a job as a whole: pause it, resume it, cancel it.

What was done already is answered as if it were done now.  ``by`` is who does it.
"""

from coordinator.db import chunks
from coordinator.db.engine import Transaction
from coordinator.domain.model import ChunkState, JobState
from coordinator.protocol import ErrorCode
from coordinator.services.changes import check_chunk, move_job, tell
from coordinator.services.endings import end_job
from coordinator.services.errors import Refused
from coordinator.services.queueing import lock_job, release_held
from coordinator.services.schemas import JobView
from coordinator.services.views import job_view


def pause(tx: Transaction, job_id: int, by: str) -> JobView:
    """Have the slots finish the frames that they render, and begin no other one of the job.

    What is pending is held at once, and what a slot has not begun when the slot reports next.

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
    move_job(tx, job, JobState.PAUSED, f"{by} paused the job.", pending=0)
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
