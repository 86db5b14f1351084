"""The read side: jobs and events as the public API shows them.  Nothing here writes."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from coordinator.db import agents as agent_rows
from coordinator.db import chunks, dependencies, set_asides
from coordinator.db import events as event_rows
from coordinator.db import frames as frame_rows
from coordinator.db import jobs as job_rows
from coordinator.db import leases as lease_rows
from coordinator.db.engine import Transaction
from coordinator.domain import estimates
from coordinator.domain.costs import CostProfile
from coordinator.domain.model import AgentState, Job, JobState, Lease, Removal, SoundState
from coordinator.domain.versions import blender_version
from coordinator.protocol import ErrorCode, OutputSpec, RenderSpec, Stage
from coordinator.services import dependencies as waiting_jobs
from coordinator.services import doubts
from coordinator.services.errors import Refused, not_found, require_files
from coordinator.services.schemas import (
    EventView,
    FailureView,
    JobDetail,
    JobSlotView,
    JobView,
    NeedsRequest,
    Page,
)

#: Failures listed on a job; the list of its frames has all of them.
_FAILURES = 200
#: What a slot does with the lease it works on.
_BUSY = (Stage.OPENING, Stage.MIXING, Stage.RENDERING)


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmCounts:
    """How much there is of what, for monitoring."""

    jobs: dict[JobState, int]
    agents: dict[AgentState, int]
    pending_frames: int
    live_leases: int


def job_view(tx: Transaction, job_id: int) -> JobView:
    """Return a job as in the list.

    Raises:
        Refused: NOT_FOUND.
    """
    return job_views(tx, [known_job(tx, job_id)])[0]


def job_views(tx: Transaction, jobs: Sequence[Job]) -> list[JobView]:
    """Return jobs as in the list."""
    ids = [job.id for job in jobs]
    working = _at_work(tx, ids)
    after = dependencies.of_jobs(tx.conn, ids)
    return [JobView(**_job_fields(tx, job, working[job.id], after.get(job.id, []))) for job in jobs]


def known_job_views(tx: Transaction, ids: Sequence[int]) -> list[JobView]:
    """Return those of some jobs that are still there, as in the list."""
    found = (job_rows.get(tx.conn, job_id) for job_id in ids)
    return job_views(tx, [job for job in found if job is not None and job.removal != Removal.RECORD])


def job_detail(tx: Transaction, job_id: int) -> JobDetail:
    """Return a job with what failed and who works on it.

    Raises:
        Refused: NOT_FOUND.
    """
    job = known_job(tx, job_id)
    working = _at_work(tx, [job.id])[job.id]
    names = agent_rows.names(tx.conn, [lease.agent_id for lease in working])
    failures = [
        FailureView(frame=frame.frame, reason=frame.reason or "", attempts=frame.attempts)
        for frame in (frame_rows.failed(tx.conn, job.id, _FAILURES) if job.files_swept_at is None else ())
    ]
    if job.state == JobState.FAILED and job.whole_failures > job.max_retries:
        failures.insert(0, FailureView(frame=None, reason=job.reason or "", attempts=job.whole_failures))
    slots = [
        JobSlotView(
            agent=names[lease.agent_id],
            slot=lease.slot,
            stage=lease.stage,
            frame=lease.frame,
            progress=lease.progress,
            remaining_seconds=lease.remaining_seconds,
        )
        for lease in working
    ]
    after = dependencies.of_jobs(tx.conn, [job.id]).get(job.id, [])
    fields = _job_fields(tx, job, working, after)
    return JobDetail(
        **fields, failures=failures, doubts=[] if job.files_swept_at else doubts.doubts_of(tx, job), slots=slots
    )


def list_events(
    tx: Transaction, job_id: int, limit: int, cursor: str | None, *, newest_first: bool = False, notable: bool = False
) -> Page[EventView]:
    """Return a job's history, oldest or newest first; all of it, or what is more than a frame's or a lease's business.

    Raises:
        Refused: NOT_FOUND; INVALID, the cursor is none of ours.
    """
    known_job(tx, job_id)
    events = event_rows.page(tx, job_id, cursor_number(cursor), limit + 1, newest_first=newest_first, notable=notable)
    shown = events[:limit]
    return Page(
        items=[EventView(id=it.id, at=it.at, kind=it.kind, message=it.message, data=it.data) for it in shown],
        next=str(shown[-1].id) if len(events) > limit else None,
    )


def known_job(tx: Transaction, job_id: int) -> Job:
    """Return a job that someone asks about.

    Raises:
        Refused: NOT_FOUND.
    """
    job = job_rows.get(tx.conn, job_id)
    if job is None or job.removal == Removal.RECORD:
        raise not_found(f"job {job_id}")
    return job


def job_with_files(tx: Transaction, job_id: int) -> Job:
    """Return a job whose files someone asks for.

    Raises:
        Refused: NOT_FOUND; FILES_GONE, they were removed.
    """
    job = known_job(tx, job_id)
    require_files(job)
    return job


def counts(tx: Transaction) -> FarmCounts:
    """Return how much there is of what."""
    return FarmCounts(
        jobs=job_rows.counts(tx.conn),
        agents=agent_rows.counts(tx.conn),
        pending_frames=chunks.pending_frames(tx.conn),
        live_leases=lease_rows.count_live(tx.conn),
    )


def output_of(job: Job) -> OutputSpec:
    """Return what a job's frames are written as."""
    return msgspec.json.decode(job.output, type=OutputSpec)


