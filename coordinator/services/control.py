"""What a person does to a job."""

from coordinator.db import jobs
from coordinator.db.engine import Transaction
from coordinator.domain.model import JobState
from coordinator.protocol import ErrorCode
from coordinator.services.endings import end_job
from coordinator.services.errors import Refused, not_found
from coordinator.services.schemas import JobView
from coordinator.services.views import job_view


def cancel(tx: Transaction, job_id: int) -> JobView:
    """Cancel a job: agents drop it at their next report, and what is finished stays.

    Raises:
        Refused: NOT_FOUND; CONFLICT, it has ended.
    """
    job = jobs.lock(tx.conn, job_id)
    if job is None:
        raise not_found(f"job {job_id}")
    if job.state.ended:
        raise Refused(ErrorCode.CONFLICT, f"job {job_id} is {job.state.value} already; it cannot be cancelled")
    end_job(tx, job, JobState.CANCELLED)
    return job_view(tx, job_id)
