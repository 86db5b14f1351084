"""Granting a lease: what all grants have in common, whichever frames they are for."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec

from coordinator.db import chunks, jobs, leases, users
from coordinator.db.engine import Notice, Transaction
from coordinator.domain.board import Board, SlotOffer
from coordinator.domain.carving import Span
from coordinator.domain.costs import CostProfile
from coordinator.domain.fair_share import SHARED_SECONDS
from coordinator.domain.model import Agent, Chunk, ChunkState, Job, JobState, Lease, SoundState
from coordinator.domain.timing import Timing
from coordinator.domain.transitions import NEW
from coordinator.protocol import JobSpec, LeaseGrant, LeaseRequest, OutputSpec, RenderSpec
from coordinator.services.changes import check_chunk, move_job, tell, update_job
from coordinator.services.shares import granted
from coordinator.services.unserved import once_served

#: Ids of leases must differ, and need not be secret: an agent's token goes with each.  To ask the system for every one
#: would have other threads run meanwhile.
_IDS = random.Random()  # noqa: S311 - no secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A slot that asks for work."""

    agent: Agent
    request: LeaseRequest
    held: Sequence[Lease]
    """The live leases it has."""
    offer: SlotOffer
    timing: Timing
    board: Board

    def load_seconds(self, job: Job, costs: CostProfile) -> float:
        """Return how long opening the job's scene takes this slot; 0 when it has it open, or will have then."""
        warm = self.request.open_pack == job.pack_id if not self.held else self.held[-1].job_id == job.id
        return 0.0 if warm else costs.load

    def start_seconds(self, job: Job, costs: CostProfile) -> float:
        """Return how long it takes until the slot could begin a frame of the job."""
        return self.request.busy_seconds + self.load_seconds(job, costs)

    def holds(self, job: Job) -> bool:
        """Tell whether it works on the job."""
        return any(live.job_id == job.id for live in self.held)

    def charge(self, job: Job, costs: CostProfile, spans: Sequence[Span]) -> float:
        """Return how many slot-seconds a lease of these frames is expected to take.

        Of unknown frames it is as much as leases are to take: were it nothing, a new job would be given every slot that
        asks until its first frame is finished.
        """
        works = [costs.total(job.frame_range.rank(span.first), span.count) for span in spans]
        known = [work / self.agent.speed for work in works if work is not None]
        return self.load_seconds(job, costs) + (sum(known) if len(known) == len(works) else self.target_seconds(job))

    def target_seconds(self, job: Job) -> float:
        """Return how long the frames of a lease of the job are to take."""
        shared = self.board.contested(job.created_by)
        return min(job.target_seconds, SHARED_SECONDS) if shared else job.target_seconds


def within_limits(tx: Transaction, asking: Asking, job: Job) -> bool:
    """Tell whether the slot may work on a job, which is locked: others may have reached a limit since it was chosen."""
    if asking.holds(job):
        return True
    if job.max_slots is not None and job.slots >= job.max_slots:
        return False
    if not tx.board.limited(job.created_by):
        return True
    # Locked, the user is given no other slot until this one is granted.
    user = users.lock(tx.conn, job.created_by)
    if user is None or user.max_slots is None or users.slots(tx.conn).get(user.name, 0) < user.max_slots:
        return True
    held = (jobs.get(tx.conn, live.job_id) for live in asking.held)
    return any(other is not None and other.created_by == user.name for other in held)


def grant(
    tx: Transaction, asking: Asking, job: Job, spans: Sequence[Span], charge: float, **values: Any
) -> tuple[Job, Lease]:
    """Make a lease, with ``values`` for columns of the job; whose the frames are is the caller's business."""
    agent, slot = asking.agent, asking.request.slot
    # One that the slot held when it asked may have run out until the job was locked.
    own = [live for live in asking.held if live.job_id == job.id and leases.get_live(tx.conn, live.id) is not None]
    columns = values | granted(tx, job, agent, charge, own[-1] if own else None)
    made = leases.insert_lease(
        tx.conn,
        lease_id=f"{_IDS.getrandbits(64):016x}",
        job_id=job.id,
        agent_id=agent.id,
        slot=slot,
        granted_at=tx.now,
        expires_at=tx.now + timedelta(seconds=asking.timing.lease_seconds),
        speed=agent.speed,
        load_seconds=asking.load_seconds(job, CostProfile.decode(job.costs)),
        charged=charge,
    )
    if job.sound_state == SoundState.WANTED and job.sound_lease_id is None:
        columns["sound_lease_id"] = made.id
    if job.state == JobState.QUEUED:
        columns["started_at"] = job.started_at or tx.now
        columns["warnings"] = once_served(job.warnings)
        job = move_job(tx, job, JobState.RUNNING, "Frames are being rendered.", **columns)
    else:
        job = update_job(tx, job, **columns)
    begin, end = spans[0].first, spans[-1].last
    which = f"frame {begin}" if begin == end else f"frames {begin} to {end}"
    data = {"lease": made.id, "agent": agent.name, "slot": slot, "first": begin, "last": end}
    tell(tx, job, "lease_granted", f"{agent.name}, slot {slot}, renders {which}.", data)
    tx.notify(Notice(kind="agent", id=agent.id))
    return job, made


def hand_over(tx: Transaction, job: Job, chunk: Chunk, lease: Lease, taken: Span, kept: Sequence[Span]) -> None:
    """Make frames of a chunk a lease's: those of ``taken``, which leaves it with those of ``kept``."""
    avoid = chunk.avoid_agent_id
    if not kept:
        if chunk.state != ChunkState.LEASED:
            check_chunk(tx, job, chunk.state, ChunkState.LEASED)
        chunks.set_state(tx.conn, chunk, ChunkState.LEASED, lease.id, avoid_agent_id=avoid)
        return
    # The first part that is left keeps its row.
    chunks.shrink(tx.conn, chunk, kept[0])
    for part in kept[1:]:
        check_chunk(tx, job, NEW, chunk.state)
        chunks.insert_chunk(tx.conn, job, part, chunk.state, chunk.lease_id, avoid_agent_id=avoid)
    check_chunk(tx, job, NEW, ChunkState.LEASED)
    chunks.insert_chunk(tx.conn, job, taken, ChunkState.LEASED, lease.id, avoid_agent_id=avoid)


def to_message(job: Job, lease: Lease, frames: list[int]) -> LeaseGrant:
    """Return what the agent needs to know of a lease."""
    mixes = job.sound_lease_id == lease.id
    slowest = CostProfile.decode(job.costs).slowest(job.frame_range.rank(frames[0]), job.frame_range.rank(frames[-1]))
    return LeaseGrant(
        lease_id=lease.id,
        job=JobSpec(
            job_id=job.id,
            name=job.name,
            pack_id=job.pack_id,
            render=msgspec.json.decode(job.render, type=RenderSpec),
            output=msgspec.json.decode(job.output, type=OutputSpec),
            stop_on_missing=job.stop_on_missing,
        ),
        frames=frames,
        mix_sound=mixes,
        sound_range=(job.frame_range.first, job.frame_range.last) if mixes else None,
        expected_seconds=None if slowest is None else slowest / lease.speed,
    )