def current_leases(live: Sequence[Lease]) -> list[Lease]:
    """Return one lease for each slot: that which keeps Blender busy, not its next one or one being delivered."""
    slots: dict[tuple[int, int], Lease] = {}
    for lease in sorted(live, key=lambda it: (it.stage not in _BUSY, it.granted_at)):
        slots.setdefault((lease.agent_id, lease.slot), lease)
    return list(slots.values())


def _at_work(tx: Transaction, job_ids: list[int]) -> dict[int, list[Lease]]:
    """Return, by job, the current leases of the slots that work on it."""
    holders = {lease.agent_id for lease in lease_rows.live_of_jobs(tx.conn, job_ids)}
    by_job: dict[int, list[Lease]] = defaultdict(list)
    for lease in current_leases(lease_rows.live_of_agents(tx.conn, list(holders))):
        by_job[lease.job_id].append(lease)
    return by_job


def _waiting(tx: Transaction, job: Job, working: Sequence[Lease]) -> str | None:
    """Return why no slot works on a job that has not ended, a sentence."""
    if job.state == JobState.BLOCKED:
        return waiting_jobs.explain(tx, job)
    if working or job.state not in (JobState.QUEUED, JobState.RUNNING):
        return None
    return tx.board.waiting(job.id, tx.now, set_asides.of_job(tx.conn, job.id))


def _job_fields(tx: Transaction, job: Job, working: Sequence[Lease], after: list[int]) -> dict[str, Any]:
    shares = [lease.progress if lease.stage == Stage.RENDERING else 0.0 for lease in working]
    costs = CostProfile.decode(job.costs)
    seconds = costs.typical
    speed = sum(lease.speed for lease in working)
    left = estimates.open_seconds(costs, job.open_frames)
    eta = estimates.eta_seconds(open_frames=job.open_frames, open_seconds=left, shares=shares, speed=speed)
    bounds = estimates.eta_range(eta, costs, job.open_frames)
    return {
        "id": job.id,
        "name": job.name,
        "pack": job.pack_id,
        "frames": job.frames,
        "blender": blender_version(job.min_blender),
        "render": msgspec.json.decode(job.render, type=RenderSpec),
        "output": output_of(job),
        "priority": job.priority,
        "needs": msgspec.json.decode(job.needs, type=NeedsRequest),
        "max_slots": job.max_slots,
        "chunk_frames": job.chunk_frames,
        "target_seconds": job.target_seconds,
        "hedge": job.hedge,
        "first_look": job.first_look,
        "stop_after": job.stop_after,
        "stop_on_missing": job.stop_on_missing,
        "cpu_fallback": job.cpu_fallback,
        "after": after,
        "video": job.video,
        "sound": job.sound_state != SoundState.NONE,
        "max_retries": job.max_retries,
        "warnings": list(job.warnings),
        "state": job.state,
        "reason": job.reason,
        "waiting": _waiting(tx, job, working),
        "user": job.created_by,
        "frame_count": job.frame_count,
        "finished": job.finished,
        "failed": job.failed,
        "doubtful": job.doubtful,
        "progress": estimates.progress(frame_count=job.frame_count, ended=job.finished + job.failed, shares=shares),
        "eta_seconds": eta,
        "eta_low_seconds": None if bounds is None else bounds[0],
        "eta_high_seconds": None if bounds is None else bounds[1],
        # On the slots that work on it now: what a person will see.
        "seconds_per_frame": None if seconds is None else seconds * len(working) / speed if speed else seconds,
        "frames_per_minute": None if seconds is None or not speed else 60.0 * speed / seconds,
        "latest_frame": job.latest_frame,
        "video_ready": job.video_sha256 is not None,
        "sound_state": job.sound_state,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "ended_at": job.ended_at,
        "keep": job.keep,
        "files_swept_at": job.files_swept_at,
    }


def cursor_number(cursor: str | None) -> int | None:
    """Return the number that a list gave out as its cursor.

    Raises:
        Refused: INVALID, the cursor is none of ours.
    """
    if cursor is None:
        return None
    try:
        number = int(cursor)
    except ValueError:
        number = None
    if number is None or not -(2**62) < number < 2**62:
        raise Refused(ErrorCode.INVALID, "the cursor is not one that this list gave out", {"cursor": "is not known"})
    return number
