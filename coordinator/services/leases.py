"""A lease's life: granted, reported on, renewed."""

import secrets
from datetime import timedelta

import msgspec

from coordinator.db import agents, chunks, jobs, leases, leasing
from coordinator.db.engine import Notice, Transaction
from coordinator.domain import carving
from coordinator.domain.model import (
    Agent,
    Chunk,
    ChunkState,
    Job,
    JobState,
    Lease,
    LeaseEnd,
    LeaseState,
    SoundState,
    blender_number,
)
from coordinator.domain.retry import AGENT_LOST
from coordinator.domain.timing import Timing
from coordinator.domain.transitions import NEW
from coordinator.protocol import (
    ErrorCode,
    JobSpec,
    LeaseGrant,
    LeaseRequest,
    OutputSpec,
    RenderSpec,
    ReportRequest,
    ReportResponse,
    Stage,
)
from coordinator.services.agents import heard_of
from coordinator.services.changes import check_chunk, chunk_written, move_job, tell, update_job
from coordinator.services.endings import end_lease
from coordinator.services.errors import Refused, lease_lost
from coordinator.services.failures import fail_frame, fail_whole_job

#: The one it renders and the next one, so that a slot never waits.
LEASES_PER_SLOT = 2
#: A job keeps this many different warnings.
MAX_WARNINGS = 100


def lease(tx: Transaction, agent_id: int, request: LeaseRequest, timing: Timing) -> LeaseGrant | None:
    """Give a slot work; None when there is none for it.

    A live lease that the slot does not know of (the answer was lost, or its process died) is granted again.

    Raises:
        Refused: AGENT_GONE, the agent must register again; INVALID, it has no such slot.
    """
    agent = heard_of(tx, agent_id)
    if request.slot >= agent.slots:
        raise Refused(ErrorCode.INVALID, f"agent {agent.name} has {agent.slots} slots, and no slot {request.slot}")
    held = 0
    for live in leases.live_of_slot(tx.conn, agent.id, request.slot):
        if live.id in request.holds:
            held += 1
            continue
        grant = _grant_again(tx, live, timing)
        if grant is not None:
            return grant
    if held >= LEASES_PER_SLOT:
        return None
    version = blender_number(*request.blender[:2])
    while (candidate := leasing.find(tx.conn, version)) is not None:
        job = jobs.lock(tx.conn, candidate.job_id)
        chunk = chunks.get(tx.conn, candidate.chunk_id)
        # Another slot may have been faster: look again for what is the best chunk now.
        if job is not None and chunk is not None and chunk.state == ChunkState.PENDING:
            return _grant(tx, agent, request.slot, job, chunk, timing)
    return None


def report(tx: Transaction, agent_id: int, lease_id: str, request: ReportRequest, timing: Timing) -> ReportResponse:
    """Take note of where a slot is, of what failed and what it gives back; tell how far it shall go on.

    Raises:
        Refused: LEASE_LOST, AGENT_GONE.
    """
    heard_of(tx, agent_id)
    job, _ = lock_live(tx, agent_id, lease_id)
    current = leases.change(
        tx.conn,
        lease_id,
        expires_at=tx.now + timedelta(seconds=timing.lease_seconds),
        stage=request.stage.value,
        frame=request.frame,
        progress=request.progress,
        remaining_seconds=request.remaining_seconds,
        memory_bytes=request.memory_bytes,
    )
    if current is None:
        raise lease_lost()
    tx.notify(Notice(kind="job", id=job.id))
    tx.notify(Notice(kind="agent", id=agent_id))
    job = _add_warnings(tx, job, request.warnings)
    for failure in request.failures:
        if failure.frame is None:
            job = fail_whole_job(tx, job, current, failure.code, failure.message)
        else:
            job = fail_frame(tx, job, current, failure.frame, failure.code, failure.message)
        if not is_live(tx, lease_id):
            return ReportResponse(last_frame=None)
    if request.release:
        end_lease(tx, job, current, LeaseEnd.RELEASED, "The agent handed back what it had not rendered.")
        return ReportResponse(last_frame=None)
    left = chunks.of_lease(tx.conn, lease_id)
    return ReportResponse(last_frame=left[-1].last if left else None)


def renew(tx: Transaction, agent_id: int, lease_id: str, timing: Timing) -> None:
    """Let a lease live on, as an upload under it does.

    Raises:
        Refused: LEASE_LOST.
    """
    if not leases.extend(tx.conn, lease_id, agent_id, tx.now + timedelta(seconds=timing.lease_seconds)):
        raise lease_lost()


def lock_lease(tx: Transaction, agent_id: int, lease_id: str) -> tuple[Job, Lease]:
    """Return an agent's lease, live or ended, and its job; under the job's lock no one else can change either.

    Raises:
        Refused: LEASE_LOST, it never had one of that id.
    """
    known = leases.get(tx.conn, lease_id)
    job = jobs.lock(tx.conn, known.job_id) if known is not None and known.agent_id == agent_id else None
    # Read again: it may have ended while we waited for the lock.
    current = leases.get(tx.conn, lease_id) if job is not None else None
    if job is None or current is None:
        raise lease_lost()
    return job, current


