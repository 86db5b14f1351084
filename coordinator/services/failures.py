"""What could not be rendered: whose fault it is, and whether it is tried again.

Functions take the job locked and return it as it is afterwards.
"""

from dataclasses import replace
from typing import Any

import msgspec

from coordinator.db import agents, attempts, chunks, events, set_asides
from coordinator.db.engine import WORK, Transaction
from coordinator.domain import retry
from coordinator.domain.carving import Span, take_out
from coordinator.domain.matching import MEMORY_STEP, needs_of
from coordinator.domain.model import Attempt, Chunk, ChunkState, FrameState, Job, JobState, Lease, LeaseEnd
from coordinator.domain.transitions import GONE, NEW
from coordinator.protocol import RenderSpec
from coordinator.services.changes import (
    check_chunk,
    end_frame,
    set_agent_aside,
    tell,
    update_job,
)
from coordinator.services.endings import (
    end_job,
    end_lease,
    end_lease_if_empty,
    finish_if_done,
    leave_hedge,
)
from coordinator.services.notifications import agent_set_aside
from coordinator.services.queueing import idle_state
from coordinator.services.schemas import NeedsRequest

TURNED_TO_PROCESSORS = "turned_to_processors"
"""The event of a job that fits into no graphics card and is rendered on processors from then on."""
#: Attempts looked at before a job's first finished frame; more of them would have ended it.
_FIRST_ATTEMPTS = 1000
#: An agent is not blamed for these, though another one rendered the frame.
_NOT_BLAMED = {retry.AGENT_LOST, *retry.MEMORY_FAULTS}


def leased_chunk(tx: Transaction, job: Job, lease: Lease, frame: int) -> Chunk | None:
    """Return the chunk of this lease that holds a frame; None if the lease has not got it."""
    if frame not in job.frame_range:
        return None
    return next((it for it in chunks.of_lease(tx.conn, lease.id) if it.first <= frame <= it.last), None)


def take_frame(tx: Transaction, job: Job, chunk: Chunk, frame: int) -> bool:
    """Take a frame out of a leased chunk; False when that leaves nothing of it with its leases."""
    parts = take_out(job.frame_range, chunk.span, frame)
    if not parts:
        check_chunk(tx, job, chunk.state, GONE)
        chunks.remove(tx.conn, chunk)
        return False
    chunks.shrink(tx.conn, chunk, parts[0])
    for part in parts[1:]:
        check_chunk(tx, job, NEW, chunk.state)
        chunks.insert_chunk(tx.conn, job, part, chunk.state, chunk.lease_id, avoid_agent_id=chunk.avoid_agent_id)
    return True


def fail_frame(tx: Transaction, job: Job, lease: Lease, frame: int, code: str, message: str) -> Job:
    """Take note that a frame could not be rendered; one that the lease has not got (any more) changes nothing."""
    chunk = leased_chunk(tx, job, lease, frame)
    if chunk is None:
        return job
    job, forgiven = _forgive(tx, job, lease, frame, code, message)
    if forgiven:
        return _try_again(tx, job, lease, chunk, frame)
    tried = _count_attempt(tx, job, lease, frame, code, message)
    if _verdict(tx, job, tried) == retry.Verdict.RETRY:
        job = _try_again(tx, job, lease, chunk, frame)
    else:
        job = _give_up(tx, job, lease, chunk, frame, message, len(tried))
    return _stop_early(tx, job)


def fail_whole_job(tx: Transaction, job: Job, lease: Lease, code: str, message: str) -> Job:
    """Count that an agent could not render the job at all: its lease ends, and too many of these end the job."""
    job, forgiven = _forgive(tx, job, lease, None, code, message)
    if forgiven:
        return end_lease(tx, job, lease, LeaseEnd.FAILED, "The agent could not render the job.")
    tried = _count_attempt(tx, job, lease, None, code, message)
    job = update_job(tx, job, whole_failures=len(tried))
    job = end_lease(tx, job, lease, LeaseEnd.FAILED, "The agent could not render the job.")
    if job.state.begun and _verdict(tx, job, tried) == retry.Verdict.FAIL:
        job = end_job(tx, job, JobState.FAILED, message)
    return job


