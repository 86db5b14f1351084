"""Rendered frames come in: checked against the job, recorded once, never changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import msgspec

from coordinator.db import agents, attempts, blobs, extra_files, frame_logs, frames, jobs, leases
from coordinator.db.engine import Transaction, looks_ahead
from coordinator.domain.costs import CostProfile, learn_speed
from coordinator.domain.model import Agent, Chunk, Frame, FrameState, Job, Lease, LeaseState
from coordinator.domain.retry import BLANK_FRAME
from coordinator.domain.timing import Timing
from coordinator.domain.verification import PLAIN, Look
from coordinator.protocol import (
    ColorMode,
    ErrorCode,
    FrameResult,
    ImageFormat,
    ManifestError,
    OutputSpec,
    StoredFile,
    check_path,
)
from coordinator.services.changes import end_frame, update_agent, update_job
from coordinator.services.doubts import reason_to_try_again, weigh
from coordinator.services.endings import end_lease_if_empty, finish_if_done
from coordinator.services.errors import Refused, frame_lost, lease_lost
from coordinator.services.failures import blame, fail_frame, leased_chunk, take_frame
from coordinator.services.leases import last_frame, lock_lease, lock_live, look_at_leases, renew, require_live
from coordinator.services.notifications import job_needs_attention

#: A slot's speed is written down when it has changed by this part.
_SPEED_STEP = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a frame's files must be."""

    format: ImageFormat
    width: int | None
    """Pixels; None while no frame of the job is known and its submission did not tell."""
    height: int | None
    color_mode: ColorMode | None
    color_depth: int | None
    """Bits per channel."""
    display: bool
    """A display file must come along."""
    recorded: bool
    """These very files were recorded before under this lease: nothing is left to do."""
    last_frame: int | None
    """If so: the last frame that the lease has left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameOutcome:
    """What became of a frame that was handed in."""

    status: Literal["recorded", "repeated", "bad"]
    reason: str | None = None
    """Why it is bad; it was counted as a failed attempt."""
    last_frame: int | None = None
    """The last frame that the lease has left."""


def expect_frame(
    tx: Transaction, agent_id: int, lease_id: str, frame: int, result: FrameResult, *, carried: bool = False
) -> Expected:
    """Return what to hold a frame's files against before it is recorded; its files are ``carried`` or in the store.

    Reads only.

    Raises:
        Refused: LEASE_LOST; FRAME_LOST; MISSING_BLOBS, a file must be uploaded (again); INVALID, a display file must
            come along.
    """
    lease = leases.get(tx.conn, lease_id)
    job = jobs.get(tx.conn, lease.job_id) if lease is not None and lease.agent_id == agent_id else None
    if lease is None or job is None:
        raise lease_lost()
    output = msgspec.json.decode(job.output, type=OutputSpec)
    recorded = _chunk_to_record(tx, job, lease, frame, result) is None
    if not recorded and not carried:
        _check_files(tx, output, result)
    return Expected(
        format=output.format,
        width=job.width or output.width,
        height=job.height or output.height,
        color_mode=output.color_mode,
        color_depth=output.color_depth,
        display=output.display,
        recorded=recorded,
        last_frame=last_frame(tx, lease_id) if recorded else None,
    )


def look_ahead(tx: Transaction, calls: Sequence[tuple[int, str, int, FrameResult]]) -> None:
    """Have what several calls of :func:`record_frame` are likely to need locked and read at once."""
    look_at_leases(tx, [call[:2] for call in calls])
    for _, _, _, result, *_ in calls:
        blobs.ask_for_sizes(tx.conn, [file.sha256 for file in _files(result)])


@looks_ahead(look_ahead)
def record_frame(
    tx: Transaction,
    agent_id: int,
    lease_id: str,
    frame: int,
    result: FrameResult,
    width: int,
    height: int,
    timing: Timing,
    look: Look = PLAIN,
) -> FrameOutcome:
    """Record a frame whose files were decoded and measure ``width`` × ``height`` pixels.

    A frame of the wrong size, or a blank one that is to be rendered once more, counts as a failed attempt and is
    answered ``bad``; it must be refused after the commit.

    Raises:
        Refused: LEASE_LOST, FRAME_LOST, MISSING_BLOBS, INVALID.
    """
    # Locked before the job, as everywhere: what it learns of its speed is written below.
    agent = agents.lock(tx.conn, agent_id)
    job, lease = lock_lease(tx, agent_id, lease_id)
    # Under the lock: this very request, sent twice at once, must find what the other one recorded.
    chunk = _chunk_to_record(tx, job, lease, frame, result)
    if chunk is None:
        return FrameOutcome(status="repeated", last_frame=last_frame(tx, lease_id))
    output = msgspec.json.decode(job.output, type=OutputSpec)
    _check_files(tx, output, result)
    wanted = (job.width or output.width or width, job.height or output.height or height)
    if agent is None or wanted != (width, height):
        lease = renew(tx, agent_id, lease_id, timing)
        reason = f"the frame has {width}×{height} pixels; the job's frames have {wanted[0]}×{wanted[1]}"
        fail_frame(tx, job, lease, frame, ErrorCode.BAD_FRAME, reason)
        return FrameOutcome(status="bad", reason=reason)
    if look.blank is not None and (suspicion := reason_to_try_again(tx, job, frame, look.blank, agent_id)) is not None:
        lease = renew(tx, agent_id, lease_id, timing)
        fail_frame(tx, job, lease, frame, BLANK_FRAME, suspicion)
        return FrameOutcome(status="bad", reason=suspicion)
    # What is no larger than a preview is its own.
    preview = result.preview or result.display or result.output
    doubt, doubts = weigh(tx, job, frame, look, agent_id) if look.odd or job.blank else (None, {})
    if doubts.get("doubtful", 0) > 0 and not job.doubtful:
        job_needs_attention(tx, job)
    left = take_frame(tx, job, chunk, frame)
    _advance(tx, job, lease, frame, result, timing)
    end_frame(
        tx,
        job,
        frame,
        FrameState.FINISHED,
        f"Frame {frame} is finished.",
        agent_id=agent_id,
        lease_id=lease_id,
        output_sha256=result.output.sha256,
        output_size=result.output.size,
        preview_sha256=preview.sha256,
        preview_size=preview.size,
        display_sha256=result.display.sha256 if result.display is not None else None,
        seconds=result.seconds,
        peak_memory_bytes=result.peak_memory_bytes,
        peak_gpu_memory_bytes=result.peak_gpu_memory_bytes,
        energy_joules=result.energy_joules,
        blender=".".join(str(part) for part in result.blender),
        blank=look.blank,
        doubt=doubt,
        # Only what failed before is to be kept from an agent.
        attempts=(attempts.count(tx.conn, job.id, frame) if chunk.avoid_agent_id is not None else 0) + 1,
    )
    if result.extras:
        extras = [extra_files.ExtraFile(path=it.path, sha256=it.file.sha256, size=it.file.size) for it in result.extras]
        extra_files.insert_files(tx.conn, job.id, frame, extras)
    if result.log:
        frame_logs.insert_log(tx.conn, job.id, frame, result.log)
    if chunk.avoid_agent_id is not None and look.blank is None:
        blame(tx, job, frame, agent_id)
    job = update_job(
        tx,
        job,
        finished=job.finished + 1,
        latest_frame=frame,
        width=width,
        height=height,
        costs=_learn(tx, job, agent, frame, result),
        **_memory(job, agent, result),
        **doubts,
    )
    if not left:
        for held_by in (chunk.lease_id, chunk.hedge_lease_id):
            if held_by is not None:
                job = end_lease_if_empty(tx, job, held_by)
        finish_if_done(tx, job)
    return FrameOutcome(status="recorded", last_frame=last_frame(tx, lease_id))


def record_bad_frame(tx: Transaction, agent_id: int, lease_id: str, frame: int, reason: str, timing: Timing) -> None:
    """Count a frame whose files are no good as a failed attempt.

    Raises:
        Refused: LEASE_LOST, FRAME_LOST.
    """
    job, lease = lock_live(tx, agent_id, lease_id)
    _held_chunk(tx, job, lease, frame)
    lease = renew(tx, agent_id, lease_id, timing)
    fail_frame(tx, job, lease, frame, ErrorCode.BAD_FRAME, reason)


def _held_chunk(tx: Transaction, job: Job, lease: Lease, frame: int) -> Chunk:
    chunk = leased_chunk(tx, job, lease, frame)
    if chunk is None:
        raise frame_lost(frame)
    return chunk


def _advance(tx: Transaction, job: Job, lease: Lease, frame: int, result: FrameResult, timing: Timing) -> None:
    """Note what a lease's frame took; until its next report the lease is taken to render the frame that follows."""
    following = job.frame_range.after(frame) if lease.frame == frame else None
    goes_on = following is not None and leased_chunk(tx, job, lease, following) is not None
    moved = (
        {"frame": following if goes_on else None, "frame_since": tx.now, "progress": 0.0, "remaining_seconds": None}
        if lease.frame == frame
        else {}
    )
    leases.change(
        tx.conn,
        lease,
        expires_at=tx.now + timedelta(seconds=timing.lease_seconds),
        used=lease.used + result.seconds + result.load_seconds,
        finished=lease.finished + 1,
        **moved,
    )


