"""What a slot has not begun is taken from it when it reports: others want it, its job was paused, its agent is kept
from work."""

from collections.abc import Sequence
from itertools import islice

from coordinator.db import chunks
from coordinator.db.engine import WORK, Transaction
from coordinator.domain.carving import carve
from coordinator.domain.model import Chunk, ChunkState, Job, Lease, LeaseEnd
from coordinator.domain.transitions import NEW
from coordinator.protocol import Stage
from coordinator.services.changes import check_chunk, update_job
from coordinator.services.endings import end_lease, leave_hedge
from coordinator.services.queueing import idle_state


def take_untouched(tx: Transaction, job: Job, lease: Lease, why: str, keep: int = 0) -> Job:
    """Take from a lease, just reported on, what it has not begun but the next ``keep`` frames; with none left, it ends.

    They go to other slots, or are held if the job is paused.  ``why`` is for the history of a lease that ends.
    """
    held = chunks.of_lease(tx.conn, lease.id)
    last = _last_kept(job, held, _last_begun(lease, held), keep)
    state = idle_state(job)
    mixes = job.sound_lease_id == lease.id and (lease.stage == Stage.MIXING or state == ChunkState.HELD)
    if last is None and not mixes:
        return end_lease(tx, job, lease, LeaseEnd.RELEASED, why)
    taken = 0
    for chunk in held:
        begun = job.frame_range.count(chunk.first, last) if last is not None else 0
        if begun >= chunk.frame_count:
            continue
        if chunk.hedge_lease_id is not None:
            # The frame is at work elsewhere too; what a paused job has begun anywhere comes to its end.
            if state == ChunkState.PENDING:
                leave_hedge(tx, chunk, lease)
            continue
        if begun <= 0:
            check_chunk(tx, job, chunk.state, state)
            chunks.set_state(tx.conn, chunk, state, avoid_agent_id=chunk.avoid_agent_id)
            taken += chunk.frame_count
            continue
        head, rest = carve(job.frame_range, chunk.span, begun)
        if rest is not None:
            chunks.shrink(tx.conn, chunk, head)
            check_chunk(tx, job, NEW, state)
            chunks.insert_chunk(tx.conn, job, rest, state, avoid_agent_id=chunk.avoid_agent_id)
            taken += rest.count
    if taken and state == ChunkState.PENDING:
        tx.notify(WORK)
        return update_job(tx, job, pending=job.pending + taken)
    return job


def _last_kept(job: Job, held: Sequence[Chunk], begun: int | None, keep: int) -> int | None:
    """Return the last frame that a lease keeps, ``keep`` after the one that was begun last."""
    if keep <= 0:
        return begun
    for chunk in held:
        first = chunk.first if begun is None else max(chunk.first, begun + 1)
        kept = list(islice(job.frame_range.between(first, chunk.last), keep))
        keep -= len(kept)
        if keep <= 0:
            return kept[-1]
    return held[-1].last if held else None


def _last_begun(lease: Lease, held: Sequence[Chunk]) -> int | None:
    """Return the last frame of a lease that was begun by its last report: those before it are on their way."""
    if not held:
        return None
    if lease.stage == Stage.UPLOADING:
        return held[-1].last
    if lease.stage == Stage.RENDERING:
        # Just after a frame was handed in or failed no other one was reported yet: the next one is being rendered.
        return held[0].first if lease.frame is None else max(lease.frame, held[0].first)
    return None
