"""A lease's life: granted, reported on, renewed."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import msgspec

from coordinator.db import agents, attempts, chunks, jobs, leases, set_asides
from coordinator.db.engine import Notice, Transaction, looks_ahead
from coordinator.domain import carving
from coordinator.domain.board import SlotOffer
from coordinator.domain.carving import Span
from coordinator.domain.costs import CostProfile
from coordinator.domain.matching import capability_of, needs_of
from coordinator.domain.model import Agent, Chunk, ChunkState, Job, JobState, Lease, LeaseEnd, LeaseState
from coordinator.domain.retry import AGENT_LOST
from coordinator.domain.timing import Timing
from coordinator.domain.versions import blender_number
from coordinator.protocol import (
    ErrorCode,
    LeaseGrant,
    LeaseRequest,
    RenderSpec,
    ReportRequest,
    ReportResponse,
    Stage,
)
from coordinator.services.agents import heard_of
from coordinator.services.changes import tell, update_agent, update_job
from coordinator.services.endings import end_lease
from coordinator.services.errors import Refused, lease_lost
from coordinator.services.failures import fail_frame, fail_whole_job
from coordinator.services.grants import Asking, grant, hand_over, to_message, within_limits
from coordinator.services.pausing import take_untouched
from coordinator.services.takeovers import take_over
from coordinator.services.yielding import leave_to_others, wanted_elsewhere

#: The one it renders and the next one, so that a slot never waits.
LEASES_PER_SLOT = 2
#: A job keeps this many different warnings.
MAX_WARNINGS = 100
#: A frame waits so long (seconds) for another agent than the one that failed on it.
AVOID_SECONDS = 60.0


def look_ahead(tx: Transaction, calls: Sequence[tuple[int, LeaseRequest, Timing]]) -> None:
    """Have what several calls of :func:`lease` are likely to need locked and read at once."""
    for agent_id in sorted({agent_id for agent_id, _, _ in calls}):
        agents.ask_to_lock(tx.conn, agent_id)
        set_asides.ask_for_agent(tx.conn, agent_id)
    for agent_id, slot in sorted({(agent_id, request.slot) for agent_id, request, _ in calls}):
        leases.ask_for_slot(tx.conn, agent_id, slot)
    offers = [offer_of(tx, agent_id, request) for agent_id, request, _ in calls]
    job_ids = tx.board.likely([offer for offer in offers if offer is not None], tx.now)
    for job_id in sorted(job_ids):
        jobs.ask_to_lock(tx.conn, job_id)
    for job_id in job_ids:
        chunks.ask_for_pending(tx.conn, job_id)
    for agent_id, request, _ in calls:
        for live in leases.seen_of_slot(tx.conn, agent_id, request.slot):
            if live.job_id in job_ids:
                leases.ask_for(tx.conn, live.id)


@looks_ahead(look_ahead)
def lease(tx: Transaction, agent_id: int, request: LeaseRequest, timing: Timing) -> LeaseGrant | None:
    """Give a slot work; None when there is none for it.

    A live lease that the slot does not know of (the answer was lost, or its process died) is granted again.

    Raises:
        Refused: AGENT_GONE, the agent must register again; INVALID, it has no such slot.
    """
    agent = heard_of(tx, agent_id, timing, request.telemetry)
    if request.slot >= agent.slots:
        raise Refused(ErrorCode.INVALID, f"agent {agent.name} has {agent.slots} slots, and no slot {request.slot}")
    # An agent rests when all of its slots do.
    resting = None if request.others_work else request.resting
    if resting != agent.resting:
        agent = update_agent(tx, agent, resting=resting)
        tx.notify(Notice(kind="agent", id=agent_id))
    if request.resting is not None:
        return None
    held: list[Lease] = []
    for live in leases.seen_of_slot(tx.conn, agent.id, request.slot):
        if live.id in request.holds:
            held.append(live)
        elif (again := _grant_again(tx, agent, live, timing)) is not None:
            return again
    if len(held) >= LEASES_PER_SLOT or agent.kept_from_work:
        return None
    asking = Asking(
        agent=agent, request=request, held=held, offer=_offer(tx, agent, request, held), timing=timing, board=tx.board
    )
    return _next_work(tx, asking)


def offer_of(tx: Transaction, agent_id: int, request: LeaseRequest) -> SlotOffer | None:
    """Return what a request for work offers, to ask the board with while it waits; None: it can be given nothing."""
    agent = agents.lock(tx.conn, agent_id)
    if agent is None or agent.kept_from_work or request.resting is not None:
        return None
    held = [live for live in leases.seen_of_slot(tx.conn, agent_id, request.slot) if live.id in request.holds]
    return None if len(held) >= LEASES_PER_SLOT else _offer(tx, agent, request, held)


@looks_ahead(look_ahead)
def lease_or_offer(
    tx: Transaction, agent_id: int, request: LeaseRequest, timing: Timing
) -> LeaseGrant | SlotOffer | None:
    """Give a slot work as :func:`lease` does, or else return what it offers as :func:`offer_of` does."""
    return lease(tx, agent_id, request, timing) or offer_of(tx, agent_id, request)


def look_at_leases(tx: Transaction, held: Sequence[tuple[int, str]]) -> None:
    """Have agents locked, and leases of theirs with their jobs and chunks, and read at once."""
    for agent_id in sorted({agent_id for agent_id, _ in held}):
        agents.ask_to_lock(tx.conn, agent_id)
    for _, lease_id in held:
        leases.ask_for_place(tx.conn, lease_id)
    places = {lease_id: leases.place(tx.conn, lease_id) for _, lease_id in held}
    for job_id in sorted({place.job_id for place in places.values() if place is not None}):
        jobs.ask_to_lock(tx.conn, job_id)
    for lease_id, place in places.items():
        if place is not None:
            leases.ask_for(tx.conn, lease_id)
            leases.ask_for_slot_and_job(tx.conn, place)
            chunks.ask_for_lease(tx.conn, lease_id)


def look_ahead_of_reports(tx: Transaction, calls: Sequence[tuple[int, str, ReportRequest, Timing]]) -> None:
    """Have what several calls of :func:`report` are likely to need locked and read at once."""
    look_at_leases(tx, [(agent_id, lease_id) for agent_id, lease_id, _, _ in calls])


def _decides(request: ReportRequest) -> bool:
    """Tell whether a report changes more than its lease."""
    return bool(request.failures or request.warnings or request.release)


@looks_ahead(look_ahead_of_reports)
def report(tx: Transaction, agent_id: int, lease_id: str, request: ReportRequest, timing: Timing) -> ReportResponse:
    """Take note of where a slot is, of what failed and what it gives back; tell how far it shall go on.

    Raises:
        Refused: LEASE_LOST, AGENT_GONE.
    """
    agent = heard_of(tx, agent_id, timing, request.telemetry)
    # Failures, and what is taken back, decide on the job, and whoever does that locks it first.
    job = known = None
    seen = jobs.seen_of_lease(tx.conn, lease_id)
    paused = seen is not None and seen.state == JobState.PAUSED
    if _decides(request) or agent.kept_from_work or paused or wanted_elsewhere(tx, seen):
        job, known = lock_live(tx, agent_id, lease_id)
    current = leases.report(
        tx.conn,
        lease_id,
        agent_id,
        known=known,
        now=tx.now,
        expires_at=tx.now + timedelta(seconds=timing.lease_seconds),
        stage=request.stage.value,
        frame=request.frame,
        progress=request.progress,
        remaining_seconds=request.remaining_seconds,
        memory_bytes=request.memory_bytes,
    )
    if current is None:
        raise lease_lost()
    tx.notify(Notice(kind="job", id=current.job_id))
    tx.notify(Notice(kind="agent", id=agent_id))
    if job is not None:
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
        if job.state == JobState.PAUSED:
            take_untouched(tx, job, current, "The job was paused before a frame was begun.")
        elif agent.kept_from_work:
            take_untouched(tx, job, current, "The agent was drained or set aside before a frame was begun.")
        elif job.state == JobState.RUNNING:
            leave_to_others(tx, job, current)
    return ReportResponse(last_frame=last_frame(tx, lease_id), processor=_on_processors(job or seen))


def _on_processors(job: Job | None) -> bool:
    """Tell whether a job whose leases may say otherwise has been turned to processors."""
    return job is not None and job.cpu_fallback and msgspec.json.decode(job.render, type=RenderSpec).processor


def last_frame(tx: Transaction, lease_id: str) -> int | None:
    """Return the last frame that a lease has left; None if it has none."""
    left = chunks.seen_of_lease(tx.conn, lease_id)
    return left[-1].last if left else None


def renew(tx: Transaction, agent_id: int, lease_id: str, timing: Timing) -> Lease:
    """Let a lease live on, as an upload under it does, and return it.

    Raises:
        Refused: LEASE_LOST.
    """
    renewed = leases.extend(tx.conn, lease_id, agent_id, tx.now + timedelta(seconds=timing.lease_seconds))
    if renewed is None:
        raise lease_lost()
    return renewed


def lock_lease(tx: Transaction, agent_id: int, lease_id: str) -> tuple[Job, Lease]:
    """Return an agent's lease, live or ended, and its job; under the job's lock no one else can change either.

    Raises:
        Refused: LEASE_LOST, it never had one of that id.
    """
    job = jobs.lock_of_lease(tx.conn, lease_id, agent_id)
    # Read under the lock: it may have ended while we waited for that.
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
    return leases.get_live(tx.conn, lease_id) is not None


def _offer(tx: Transaction, agent: Agent, request: LeaseRequest, held: Sequence[Lease]) -> SlotOffer:
    return SlotOffer(
        agent_id=agent.id,
        slot=request.slot,
        capability=capability_of(agent, blender_number(*request.blender[:2])),
        open_pack=request.open_pack,
        cached_packs=frozenset(request.cached_packs),
        holds=frozenset(live.job_id for live in held),
        barred=frozenset(it.job_id for it in set_asides.seen_of_agent(tx.conn, agent.id)),
    )


def _next_work(tx: Transaction, asking: Asking) -> LeaseGrant | None:
    """Give a slot frames that are pending, or else what another slot would be late with."""
    for job_id in _candidates(tx, asking.offer):
        job = jobs.lock(tx.conn, job_id)
        # The board shows what was; under the lock is what is.
        tx.changed_jobs[job_id] = job
        if job is None or job.state not in (JobState.QUEUED, JobState.RUNNING) or not job.pending:
            continue
        if not within_limits(tx, asking, job):
            continue
        granted = _lease_pending(tx, asking, job)
        if granted is not None:
            return granted
        if asking.request.busy_seconds > 0 and asking.holds(job):
            # When it asks again, it is free, and may well be given frames of the scene that it has open.
            return None
    return take_over(tx, asking)


def _candidates(tx: Transaction, offer: SlotOffer) -> Iterator[int]:
    """Yield the jobs to try, the first one first; it nearly always does, and costs less than several."""
    first = tx.board.candidates(offer, tx.now, limit=1)
    yield from first
    if first:
        yield from (job_id for job_id in tx.board.candidates(offer, tx.now) if job_id not in first)


def _lease_pending(tx: Transaction, asking: Asking, job: Job) -> LeaseGrant | None:
    """Carve a lease off the job's pending frames; None when this slot should have none of them."""
    if job.first_look and (looked := _lease_look(tx, asking, job)) is not None:
        return looked
    chunk = chunks.next_pending(tx.conn, job.id, asking.agent.id) or _avoided(tx, job)
    if chunk is None:
        return None
    costs = CostProfile.decode(job.costs)
    rank = job.frame_range.rank(chunk.first)
    own = [live for live in asking.held if live.job_id == job.id]
    size = carving.lease_size(
        pending_frames=chunk.frame_count if job.chunk_frames else job.pending,
        pending_seconds=costs.around(rank, after=job.pending),
        frame_seconds=costs.seconds(rank),
        leased_seconds=costs.around(rank, before=job.open_frames - job.pending) or 0.0,
        own_speed=asking.agent.speed,
        fleet_speed=tx.board.fleet(needs_of(job)).speed,
        others=job.slots - bool(own),
        others_speed=job.speed - (own[-1].speed if own else 0.0),
        start_seconds=asking.start_seconds(job, costs),
        target_seconds=asking.target_seconds(job),
        fixed=job.chunk_frames,
    )
    if not size:
        return None
    head, rest = carving.carve(job.frame_range, chunk.span, size)
    charge = asking.charge(job, costs, [head])
    job, granted = grant(tx, asking, job, [head], charge, pending=job.pending - head.count)
    hand_over(tx, job, chunk, granted, head, [] if rest is None else [rest])
    return to_message(job, granted, list(job.frame_range.between(head.first, head.last)))