def _learn(tx: Transaction, job: Job, agent: Agent, frame: int, result: FrameResult) -> str:
    """Return the job's costs with one more frame; what the frame tells of the agent's speed is written down."""
    costs, rank = CostProfile.decode(job.costs), job.frame_range.rank(frame)
    speed = agent.speed
    expected = costs.yardstick(rank) if costs.samples else None
    if expected is not None:
        speed, count = learn_speed(agent.speed, agent.speed_count, expected, result.seconds)
        if agent.speed_count == 0 or abs(speed / agent.speed - 1.0) >= _SPEED_STEP:
            update_agent(tx, agent, speed=speed, speed_count=count)
    costs = costs.with_frame(rank, result.seconds, speed)
    if result.load_seconds:
        costs = costs.with_load(result.load_seconds)
    return costs.encode()


def _memory(job: Job, agent: Agent, result: FrameResult) -> dict[str, int]:
    """Return what the job is known to need, where a frame took more than any before."""
    # What was enough here cannot be too little, whatever Blender or the card's driver counts in.
    ram = min(result.peak_memory_bytes or 0, agent.ram_bytes)
    vram = min(result.peak_gpu_memory_bytes or 0, agent.vram_bytes or 0)
    needed = {"ram_needed": ram} if ram > job.ram_needed else {}
    return needed | ({"vram_needed": vram} if vram > job.vram_needed else {})


