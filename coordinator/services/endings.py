"""The ends of leases and jobs.

Functions take the job locked and return it as it is afterwards.
"""

from coordinator.db import chunks, frames, leases
from coordinator.db.engine import WORK, Transaction
from coordinator.domain.model import Chunk, ChunkState, Job, JobState, Lease, LeaseEnd, SoundState
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
from coordinator.services.dependencies import release_dependents
from coordinator.services.notifications import job_ended
from coordinator.services.queueing import idle_state
from coordinator.services.shares import settled

#: Frames named in the sentence that tells why a job failed.
_NAMED = 10


def end_lease(tx: Transaction, job: Job, lease: Lease, reason: LeaseEnd, message: str) -> Job:
    """End a live lease: its frames can be leased again, and so can the sound if it had that to mix."""
    ended = end_lease_row(tx, lease, reason, message)
    pending = job.pending
    for chunk in chunks.of_lease(tx.conn, lease.id):
        if leave_hedge(tx, chunk, lease, avoid=reason == LeaseEnd.FAILED):
            continue
        state = idle_state(job)
        check_chunk(tx, job, ChunkState.LEASED, state)
        # Another agent should try what this one could not render.
        avoid = lease.agent_id if reason == LeaseEnd.FAILED else chunk.avoid_agent_id
        chunks.set_state(tx.conn, chunk, state, avoid_agent_id=avoid)
        if state == ChunkState.PENDING:
            pending += chunk.frame_count
            tx.notify(WORK)
    job = update_job(tx, job, pending=pending, **settled(tx, job, ended))
    if job.sound_lease_id == lease.id:
        lost = reason in (LeaseEnd.EXPIRED, LeaseEnd.SUPERSEDED) and lease.stage == "mixing"
        job = give_sound_back(tx, job, "its agent was lost while mixing" if lost else None)
    return finish_if_done(tx, job)


def leave_hedge(tx: Transaction, chunk: Chunk, lease: Lease, *, avoid: bool = False) -> bool:
    """Leave a frame that two leases render to the other one; False if there is no other.

    With ``avoid``, the agent that leaves it should not try it again.
    """
    if chunk.hedge_lease_id is None:
        return False
    other = chunk.lease_id if chunk.hedge_lease_id == lease.id else chunk.hedge_lease_id
    avoided = lease.agent_id if avoid else chunk.avoid_agent_id
    chunks.set_state(tx.conn, chunk, ChunkState.LEASED, other, avoid_agent_id=avoided)
    return True


def end_lease_if_empty(tx: Transaction, job: Job, lease_id: str) -> Job:
    """End a live lease that has nothing left to deliver."""
    if not job.state.begun or job.sound_lease_id == lease_id or chunks.of_lease(tx.conn, lease_id):
        return job
    lease = leases.get_live(tx.conn, lease_id)
    if lease is None:
        return job
    ended = end_lease_row(tx, lease, LeaseEnd.FINISHED, "Every frame of the lease has ended.")
    return update_job(tx, job, **settled(tx, job, ended))


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
    """Take a job on once all its frames have ended and its sound is settled."""
    if job.open_frames or not (job.state.begun or job.state == JobState.QUEUED):
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
        job = end_live_leases(tx, job, "Every frame of the job is finished.")
        return move_job(tx, job, JobState.STITCHING, "All frames are finished; the video is being made.")
    return end_job(tx, job, JobState.COMPLETED)


def end_job(tx: Transaction, job: Job, state: JobState, reason: str | None = None, **values: object) -> Job:
    """End a job: its leases end, and frames that have not ended are held.

    ``reason`` is the sentence that tells why it failed; None for the other ends.
    """
    job = end_live_leases(tx, job, f"The job is {state.value}.")
    check_chunk(tx, job, ChunkState.PENDING, ChunkState.HELD)
    check_chunk(tx, job, ChunkState.LEASED, ChunkState.HELD)
    chunks.hold_all(tx.conn, job.id)
    message = reason or {JobState.COMPLETED: "The job is complete."}.get(state, f"The job was {state.value}.")
    job = move_job(
        tx,
        job,
        state,
        message,
        reason=reason,
        ended_at=tx.now,
        pending=0,
        sound_lease_id=None,
        stitch_claim=None,
        stitch_expires_at=None,
        **values,
    )
    job_ended(tx, job)
    if state == JobState.COMPLETED:
        release_dependents(tx, job)
    return job


def end_live_leases(tx: Transaction, job: Job, message: str) -> Job:
    """End every live lease of a job whose frames are of no further use to it."""
    if not job.slots:
        return job
    difference = 0.0
    for lease in leases.end_all_of_job(tx.conn, job.id, end_reason=LeaseEnd.JOB_ENDED, ended_at=tx.now):
        lease_ended(tx, lease, message)
        difference += lease.used - lease.charged
    tx.charge(job.created_by, difference)
    return update_job(tx, job, slots=0, speed=0.0, vtime=max(0.0, job.vtime + difference))


def _failed_frames(tx: Transaction, job: Job) -> str:
    failed = frames.failed(tx.conn, job.id, _NAMED)
    named = ", ".join(str(frame.frame) for frame in failed)
    more = f" and {job.failed - len(failed)} more" if job.failed > len(failed) else ""
    which = f"frame {named}" if job.failed == 1 else f"frames {named}{more}"
    first = f" Frame {failed[0].frame}: {failed[0].reason}"
    return f"{job.failed} of {job.frame_count} frames failed: {which}.{first}"