def blame(tx: Transaction, job: Job, frame: int, renderer: int) -> None:
    """Set agents aside that failed frames which others, now ``renderer``, could render."""
    failed = {it.agent_id for it in attempts.of_frame(tx.conn, job.id, frame) if it.code not in _NOT_BLAMED}
    for agent_id in sorted(failed - {renderer}):
        outdone = attempts.outdone(tx.conn, job.id, agent_id)
        barred = set_asides.of_agent(tx.conn, agent_id)
        if not retry.agent_verdict(outdone) or any(it.job_id == job.id for it in barred):
            continue
        # Not locked: whoever holds its lock may be waiting for this job's.
        agent = agents.get(tx.conn, agent_id)
        if agent is None:
            continue
        reason = f"{agent.name} failed {outdone} frames of {job.name} (job {job.id}) that other agents rendered."
        set_asides.insert_set_aside(tx.conn, agent_id=agent_id, job_id=job.id, reason=reason, at=tx.now)
        tell(tx, job, "agent_set_aside", f"{reason} It gets no more frames of this job.", {"agent_id": agent_id})
        if agent.set_aside is None and retry.set_aside_altogether(len(barred) + 1):
            whole = (
                f"It failed frames of {len(barred) + 1} jobs that other agents rendered, of {job.name} (job {job.id})"
                " the last. See its Blender and its drivers, then let it work again."
            )
            set_agent_aside(tx, agent_id, whole)
            agent_set_aside(tx, agent_id)


def _verdict(tx: Transaction, job: Job, tried: list[Attempt]) -> retry.Verdict:
    others = _capable(tx, job) > len({it.agent_id for it in tried})
    return retry.frame_verdict([_failure(it) for it in tried], job.max_retries, other_agents_can=others)


def _failure(attempt: Attempt) -> retry.Failure:
    return retry.Failure(attempt.agent_id, attempt.code, attempt.message)


def _capable(tx: Transaction, job: Job) -> int:
    return tx.board.fleet(needs_of(job)).agents


def _forgive(tx: Transaction, job: Job, lease: Lease, frame: int | None, code: str, message: str) -> tuple[Job, bool]:
    """Tell whether a failure counts as none: the world's fault, or too little memory where others have more."""
    what = "The job" if frame is None else f"Frame {frame}"
    data = {"frame": frame, "code": code, "agent_id": lease.agent_id}
    if code in retry.WORLD_FAULTS:
        tell(tx, job, "attempt_forgiven", f"{what} will be tried again, it is not its fault: {message}", data)
        return job, True
    agent = agents.get(tx.conn, lease.agent_id) if code in retry.MEMORY_FAULTS else None
    if agent is None:
        return job, False
    if code == retry.OUT_OF_GPU_MEMORY and _begun_on_a_card(tx, job, lease):
        tell(tx, job, "attempt_forgiven", f"{what} was tried on a graphics card before the job left them.", data)
        return job, True
    if code == retry.OUT_OF_MEMORY or agent.device == "CPU":
        raised = replace(job, ram_needed=max(job.ram_needed, agent.ram_bytes + MEMORY_STEP))
    elif agent.vram_bytes is None and job.cpu_fallback:
        return _turn_to_processors(tx, job, what, data)
    elif agent.vram_bytes is not None:
        raised = replace(job, vram_needed=max(job.vram_needed, agent.vram_bytes + MEMORY_STEP))
    else:
        # Whatever the job needs, it would be given here again.
        return job, False
    if not _capable(tx, raised):
        if code == retry.OUT_OF_GPU_MEMORY and job.cpu_fallback:
            return _turn_to_processors(tx, job, what, data)
        # No one has more: it is tried here as often as anything else, for the memory may have been used by others.
        return job, False
    tell(tx, job, "attempt_forgiven", f"{what} needs more memory than {agent.name} has: {message}", data)
    return update_job(tx, job, ram_needed=raised.ram_needed, vram_needed=raised.vram_needed), True


