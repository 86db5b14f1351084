"""What a slot that works on a paused job has not begun is taken from it when it reports."""

from coordinator.db import chunks
from coordinator.db.engine import Transaction
from coordinator.domain.carving import carve
from coordinator.domain.model import Chunk, ChunkState, Job, Lease, LeaseEnd
from coordinator.domain.transitions import NEW
from coordinator.protocol import Stage
from coordinator.services.changes import check_chunk
from coordinator.services.endings import end_lease


def hold_untouched(tx: Transaction, job: Job, lease: Lease) -> Job:
    """Take from a lease of a paused job, just reported on, the frames that it has not begun; with none, it ends."""
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
            chunks.set_state(tx.conn, chunk, ChunkState.HELD, avoid_agent_id=avoid)
            continue
        head, rest = carve(job.frame_range, chunk.span, begun)
        if rest is not None:
            chunks.shrink(tx.conn, chunk, head)
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