def _lease_look(tx: Transaction, asking: Asking, job: Job) -> LeaseGrant | None:
    """Lease the one frame by which the shot is seen better; None once it is seen well enough."""
    if job.looks >= carving.MAX_LOOKS:
        return None
    pending = [
        chunk for chunk in chunks.of_job(tx.conn, job.id, ChunkState.PENDING) if chunk.avoid_agent_id != asking.agent.id
    ]
    look = carving.carve_look(job.frame_range, [chunk.span for chunk in pending], job.looks)
    if look is None:
        return None
    chunk, frame = pending[look[0]], look[1]
    span = Span(frame, frame, 1)
    charge = asking.charge(job, CostProfile.decode(job.costs), [span])
    job, granted = grant(tx, asking, job, [span], charge, pending=job.pending - 1, looks=job.looks + 1)
    hand_over(tx, job, chunk, granted, span, carving.take_out(job.frame_range, chunk.span, frame))
    return to_message(job, granted, [frame])


def _avoided(tx: Transaction, job: Job) -> Chunk | None:
    """Return the first of a job's pending chunks though the slot's agent failed on it, when no other agent came."""
    chunk = chunks.next_pending(tx.conn, job.id, None)
    if chunk is None or tx.board.fleet(needs_of(job)).agents <= 1:
        return chunk
    last = attempts.latest(tx.conn, job.id, chunk.first)
    return chunk if last is None or tx.now - last >= timedelta(seconds=AVOID_SECONDS) else None


def _grant_again(tx: Transaction, agent: Agent, live: Lease, timing: Timing) -> LeaseGrant | None:
    """Return the grant of a live lease that its slot has lost sight of; None if there is nothing of it to render."""
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
    if not frames or agent.kept_from_work:
        end_lease(tx, job, live, LeaseEnd.RELEASED, "The agent lost sight of a lease that it need not go on with.")
        return None
    leases.change(
        tx.conn,
        live,
        expires_at=tx.now + timedelta(seconds=timing.lease_seconds),
        stage=None,
        frame=None,
        frame_since=None,
        progress=0.0,
        remaining_seconds=None,
    )
    return to_message(job, live, frames)


def _add_warnings(tx: Transaction, job: Job, warnings: list[str]) -> Job:
    new = [warning for warning in dict.fromkeys(warnings) if warning not in job.warnings]
    new = new[: max(0, MAX_WARNINGS - len(job.warnings))]
    for warning in new:
        tell(tx, job, "warning", warning)
    return update_job(tx, job, warnings=(*job.warnings, *new)) if new else job