def _begun_on_a_card(tx: Transaction, job: Job, lease: Lease) -> bool:
    """Tell whether a job is rendered on processors by now, and was not yet when a lease was granted."""
    if not (job.cpu_fallback and msgspec.json.decode(job.render, type=RenderSpec).processor):
        return False
    turned = events.last_of(tx, job.id, TURNED_TO_PROCESSORS)
    return turned is not None and lease.granted_at < turned


def _turn_to_processors(tx: Transaction, job: Job, what: str, data: dict[str, Any]) -> tuple[Job, bool]:
    """Have a job that fits into no graphics card rendered on processors; False if it is already."""
    render = msgspec.json.decode(job.render, type=RenderSpec)
    if render.processor:
        return job, False
    # Any machine will do then: what was asked for of its graphics card has lost its sense.
    needs = msgspec.structs.replace(msgspec.json.decode(job.needs, type=NeedsRequest), device=None, vram_bytes=0)
    warning = (
        f"{what} fits into no graphics card of the farm; the job is rendered on processors now, which takes longer."
    )
    tell(tx, job, TURNED_TO_PROCESSORS, warning, data)
    changed = update_job(
        tx,
        job,
        render=msgspec.json.encode(msgspec.structs.replace(render, processor=True)).decode(),
        needs=msgspec.json.encode(needs).decode(),
        vram_needed=0,
        warnings=(*job.warnings, warning),
    )
    return changed, True


def _try_again(tx: Transaction, job: Job, lease: Lease, chunk: Chunk, frame: int) -> Job:
    """Have a frame rendered by another lease: the second one on it, or one that is still to be granted."""
    if not leave_hedge(tx, chunk, lease, avoid=True):
        take_frame(tx, job, chunk, frame)
        state = idle_state(job)
        check_chunk(tx, job, NEW, state)
        chunks.insert_chunk(tx.conn, job, Span(frame, frame, 1), state, avoid_agent_id=lease.agent_id)
        if state == ChunkState.PENDING:
            job = update_job(tx, job, pending=job.pending + 1)
            tx.notify(WORK)
    return finish_if_done(tx, end_lease_if_empty(tx, job, lease.id))


def _give_up(tx: Transaction, job: Job, lease: Lease, chunk: Chunk, frame: int, message: str, tried: int) -> Job:
    take_frame(tx, job, chunk, frame)
    end_frame(
        tx,
        job,
        frame,
        FrameState.FAILED,
        f"Frame {frame} failed for good after {tried} {'attempt' if tried == 1 else 'attempts'}: {message}",
        reason=message,
        attempts=tried,
        agent_id=lease.agent_id,
        lease_id=lease.id,
    )
    job = update_job(tx, job, failed=job.failed + 1)
    for lease_id in (chunk.lease_id, chunk.hedge_lease_id):
        if lease_id is not None:
            job = end_lease_if_empty(tx, job, lease_id)
    return finish_if_done(tx, job)


def _stop_early(tx: Transaction, job: Job) -> Job:
    """End a job that has not finished a frame and whose frames all fail the same way."""
    if job.finished or not job.state.begun or not job.stop_after:
        return job
    reason = retry.job_verdict(
        finished=job.finished,
        failures=[
            (it.frame, _failure(it))
            for it in attempts.of_frames(tx.conn, job.id, _FIRST_ATTEMPTS)
            if it.frame is not None
        ],
        stop_after=job.stop_after,
        capable_agents=_capable(tx, job),
    )
    return job if reason is None else end_job(tx, job, JobState.FAILED, reason)


def _count_attempt(
    tx: Transaction, job: Job, lease: Lease, frame: int | None, code: str, message: str
) -> list[Attempt]:
    """Record a failed attempt at a frame, or at the whole job (None), and return all of them by now."""
    attempts.insert_attempt(
        tx.conn,
        job_id=job.id,
        frame=frame,
        agent_id=lease.agent_id,
        lease_id=lease.id,
        code=code,
        message=message,
        at=tx.now,
    )
    tried = attempts.of_frame(tx.conn, job.id, frame)
    what = "The job could not be rendered" if frame is None else f"Frame {frame} failed"
    data = {"frame": frame, "code": code, "attempt": len(tried), "agent_id": lease.agent_id}
    tell(tx, job, "attempt_failed", f"{what} (attempt {len(tried)}): {message}", data)
    return tried
