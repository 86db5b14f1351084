"""A job's frame range is extended or cut, at any time."""

from coordinator.db import chunks, leases
from coordinator.db.engine import Transaction
from coordinator.domain.carving import Span
from coordinator.domain.costs import CostProfile
from coordinator.domain.frame_range import FrameRange, FrameRangeError, parse
from coordinator.domain.model import Chunk, ChunkState, Job, JobState, LeaseEnd, LeaseState, SoundState
from coordinator.domain.reframing import Reframed
from coordinator.domain.reframing import reframe as plan_of
from coordinator.domain.transitions import GONE, NEW
from coordinator.protocol import ErrorCode
from coordinator.services.changes import check_chunk, move_sound, tell, update_job
from coordinator.services.endings import end_lease, end_lease_if_empty, finish_if_done
from coordinator.services.errors import Refused
from coordinator.services.queueing import idle_state, reopen, take_part
from coordinator.services.requeue import forget, lost


def reframe(tx: Transaction, job: Job, text: str, by: str) -> Job:
    """Give a job, which is locked, another frame range; return it as it is afterwards.

    New frames wait to be rendered, and a job that has ended goes on with them.  What is known of frames that are cut
    off is forgotten; a job that is left with finished frames only is completed, and its video made of these.

    Raises:
        Refused: INVALID, the range is none or has gaps where there is sound; CONFLICT, its video is being made, or
            the sound cannot be mixed anew for it.
    """
    old, new = job.frame_range, _parsed(text)
    if new == old:
        return job
    if job.state == JobState.STITCHING:
        raise Refused(
            ErrorCode.CONFLICT,
            f"the video of job {job.id} is being made of the frames it has: wait until it is there, or cancel the job",
        )
    _check_sound_fits(job, new)
    job = _stop_mixing(tx, job, new)
    parts = chunks.all_of_job(tx.conn, job.id)
    plan = plan_of(old, new, parts)
    _refuse_lost_sound(job, new, plan)
    _divide(tx, job, parts, plan)
    state = idle_state(job)
    for span in plan.added:
        check_chunk(tx, job, NEW, state)
        chunks.insert_chunk(tx.conn, job, span, state)
    counters = forget(tx, job, plan.cut, GONE)
    message = f"{by} changed the frames from {old} to {new}."
    tell(tx, job, "reframed", message, {"by": by, "from": str(old), "to": str(new), **lost(job, counters)})
    costs = CostProfile.empty(len(new)).with_prior(CostProfile.decode(job.costs), 1.0)
    looks = min(job.looks, len(new))
    columns = {"frames": str(new), "frame_count": len(new), "looks": looks, "costs": costs.encode(), **counters}
    open_frames = len(new) - counters["finished"] - counters["failed"]
    if job.state.ended and (plan.added or not open_frames):
        job = reopen(tx, job, f"{open_frames} frames wait to be rendered.", **columns)
    else:
        pending = sum(chunk.frame_count for chunk in chunks.of_job(tx.conn, job.id, ChunkState.PENDING))
        begins = take_part(tx, job) if pending else {}
        job = update_job(tx, job, pending=pending, **columns, **begins)
    job = _renew_sound(tx, job, old, extended=bool(plan.added))
    for lease in leases.live_of_jobs(tx.conn, [job.id]):
        job = end_lease_if_empty(tx, job, lease.id)
    return finish_if_done(tx, job)


def _parsed(text: str) -> FrameRange:
    try:
        return parse(text)
    except FrameRangeError as error:
        raise Refused(ErrorCode.INVALID, str(error), {"frames": str(error)}) from error


def _covers(old: FrameRange, new: FrameRange) -> bool:
    """Tell whether sound that was mixed for a range is good for another: a video takes of it what it needs."""
    return old.first == new.first and new.last <= old.last


def _check_sound_fits(job: Job, new: FrameRange) -> None:
    if job.sound_state != SoundState.NONE and not new.consecutive:
        raise Refused(
            ErrorCode.INVALID,
            f"the video of job {job.id} has sound, which needs consecutive frames, and {new} has gaps:"
            " choose a range without gaps, or rerender the job without sound",
            {"frames": "has gaps, and the video has sound"},
        )


def _stop_mixing(tx: Transaction, job: Job, new: FrameRange) -> Job:
    """Take the sound, and its frames, from a lease that mixes it for other frames than the job will have."""
    if job.sound_lease_id is None or _covers(job.frame_range, new):
        return job
    lease = leases.get(tx.conn, job.sound_lease_id)
    if lease is None or lease.state != LeaseState.LIVE:
        return job
    return end_lease(tx, job, lease, LeaseEnd.RELEASED, "The sound must be mixed for other frames.")


def _refuse_lost_sound(job: Job, new: FrameRange, plan: Reframed) -> None:
    """Refuse a cut that leaves sound to be mixed and no frame to be rendered: sound travels with frames."""
    unmixed = job.sound_state == SoundState.WANTED and job.sound_lease_id is None
    outdated = job.sound_state == SoundState.READY and not _covers(job.frame_range, new)
    if (unmixed or outdated) and not plan.added and not any(plan.kept.values()):
        raise Refused(
            ErrorCode.CONFLICT,
            f"the sound must be mixed for frames {new}, which is done by the agent that renders one of them, and all of"
            " them have ended: requeue one first, then change the range",
        )


def _divide(tx: Transaction, job: Job, parts: list[Chunk], plan: Reframed) -> None:
    """Leave each chunk its own frames of the new range."""
    for chunk in parts:
        kept = plan.kept[chunk.id]
        if not kept:
            check_chunk(tx, job, chunk.state, GONE)
            chunks.remove(tx.conn, chunk)
            continue
        if kept[0] != Span(chunk.first, chunk.last, chunk.frame_count):
            chunks.shrink(tx.conn, chunk, kept[0])
        for span in kept[1:]:
            check_chunk(tx, job, NEW, chunk.state)
            chunks.insert_chunk(tx.conn, job, span, chunk.state, chunk.lease_id, avoid_agent_id=chunk.avoid_agent_id)


def _renew_sound(tx: Transaction, job: Job, old: FrameRange, *, extended: bool) -> Job:
    """Have sound mixed again that is not that of the job's frames any more, or that failed for want of frames."""
    outdated = job.sound_state == SoundState.READY and not _covers(old, job.frame_range)
    if outdated or (job.sound_state == SoundState.FAILED and extended):
        message = "The sound is to be mixed again."
        return move_sound(tx, job, SoundState.WANTED, message, sound_sha256=None, sound_failures=0)
    return job