def _chunk_to_record(tx: Transaction, job: Job, lease: Lease, frame: int, result: FrameResult) -> Chunk | None:
    """Return the lease's chunk that holds a frame; None if this very result was recorded before, under this lease.

    Raises:
        Refused: LEASE_LOST; FRAME_LOST.
    """
    chunk = leased_chunk(tx, job, lease, frame) if lease.state == LeaseState.LIVE else None
    if chunk is not None:
        # What is in a chunk was not recorded.
        return chunk
    known: Frame | None = frames.get(tx.conn, job.id, frame)
    if (
        known is not None
        and known.state == FrameState.FINISHED
        and known.lease_id == lease.id
        and known.output_sha256 == result.output.sha256
    ):
        return None
    require_live(lease)
    raise frame_lost(frame)


def _check_files(tx: Transaction, output: OutputSpec, result: FrameResult) -> None:
    if output.format.is_exr and result.preview is None and result.display is None:
        raise Refused(
            ErrorCode.INVALID,
            "what an OpenEXR looks like only Blender knows, and this frame came without a preview",
            {"preview": "is missing"},
        )
    if output.display and result.display is None:
        raise Refused(
            ErrorCode.INVALID,
            "the video of this job is made of display files, and this frame came without one",
            {"display": "is missing"},
        )
    if result.extras:
        _check_extras([extra.path for extra in result.extras])
    files = _files(result)
    stored = blobs.sizes(tx.conn, [file.sha256 for file in files])
    missing = [file.sha256 for file in files if file.sha256 not in stored]
    if missing:
        raise Refused(
            ErrorCode.MISSING_BLOBS,
            "a file of this frame is not in the store; upload it and hand the frame in again",
            {"missing": missing},
        )
    for file in files:
        if stored[file.sha256] != file.size:
            raise Refused(
                ErrorCode.INVALID,
                f"the frame says that {file.sha256} has {file.size} bytes; the store has {stored[file.sha256]}",
                {"size": "is wrong"},
            )


def _files(result: FrameResult) -> list[StoredFile]:
    files = [file for file in (result.output, result.preview, result.display) if file is not None]
    return files + [extra.file for extra in result.extras]


def _check_extras(paths: Sequence[str]) -> None:
    """Refuse paths that would not stay in the frame's folder on every system, or meet there."""
    problem = None
    try:
        for path in paths:
            check_path(path)
    except ManifestError as error:
        problem = str(error)
    if len({path.casefold() for path in paths}) < len(paths):
        problem = "two of the frame's files have the same path"
    if problem is not None:
        raise Refused(ErrorCode.INVALID, problem, {"extras": problem})
