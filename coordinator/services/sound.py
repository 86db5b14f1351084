"""The sound of a job, mixed by one of its leases."""

from coordinator.db import blobs
from coordinator.db.engine import Transaction
from coordinator.domain.model import LeaseEnd, SoundState
from coordinator.domain.timing import Timing
from coordinator.protocol import ErrorCode, SoundResult
from coordinator.services.changes import move_sound
from coordinator.services.endings import end_lease, end_lease_if_empty, finish_if_done, give_sound_back
from coordinator.services.errors import Refused
from coordinator.services.leases import lock_lease, renew, require_live


def record_sound(tx: Transaction, agent_id: int, lease_id: str, result: SoundResult, timing: Timing) -> None:
    """Record a job's sound, or why the lease could not mix it; the same sound again changes nothing.

    A failure that leaves attempts ends the lease: sound travels with frames, and so there are some for the next try.

    Raises:
        Refused: LEASE_LOST; MISSING_BLOBS; INVALID, neither a file nor a failure, or the lease was not asked for it.
    """
    if (result.file is None) == (result.failure is None):
        raise Refused(ErrorCode.INVALID, "send either the mixed sound or the reason why there is none")
    job, lease = lock_lease(tx, agent_id, lease_id)
    # Under the lock: this very request, sent twice at once, must find what the other one recorded.
    if result.file is not None and job.sound_sha256 == result.file.sha256:
        return
    require_live(lease)
    if job.sound_lease_id != lease.id:
        raise Refused(ErrorCode.INVALID, "this lease was not asked to mix the sound")
    lease = renew(tx, agent_id, lease_id, timing)
    if result.file is None:
        job = give_sound_back(tx, job, result.failure)
        if job.sound_state == SoundState.WANTED:
            end_lease(tx, job, lease, LeaseEnd.FAILED, "The agent could not mix the sound.")
            return
    else:
        if blobs.size(tx.conn, result.file.sha256) is None:
            raise Refused(
                ErrorCode.MISSING_BLOBS,
                "the sound is not in the store; upload it and hand it in again",
                {"missing": [result.file.sha256]},
            )
        job = move_sound(tx, job, SoundState.READY, "The sound is mixed.", sound_sha256=result.file.sha256)
    finish_if_done(tx, end_lease_if_empty(tx, job, lease.id))
