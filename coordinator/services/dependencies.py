"""Jobs that come after others: they are blocked until those are completed."""

from collections.abc import Sequence

from coordinator.db import dependencies, jobs
from coordinator.db.engine import Transaction
from coordinator.domain.model import Job, JobState, Removal
from coordinator.protocol import ErrorCode
from coordinator.services.changes import move_job
from coordinator.services.errors import Refused
from coordinator.services.queueing import release_held


def lock_all(tx: Transaction, after: Sequence[int]) -> list[Job]:
    """Return the jobs that a new one shall come after, locked: none of them is completed behind its back.

    Raises:
        Refused: INVALID, naming those that there are not.
    """
    wanted = sorted(set(after))
    found = [job for job in (jobs.lock(tx.conn, job_id) for job_id in wanted) if job and job.removal != Removal.RECORD]
    missing = ", ".join(str(job_id) for job_id in sorted(set(wanted) - {job.id for job in found}))
    if missing:
        raise Refused(
            ErrorCode.INVALID,
            f"there is no job {missing} to come after; look its number up in the list of jobs",
            {"after": f"there is no job {missing}"},
        )
    return found


def release_dependents(tx: Transaction, job: Job) -> None:
    """Queue the jobs that waited for this one alone, which has just been completed."""
    for job_id in dependencies.waiting_for(tx.conn, job.id):
        waiting = jobs.lock(tx.conn, job_id)
        # Under its lock: of two jobs that are completed at once, the second must see the first.
        if waiting is None or waiting.state != JobState.BLOCKED or dependencies.unfinished(tx.conn, job_id):
            continue
        message = f"Job {job.id} is completed: nothing stands in its way any more."
        move_job(tx, waiting, JobState.QUEUED, message, **release_held(tx, waiting))


def explain(tx: Transaction, job: Job) -> str | None:
    """Return what a blocked job waits for and what to do about it, a sentence; None if it waits for no job."""
    unfinished = dependencies.unfinished(tx.conn, job.id)
    if not unfinished:
        return None
    stuck = [other for other in unfinished if other.state.ended]
    if not stuck:
        return f"It begins when {_named(unfinished)} completed."
    first = stuck[0]
    return (
        f"It waits for job {first.id} ({first.name}), which {_how(first.state)}: requeue that job, or cancel this one."
    )


def _how(state: JobState) -> str:
    return "failed" if state == JobState.FAILED else "was cancelled"


def _named(others: Sequence[Job]) -> str:
    if len(others) == 1:
        return f"job {others[0].id} ({others[0].name}) is"
    shown = ", ".join(str(other.id) for other in others[:5])
    more = f" and {len(others) - 5} more" if len(others) > 5 else ""
    return f"jobs {shown}{more} are"
