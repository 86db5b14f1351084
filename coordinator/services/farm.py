"""The farm at a glance: how busy it is, what waits, and what it did before."""

from datetime import datetime, timedelta

from coordinator.db import agents, chunks, farm_samples, job_list, jobs, leases
from coordinator.db.engine import Transaction
from coordinator.db.job_list import JobFilter, JobOrder
from coordinator.domain.model import AgentState, JobState
from coordinator.services.farm_schemas import FarmView, SampleView, WaitingJob
from coordinator.services.views import job_views

#: Spans in seconds, and how long each is kept.
MINUTE, HOUR = 60, 3600
KEPT = {MINUTE: timedelta(days=1), HOUR: timedelta(days=31)}

_UNENDED = tuple(state for state in JobState if not state.ended)
#: So many of those that wait longest are named.
_NAMED = 5


def sample(tx: Transaction, finished: int) -> None:
    """Write down how the farm is now, and that so many frames were finished here since the last time."""
    slots, busy = _slots(tx)
    counts = jobs.counts(tx.conn)
    seen = {
        "frames": finished,
        "slots": slots,
        "busy": busy,
        "pending": chunks.pending_frames(tx.conn),
        "jobs": sum(counts.get(state, 0) for state in _UNENDED),
    }
    for span, kept in KEPT.items():
        farm_samples.add(tx.conn, span, _begin(tx.now, span), **seen)
        farm_samples.forget(tx.conn, span, tx.now - kept)


def samples(tx: Transaction, span: int) -> list[SampleView]:
    """Return what was written down in spans of so many seconds, oldest first, where a coordinator ran."""
    return [
        SampleView(
            at=it.at,
            frames=it.frames,
            slots=it.slots / it.samples,
            busy=it.busy / it.samples,
            pending=it.pending / it.samples,
            jobs=it.jobs / it.samples,
        )
        for it in farm_samples.since(tx.conn, span, tx.now - KEPT[span])
    ]


def overview(tx: Transaction, disk_free: int | None, disk_total: int | None) -> FarmView:
    """Return how the farm is now."""
    slots, busy = _slots(tx)
    counts = jobs.counts(tx.conn)
    oldest = job_list.page(tx.conn, JobFilter(states=(JobState.QUEUED,)), JobOrder.OLDEST, None, _NAMED)
    return FarmView(
        slots=slots,
        busy_slots=busy,
        agents={state: count for state, count in agents.counts(tx.conn).items() if state != AgentState.LEFT},
        jobs=counts,
        pending_frames=chunks.pending_frames(tx.conn),
        waiting=[
            WaitingJob(
                id=it.id, name=it.name, user=it.user, since=it.created_at, frames=it.frame_count, reason=it.waiting
            )
            for it in job_views(tx, oldest)
        ],
        disk_free_bytes=disk_free,
        disk_total_bytes=disk_total,
    )


def _slots(tx: Transaction) -> tuple[int, int]:
    """Return how many slots are online, and how many of them have work."""
    online = [agent for agent in agents.everyone(tx.conn) if agent.state == AgentState.ONLINE]
    live = leases.live_of_agents(tx.conn, [agent.id for agent in online])
    return sum(agent.slots for agent in online), len({(lease.agent_id, lease.slot) for lease in live})


def _begin(now: datetime, span: int) -> datetime:
    return now - timedelta(seconds=now.timestamp() % span)
