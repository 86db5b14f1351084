"""Making a job's video, one stitcher at a time: claimed, kept alive, and ended."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from coordinator.db import frames, jobs
from coordinator.db.engine import VIDEO, Transaction
from coordinator.domain.model import Job, JobState
from coordinator.domain.retry import STITCH_ATTEMPTS
from coordinator.domain.timing import Timing
from coordinator.protocol import ErrorCode, OutputSpec
from coordinator.services.assets import record_blobs
from coordinator.services.changes import tell, update_job
from coordinator.services.endings import end_job
from coordinator.services.errors import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class StitchTask:
    """A video to make; ``claim`` fences the stitcher as a lease's id fences a slot."""

    job_id: int
    name: str
    claim: str
    format: str
    """Of the pictures: ``PNG`` or ``JPEG``; OpenEXR frames are stitched from their display files."""
    fps: float
    width: int | None
    height: int | None
    frame_count: int
    sound_sha256: str | None


def claim(tx: Transaction, timing: Timing) -> StitchTask | None:
    """Claim the oldest job that waits for its video; None when there is none.

    A job whose stitching was begun several times and never ended is failed instead.
    """
    while (job := jobs.claim_stitching(tx.conn, tx.now)) is not None:
        if job.stitch_claims >= STITCH_ATTEMPTS:
            end_job(
                tx,
                job,
                JobState.FAILED,
                f"All {job.frame_count} frames are fine and can be downloaded, but the coordinator went down"
                f" {job.stitch_claims} times while it made the video; look into its log.",
            )
            continue
        job = update_job(
            tx,
            job,
            stitch_claim=secrets.token_hex(8),
            stitch_expires_at=tx.now + timedelta(seconds=timing.stitch_seconds),
            stitch_claims=job.stitch_claims + 1,
        )
        tell(tx, job, "stitch_begun", "The video is being made.")
        return _task(job)
    return None


def renew(tx: Transaction, task: StitchTask, timing: Timing) -> None:
    """Keep a claim alive.

    Raises:
        Refused: CONFLICT, the claim was lost: stop.
    """
    job = _lock_claimed(tx, task)
    update_job(tx, job, stitch_expires_at=tx.now + timedelta(seconds=timing.stitch_seconds))


def frame_files(tx: Transaction, job_id: int, after: int | None, limit: int) -> list[tuple[int, str]]:
    """Return up to ``limit`` (frame, digest of its picture) past frame ``after``, in order."""
    return list(frames.pictures(tx.conn, job_id, after, limit))


def finish(tx: Transaction, task: StitchTask, sha256: str, size: int, is_there: Callable[[str], bool]) -> None:
    """Complete a job with its video, which is checked and in the store.

    Raises:
        Refused: CONFLICT, the claim was lost; TRY_AGAIN, as :func:`coordinator.services.assets.record_blobs`.
    """
    job = _lock_claimed(tx, task)
    record_blobs(tx, [(sha256, size)], is_there)
    end_job(tx, job, JobState.COMPLETED, video_sha256=sha256)


def fail(tx: Transaction, task: StitchTask, reason: str) -> None:
    """Fail a job of which no video can be made; its frames stay.

    Raises:
        Refused: CONFLICT, the claim was lost.
    """
    job = _lock_claimed(tx, task)
    end_job(
        tx,
        job,
        JobState.FAILED,
        f"All {job.frame_count} frames are fine and can be downloaded, but no video could be made: {reason}",
    )


def postpone(tx: Transaction, task: StitchTask, reason: str, timing: Timing) -> None:
    """Have a video made later, for there is no room for it now; this attempt does not count.

    Raises:
        Refused: CONFLICT, the claim was lost.
    """
    job = _lock_claimed(tx, task)
    tell(tx, job, "stitch_postponed", f"The video is made as soon as there is room for it: {reason}")
    # The claim is kept and runs out: that is the pause until the next attempt.
    expires_at = tx.now + timedelta(seconds=timing.stitch_seconds)
    update_job(tx, job, stitch_expires_at=expires_at, stitch_claims=job.stitch_claims - 1)


def give_back(tx: Transaction, task: StitchTask) -> None:
    """Let another stitcher begin anew, as when this coordinator stops; this attempt does not count.

    Raises:
        Refused: CONFLICT, the claim was lost.
    """
    job = _lock_claimed(tx, task)
    update_job(tx, job, stitch_claim=None, stitch_expires_at=None, stitch_claims=job.stitch_claims - 1)
    tx.notify(VIDEO)


def _lock_claimed(tx: Transaction, task: StitchTask) -> Job:
    job = jobs.lock(tx.conn, task.job_id)
    if job is None or job.stitch_claim != task.claim:
        raise Refused(ErrorCode.CONFLICT, f"job {task.job_id} was cancelled, or another stitcher works on it")
    return job


def _task(job: Job) -> StitchTask:
    output = msgspec.json.decode(job.output, type=OutputSpec)
    return StitchTask(
        job_id=job.id,
        name=job.name,
        claim=job.stitch_claim or "",
        format="PNG" if output.display else output.format.value,
        fps=output.fps,
        width=job.width,
        height=job.height,
        frame_count=job.frame_count,
        sound_sha256=job.sound_sha256,
    )
