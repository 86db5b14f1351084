"""What an idle slot is given of jobs of which nothing is pending: the tail of a running lease, or a late frame."""

from collections.abc import Sequence
from datetime import timedelta

from coordinator.db import chunks, jobs, leases
from coordinator.db.engine import Notice, Transaction
from coordinator.domain import carving, takeover
from coordinator.domain.carving import Span
from coordinator.domain.costs import CostProfile
from coordinator.domain.model import Chunk, Job, JobState, Lease, LeaseEnd
from coordinator.protocol import LeaseGrant, Stage
from coordinator.services.changes import tell
from coordinator.services.endings import end_lease
from coordinator.services.grants import Asking, grant, hand_over, to_message, within_limits

#: Leases looked at: those with the most frames, then those granted first.
_LOOKED_AT = 64
#: A job at which nothing was to be gained is looked at again after so many seconds.
_REST_SECONDS = 1.0
#: What takes longer than expected is taken to need this part of the time it took so far.
_OVERDUE = 0.25


def take_over(tx: Transaction, asking: Asking) -> LeaseGrant | None:
    """Give a slot what another one holds and would be late with; None when nothing is to be gained.

    One that is busy gets nothing: it asks again when it is not, and until then another one may be free.
    """
    if asking.request.busy_seconds > 0:
        return None
    for job_id in tx.board.running(asking.offer, tx.now):
        job = jobs.lock(tx.conn, job_id)
        tx.changed_jobs[job_id] = job
        if job is None or job.state != JobState.RUNNING or job.pending or not within_limits(tx, asking, job):
            continue
        taken = _take_over(tx, asking, job)
        if taken is not None:
            return taken
        tx.board.rest(job.id, tx.now + timedelta(seconds=_REST_SECONDS))
    return None


def _take_over(tx: Transaction, asking: Asking, job: Job) -> LeaseGrant | None:
    costs = CostProfile.decode(job.costs)
    holdings = _holdings(tx, job)
    speed, asker = asking.agent.speed, asking.agent.id
    running = [
        running_lease(tx, job, costs, lease, held, speed=speed, asker=asker) for lease, held in holdings.values()
    ]
    agent_id, slot = asking.agent.id, asking.request.slot
    start = asking.start_seconds(job, costs)
    if job.chunk_frames is None:
        tail = takeover.choose_tail(
            running, agent_id=agent_id, slot=slot, start_seconds=start, report_seconds=asking.timing.report_seconds
        )
        if tail is not None:
            return _grant_tail(tx, asking, job, costs, *holdings[tail.lease_id], tail.frames)
    if job.hedge:
        late = takeover.choose_hedge(running, agent_id=agent_id, slot=slot, start_seconds=start)
        if late is not None:
            lease, held = holdings[late]
            return _grant_hedge(tx, asking, job, costs, lease, held[0])
    return None


def _holdings(tx: Transaction, job: Job) -> dict[str, tuple[Lease, Sequence[Chunk]]]:
    """Return the leases with the most frames and their chunks in order, those granted first coming first."""
    found = sorted(leases.largest(tx.conn, job.id, _LOOKED_AT), key=lambda lease: (lease.granted_at, lease.id))
    for lease in found:
        chunks.ask_for_lease(tx.conn, lease.id)
    return {lease.id: (lease, chunks.of_lease(tx.conn, lease.id)) for lease in found}


def running_lease(
    tx: Transaction, job: Job, costs: CostProfile, lease: Lease, held: Sequence[Chunk], *, speed: float, asker: int
) -> takeover.Running:
    """Return what is known of a live lease of a job; ``speed`` is that of a slot of the agent ``asker``."""
    rendering = lease.stage == Stage.RENDERING and lease.frame is not None
    left = sum(chunk.frame_count for chunk in held)
    # What it has rendered and still uploads is nobody's to take.
    untouched = 0 if lease.stage == Stage.UPLOADING else left
    if rendering and lease.frame is not None:
        untouched = sum(job.frame_range.count(max(chunk.first, lease.frame + 1), chunk.last) for chunk in held)
    works = [costs.total(job.frame_range.rank(chunk.first), chunk.frame_count) for chunk in held]
    work = sum(it for it in works if it is not None) / left if left and None not in works else None
    begun = (tx.now - lease.granted_at).total_seconds()
    return takeover.Running(
        lease_id=lease.id,
        agent_id=lease.agent_id,
        slot=lease.slot,
        frames_left=left,
        untouched=untouched,
        rendering=rendering,
        seconds_per_frame=None if work is None else work / lease.speed,
        own_seconds_per_frame=None if work is None else work / speed,
        elapsed=(tx.now - lease.frame_since).total_seconds() if rendering and lease.frame_since else 0.0,
        progress=lease.progress,
        remaining_seconds=lease.remaining_seconds,
        load_left=_load_left(lease, begun) if not rendering else 0.0,
        hedgeable=all(chunk.hedge_lease_id is None and chunk.avoid_agent_id != asker for chunk in held),
    )


def _load_left(lease: Lease, begun: float) -> float:
    """Return how long opening the scene still takes; when it takes longer than expected, it goes on for a while."""
    return max(lease.load_seconds - begun, _OVERDUE * begun) if lease.load_seconds else 0.0


def _grant_tail(
    tx: Transaction, asking: Asking, job: Job, costs: CostProfile, owner: Lease, held: Sequence[Chunk], count: int
) -> LeaseGrant:
    """Give the last ``count`` frames of a lease to another slot; a lease that has none left ends."""
    kept, taken = carving.split_tail(job.frame_range, [chunk.span for chunk in held], count)
    job, granted = grant(tx, asking, job, taken, asking.charge(job, costs, taken))
    for span in taken:
        chunk = next(chunk for chunk in held if chunk.first <= span.first <= chunk.last)
        hand_over(tx, job, chunk, granted, span, [kept[-1]] if chunk.first < span.first else [])
    message = f"{asking.agent.name} was idle and took over the last {count} of the frames of another slot."
    tx.happened["tail_taken_over"] += 1
    tell(tx, job, "tail_taken_over", message, {"lease": granted.id, "from": owner.id, "frames": count})
    tx.notify(Notice(kind="agent", id=owner.agent_id))
    if not kept:
        job = end_lease(tx, job, owner, LeaseEnd.TAKEN_OVER, "Idle slots took over all of its frames.")
    frames = [frame for span in taken for frame in job.frame_range.between(span.first, span.last)]
    return to_message(job, granted, frames)


def _grant_hedge(
    tx: Transaction, asking: Asking, job: Job, costs: CostProfile, owner: Lease, chunk: Chunk
) -> LeaseGrant:
    """Have a second slot render the one frame that a lease has left."""
    span = Span(chunk.first, chunk.last, 1)
    job, granted = grant(tx, asking, job, [span], asking.charge(job, costs, [span]))
    chunks.hedge(tx.conn, chunk, granted.id)
    message = f"Frame {chunk.first} takes long: {asking.agent.name} renders it as well, and the first result counts."
    tx.happened["frame_hedged"] += 1
    tell(tx, job, "frame_hedged", message, {"lease": granted.id, "from": owner.id, "frame": chunk.first})
    return to_message(job, granted, [chunk.first])
