"""What time ends: leases of agents that fell silent, and those agents' being online."""

from datetime import timedelta

from coordinator.db import agents, jobs, leases
from coordinator.db.engine import Transaction
from coordinator.domain.model import AgentState, LeaseEnd
from coordinator.domain.retry import AGENT_LOST
from coordinator.domain.timing import Timing
from coordinator.protocol import Stage
from coordinator.services.changes import move_agent
from coordinator.services.endings import end_lease
from coordinator.services.failures import fail_frame
from coordinator.services.leases import is_live

#: Leases ended in one transaction at most, so that others get their turn.
_BATCH = 100


def reap(tx: Transaction, timing: Timing) -> int:
    """End leases past their time, a batch of them, and return how many; call again while it is not 0.

    The frame being rendered counts a failed attempt, since it may be what brought the agent down; the others do not.
    """
    for agent in agents.lock_silent(tx.conn, tx.now - timedelta(seconds=timing.offline_seconds)):
        move_agent(tx, agent, AgentState.OFFLINE, f"{agent.name} was not heard of for {timing.offline_seconds:.0f} s.")
    ended = 0
    for found in leases.expired(tx.conn, tx.now, _BATCH):
        job = jobs.lock(tx.conn, found.job_id)
        lease = leases.lock_expired(tx.conn, found.id, tx.now)
        if job is None or lease is None:
            continue
        if lease.stage == Stage.RENDERING and lease.frame is not None:
            reason = "the agent was lost while it rendered this frame (switched off, cut off or out of memory)"
            job = fail_frame(tx, job, lease, lease.frame, AGENT_LOST, reason)
        if is_live(tx, lease.id):
            end_lease(tx, job, lease, LeaseEnd.EXPIRED, "Nothing was heard of the agent any more.")
        ended += 1
    return ended


def renew_all(tx: Transaction, timing: Timing) -> int:
    """Give every live lease a full term and return how many there are.

    A coordinator does so when it starts, so that its own absence costs nobody a chunk.
    """
    return leases.extend_all(tx.conn, tx.now + timedelta(seconds=timing.lease_seconds))
