"""How leases and jobs end.  Every function takes the job locked and returns it as it is afterwards."""

from coordinator.db import chunks, frames, leases
from coordinator.db.engine import WORK, Transaction
from coordinator.domain.model import ChunkState, Job, JobState, Lease, LeaseEnd, SoundState
from coordinator.domain.retry import SOUND_ATTEMPTS
from coordinator.services.changes import (
    check_chunk,
    end_lease_row,
    lease_ended,
    move_job,
    move_sound,
    tell,
    update_job,
)

#: Frames named in the sentence that tells why a job failed.
_NAMED = 10


def end_lease(tx: Transaction, job: Job, lease: Lease, reason: LeaseEnd, message: str) -> Job:
    """End a live lease: its frames are pending again, and so is the sound if it had that to mix."""
    end_lease_row(tx, lease, reason, message)
    check_chunk(tx, job, ChunkState.LEASED, ChunkState.PENDING)
    if chunks.give_back(tx.conn, lease.id):
        tx.notify(WORK)
    if job.sound_lease_id == lease.id:
        lost = reason in (LeaseEnd.EXPIRED, LeaseEnd.SUPERSEDED) and lease.stage == "mixing"
        job = give_sound_back(tx, job, "its agent was lost while mixing" if lost else None)
    return finish_if_done(tx, job)


def end_lease_if_empty(tx: Transaction, job: Job, lease: Lease) -> Job:
    """End a lease that has nothing left to deliver."""
    if job.state != JobState.RUNNING or job.sound_lease_id == lease.id or chunks.of_lease(tx.conn, lease.id):
        return job
    end_lease_row(tx, lease, LeaseEnd.FINISHED, "Every frame of the lease has ended.")
    return job


def give_sound_back(tx: Transaction, job: Job, failure: str | None) -> Job:
    """Have another lease mix the sound, unless that failed too often; ``failure`` None is no one's fault."""
    failures = job.sound_failures + (failure is not None)
    if failure is not None:
        tell(tx, job, "sound_attempt_failed", f"The sound could not be mixed: {failure}")
    if failures >= SOUND_ATTEMPTS:
        return move_sound(
            tx, job, SoundState.FAILED, f"The sound was given up after {failures} attempts.", sound_failures=failures
        )
    return update_job(tx, job, sound_lease_id=None, sound_failures=failures)


def finish_if_done(tx: Transaction, job: Job) -> Job:
    """Take a running job on once all its frames have ended and its sound is settled."""
    if job.state != JobState.RUNNING or job.open_frames:
        return job
    if job.sound_state == SoundState.WANTED:
        if job.sound_lease_id is not None:
            # The lease that is to mix it lives still.
            return job
        # Sound travels with frames, and there are none left to send it with.
        job = move_sound(tx, job, SoundState.FAILED, "The sound was lost with the last lease that had frames.")
    if job.failed:
        return end_job(tx, job, JobState.FAILED, _failed_frames(tx, job))
    if job.sound_state == SoundState.FAILED:
        return end_job(
            tx,
            job,
            JobState.FAILED,
            f"All {job.frame_count} frames are fine and can be downloaded, but the sound could not be mixed,"
            " so there is no video; check the scene's sound files, or submit again without sound.",
        )
    if job.video:
        end_live_leases(tx, job, "Every frame of the job is finished.")
        return move_job(tx, job, JobState.STITCHING, "All frames are finished; the video is being made.")
    return end_job(tx, job, JobState.COMPLETED)


def end_job(tx: Transaction, job: Job, state: JobState, reason: str | None = None, **values: object) -> Job:
    """End a job: its leases end, and frames that have not ended are held.

    ``reason`` is the sentence that tells why it failed; None for the other ends.
    """
    end_live_leases(tx, job, f"The job is {state.value}.")
    check_chunk(tx, job, ChunkState.PENDING, ChunkState.HELD)
    check_chunk(tx, job, ChunkState.LEASED, ChunkState.HELD)
    chunks.hold_all(tx.conn, job.id)
    message = reason or {JobState.COMPLETED: "The job is complete."}.get(state, f"The job was {state.value}.")
    return move_job(
        tx,
        job,
        state,
        message,
        reason=reason,
        ended_at=tx.now,
        sound_lease_id=None,
        stitch_claim=None,
        stitch_expires_at=None,
        **values,
    )


def end_live_leases(tx: Transaction, job: Job, message: str) -> None:
    """End every live lease of a job whose frames are of no further use to it."""
    for lease in leases.end_all_of_job(tx.conn, job.id, end_reason=LeaseEnd.JOB_ENDED, ended_at=tx.now):
        lease_ended(tx, lease, message)


def _failed_frames(tx: Transaction, job: Job) -> str:
    failed = frames.failed(tx.conn, job.id, _NAMED)
    named = ", ".join(str(frame.frame) for frame in failed)
    more = f" and {job.failed - len(failed)} more" if job.failed > len(failed) else ""
    which = f"frame {named}" if job.failed == 1 else f"frames {named}{more}"
    first = f" Frame {failed[0].frame}: {failed[0].reason}"
    return f"{job.failed} of {job.frame_count} frames failed: {which}.{first}"