def require_live(lease: Lease) -> None:
    """Raise Refused (LEASE_LOST) for a lease that has ended."""
    if lease.state != LeaseState.LIVE:
        raise lease_lost()


def lock_live(tx: Transaction, agent_id: int, lease_id: str) -> tuple[Job, Lease]:
    """Return an agent's live lease and its job, locked.

    Raises:
        Refused: LEASE_LOST, it has none of that id.
    """
    job, lease = lock_lease(tx, agent_id, lease_id)
    require_live(lease)
    return job, lease


def is_live(tx: Transaction, lease_id: str) -> bool:
    """Tell whether a lease has not ended."""
    current = leases.get(tx.conn, lease_id)
    return current is not None and current.state == LeaseState.LIVE


def _grant(tx: Transaction, agent: Agent, slot: int, job: Job, chunk: Chunk, timing: Timing) -> LeaseGrant:
    """Carve a lease off a pending chunk."""
    size = carving.lease_size(
        pending=chunks.pending_frames(tx.conn, job.id),
        slots=agents.online_slots(tx.conn, job.min_blender),
        seconds_per_frame=carving.typical_seconds(job.recent_seconds),
    )
    head, rest = carving.carve(job.frame_range, carving.Span(chunk.first, chunk.last, chunk.frame_count), size)
    granted = leases.insert_lease(
        tx.conn,
        lease_id=secrets.token_hex(8),
        job_id=job.id,
        agent_id=agent.id,
        slot=slot,
        granted_at=tx.now,
        expires_at=tx.now + timedelta(seconds=timing.lease_seconds),
    )
    if rest is None:
        check_chunk(tx, job, chunk.state, ChunkState.LEASED)
        chunk_written(job, chunks.set_state(tx.conn, chunk, ChunkState.LEASED, granted.id))
    else:
        # The rest keeps its row and its place in the claim order.
        chunk_written(job, chunks.shrink(tx.conn, chunk, rest))
        check_chunk(tx, job, NEW, ChunkState.LEASED)
        chunks.insert_chunk(tx.conn, job, head, ChunkState.LEASED, granted.id)
    if job.state == JobState.QUEUED:
        job = move_job(tx, job, JobState.RUNNING, "The first frames are being rendered.", started_at=tx.now)
    if job.sound_state == SoundState.WANTED and job.sound_lease_id is None:
        job = update_job(tx, job, sound_lease_id=granted.id)
    which = f"frame {head.first}" if head.count == 1 else f"frames {head.first} to {head.last}"
    data = {"lease": granted.id, "agent": agent.name, "slot": slot, "first": head.first, "last": head.last}
    tell(tx, job, "lease_granted", f"{agent.name}, slot {slot}, renders {which}.", data)
    tx.notify(Notice(kind="job", id=job.id))
    tx.notify(Notice(kind="agent", id=agent.id))
    return _to_grant(job, granted, list(job.frame_range.between(head.first, head.last)))


def _grant_again(tx: Transaction, live: Lease, timing: Timing) -> LeaseGrant | None:
    """Return the grant of a live lease that its slot has lost sight of; None if nothing of it is left to render."""
    job, live = lock_lease(tx, live.agent_id, live.id)
    if live.state != LeaseState.LIVE:
        # It ended while we waited for the lock of its job.
        return None
    if live.stage == Stage.RENDERING and live.frame is not None:
        # The process that rendered it is gone: a frame that brings its agent down must not be given out for ever.
        job = fail_frame(tx, job, live, live.frame, AGENT_LOST, "the agent was restarted while it rendered this frame")
        if not is_live(tx, live.id):
            return None
    frames = [
        frame
        for chunk in chunks.of_lease(tx.conn, live.id)
        for frame in job.frame_range.between(chunk.first, chunk.last)
    ]
    if not frames:
        end_lease(tx, job, live, LeaseEnd.RELEASED, "The agent lost sight of a lease without frames.")
        return None
    leases.change(
        tx.conn,
        live.id,
        expires_at=tx.now + timedelta(seconds=timing.lease_seconds),
        stage=None,
        frame=None,
        progress=0.0,
        remaining_seconds=None,
    )
    return _to_grant(job, live, frames)


def _to_grant(job: Job, granted: Lease, frames: list[int]) -> LeaseGrant:
    mixes = job.sound_lease_id == granted.id
    return LeaseGrant(
        lease_id=granted.id,
        job=JobSpec(
            job_id=job.id,
            name=job.name,
            pack_id=job.pack_id,
            render=msgspec.json.decode(job.render, type=RenderSpec),
            output=msgspec.json.decode(job.output, type=OutputSpec),
        ),
        frames=frames,
        mix_sound=mixes,
        sound_range=(job.frame_range.first, job.frame_range.last) if mixes else None,
    )


def _add_warnings(tx: Transaction, job: Job, warnings: list[str]) -> Job:
    new = [warning for warning in dict.fromkeys(warnings) if warning not in job.warnings]
    new = new[: max(0, MAX_WARNINGS - len(job.warnings))]
    for warning in new:
        tell(tx, job, "warning", warning)
    return update_job(tx, job, warnings=(*job.warnings, *new)) if new else job
