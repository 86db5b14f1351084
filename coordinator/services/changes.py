"""State changes: each is checked against the table, guarded by the state that was read, and written to the history."""

from collections.abc import Mapping
from typing import Any

from coordinator.db import agents, events, frames, jobs, leases
from coordinator.db.engine import VIDEO, Notice, Transaction
from coordinator.domain import transitions
from coordinator.domain.model import (
    Agent,
    AgentState,
    FrameState,
    Job,
    JobState,
    Lease,
    LeaseEnd,
    LeaseState,
    SoundState,
    User,
)


def update_job(tx: Transaction, job: Job, **values: Any) -> Job:
    """Set columns of a job without changing its state, and return it."""
    changed = tx.changed_jobs[job.id] = jobs.change(tx.conn, job, **values)
    tx.notify(Notice(kind="job", id=job.id))
    return changed


def tell(tx: Transaction, job: Job, kind: str, message: str, data: Mapping[str, Any] | None = None) -> None:
    """Add a line to a job's history."""
    events.append(tx, kind, message, job_id=job.id, data=data)


def tell_agent(tx: Transaction, agent: Agent, kind: str, message: str, data: Mapping[str, Any] | None = None) -> None:
    """Add a line to an agent's history."""
    events.append(tx, kind, message, agent_id=agent.id, data=data)
    tx.notify(Notice(kind="agent", id=agent.id))


def move_job(tx: Transaction, job: Job, state: JobState, message: str, **values: Any) -> Job:
    """Change a job's state, with ``values`` for other columns, and return it."""
    transitions.check("job", job.id, job.state, state, lambda: events.history(tx, job_id=job.id))
    moved = update_job(tx, job, state=state, **values)
    tell(tx, job, state.value, message, {"from": job.state})
    if state == JobState.STITCHING:
        tx.notify(VIDEO)
    return moved


def move_sound(tx: Transaction, job: Job, state: SoundState, message: str, **values: Any) -> Job:
    """Change the state of a job's sound, which no lease has to mix any more, and return the job."""
    transitions.check("sound", job.id, job.sound_state, state, lambda: events.history(tx, job_id=job.id))
    moved = update_job(tx, job, sound_state=state, sound_lease_id=None, **values)
    tell(tx, job, f"sound_{state.value}", message)
    return moved


def check_chunk(tx: Transaction, job: Job, old: str, new: str) -> None:
    """Check a change of a chunk; the line in the history is that of the lease, frame or job that caused it."""
    transitions.check("chunk", f"of job {job.id}", old, new, lambda: events.history(tx, job_id=job.id))


def end_lease_row(tx: Transaction, lease: Lease, reason: LeaseEnd, message: str) -> Lease:
    """End a live lease and return it; what happens to its frames is the caller's business."""
    transitions.check("lease", lease.id, lease.state, LeaseState.ENDED, lambda: events.history(tx, job_id=lease.job_id))
    ended = leases.change(tx.conn, lease, state=LeaseState.ENDED, end_reason=reason, ended_at=tx.now)
    lease_ended(tx, ended, message)
    return ended


def lease_ended(tx: Transaction, lease: Lease, message: str) -> None:
    """Write to the history that a lease ended."""
    data = {"lease": lease.id, "slot": lease.slot, "reason": lease.end_reason}
    events.append(tx, "lease_ended", message, job_id=lease.job_id, agent_id=lease.agent_id, data=data)
    tx.notify(Notice(kind="agent", id=lease.agent_id))


def end_frame(tx: Transaction, job: Job, frame: int, state: FrameState, message: str, **values: Any) -> None:
    """Record how a frame of a job ended; the counters and the chunk are the caller's business."""
    transitions.check(
        "frame",
        f"{frame} of job {job.id}",
        transitions.OPEN,
        state,
        lambda: events.history(tx, job_id=job.id),
    )
    frames.insert_frame(tx.conn, job_id=job.id, frame=frame, state=state, ended_at=tx.now, **values)
    tell(tx, job, f"frame_{state.value}", message, {"frame": frame})
    tx.happened[f"frame_{state.value}"] += 1
    tx.notify(Notice(kind="frame", id=job.id, frame=frame, state=state.value))


def update_user(tx: Transaction, user: User) -> User:
    """Take note that a user was changed, and return it."""
    tx.changed_users[user.name] = user
    return user


def add_agent(tx: Transaction, **values: Any) -> Agent:
    """Add an agent and return it."""
    added = agents.insert_agent(tx.conn, **values)
    tx.changed_agents[added.id] = added
    return added


def update_agent(tx: Transaction, agent: Agent, **values: Any) -> Agent:
    """Set columns of an agent without changing its state, and return it."""
    changed = tx.changed_agents[agent.id] = agents.change(tx.conn, agent, **values)
    return changed


def set_agent_aside(tx: Transaction, agent_id: int, reason: str) -> None:
    """Give an agent, which need not be locked, no more work until a person lets it back."""
    aside = tx.changed_agents[agent_id] = agents.set_aside(tx.conn, agent_id, reason, tx.now)
    tell_agent(tx, aside, "set_aside", reason)


def move_agent(tx: Transaction, agent: Agent, state: AgentState, message: str, **values: Any) -> Agent:
    """Change an agent's state, with ``values`` for other columns, and return it."""
    transitions.check("agent", agent.id, agent.state, state, lambda: events.history(tx, agent_id=agent.id))
    moved = update_agent(tx, agent, state=state, **values)
    tell_agent(tx, moved, state.value, message)
    return moved
