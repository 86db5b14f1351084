"""A slot leaves frames that it has not begun to others: to users who wait for slots, and to slots that are done sooner.

A lease is fitted to what was known when it was granted.  Then others come, and frames turn out lighter or heavier than
those before them; so each report is an occasion to look again.
"""

from coordinator.db import chunks, leases
from coordinator.db.engine import Transaction
from coordinator.domain import carving, takeover
from coordinator.domain.costs import CostProfile
from coordinator.domain.fair_share import SHARED_SECONDS
from coordinator.domain.model import Job, Lease
from coordinator.protocol import Stage
from coordinator.services.pausing import take_untouched
from coordinator.services.takeovers import running_lease

#: A job with this many open frames for each of its slots, or fewer, comes to its end.
ENDING = 6
#: A lease that was granted a moment ago (seconds) is fitted to what is known now.
SETTLED_SECONDS = 5.0
#: When a slot is free is known well enough once this much of what it renders is done.
HALF = 0.5


def wanted_elsewhere(tx: Transaction, job: Job | None) -> bool:
    """Tell whether others may want what a lease of this job holds; asks memory only, for most reports find that not."""
    if job is None or job.chunk_frames is not None:
        return False
    return tx.board.contested(job.created_by) or (job.slots > 1 and job.open_frames <= ENDING * job.slots)


def leave_to_others(tx: Transaction, job: Job, lease: Lease) -> Job:
    """Take from a lease, just reported on, what its slot should not hold on to.

    While other users wait for slots that is what goes beyond the longest lease that would be granted now; as the job
    ends it is what the other slots will be done with earlier.
    """
    held_for = (tx.now - lease.granted_at).total_seconds()
    if job.chunk_frames is not None or lease.stage == Stage.UPLOADING or held_for < SETTLED_SECONDS:
        return job
    costs = CostProfile.decode(job.costs)
    slots_own = leases.live_of_slot(tx.conn, lease.agent_id, lease.slot, job.id)
    running = {
        it.id: running_lease(tx, job, costs, it, chunks.of_lease(tx.conn, it.id), speed=it.speed, asker=lease.agent_id)
        for it in slots_own
    }
    reported = running[lease.id]
    if not reported.untouched or not reported.seconds_per_frame:
        return job
    keep = reported.untouched
    if tx.board.contested(job.created_by):
        keep = min(keep, max(int(SHARED_SECONDS / reported.seconds_per_frame), not reported.rendering))
    if any(it.rendering and it.progress >= HALF for it in running.values()):
        end = _others_end(tx, job, costs, lease, newest=slots_own[-1])
        keep = min(keep, takeover.frames_in_time(list(running.values()), lease.id, end))
    if keep >= reported.untouched:
        return job
    return take_untouched(tx, job, lease, "Others can render its frames sooner.", keep)


def _others_end(tx: Transaction, job: Job, costs: CostProfile, lease: Lease, newest: Lease) -> float:
    """Return in how many seconds the other slots would be done with the job; infinity when there are none."""
    others, speed = job.slots - 1, job.speed - newest.speed
    if others <= 0 or speed <= 0:
        return float("inf")
    rank = job.frame_range.rank(chunks.of_lease(tx.conn, lease.id)[-1].first)
    end = carving.others_end(
        work=costs.around(rank, before=job.open_frames - job.pending, after=job.pending) or 0.0,
        frame_seconds=costs.seconds(rank) or 0.0,
        others=others,
        speed=speed,
    )
    # What was granted by a cautious estimate is taken back only where a plain one says that it would be late.
    return carving.CAUTION * end
