"""Rendered frames come in: checked against the job, recorded once, never changed."""

from dataclasses import dataclass
from typing import Literal

import msgspec

from coordinator.db import attempts, blobs, frames, jobs, leases
from coordinator.db.engine import Transaction
from coordinator.domain.carving import RECENT
from coordinator.domain.model import Frame, FrameState, Job, Lease, LeaseState
from coordinator.domain.timing import Timing
from coordinator.protocol import ErrorCode, FrameResult, ImageFormat, OutputSpec
from coordinator.services.changes import end_frame, update_job
from coordinator.services.endings import end_lease_if_empty, finish_if_done
from coordinator.services.errors import Refused, lease_lost
from coordinator.services.failures import fail_frame, leased_chunk, take_frame
from coordinator.services.leases import lock_lease, lock_live, renew, require_live


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a frame's files must be."""

    format: ImageFormat
    width: int | None
    """Pixels; None while no frame of the job is known and its submission did not tell."""
    height: int | None
    display: bool
    """A display file must come along."""
    recorded: bool
    """These very files were recorded before under this lease: nothing is left to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameOutcome:
    """What became of a frame that was handed in."""

    status: Literal["recorded", "repeated", "bad"]
    reason: str | None = None
    """Why it is bad; it was counted as a failed attempt."""


def expect_frame(tx: Transaction, agent_id: int, lease_id: str, frame: int, result: FrameResult) -> Expected:
    """Return what to hold a frame's files against before it is recorded.  Reads only.

    Raises:
        Refused: LEASE_LOST; MISSING_BLOBS, a file must be uploaded (again); INVALID, a display file must come along.
    """
    lease = leases.get(tx.conn, lease_id)
    job = jobs.get(tx.conn, lease.job_id) if lease is not None and lease.agent_id == agent_id else None
    if lease is None or job is None:
        raise lease_lost()
    output = msgspec.json.decode(job.output, type=OutputSpec)
    recorded = _recorded_before(tx, job, lease, frame, result)
    if not recorded:
        if lease.state != LeaseState.LIVE or leased_chunk(tx, job, lease, frame) is None:
            raise lease_lost()
        _check_files(tx, output, result)
    return Expected(
        format=output.format,
        width=job.width or output.width,
        height=job.height or output.height,
        display=output.display,
        recorded=recorded,
    )


def record_frame(
    tx: Transaction,
    agent_id: int,
    lease_id: str,
    frame: int,
    result: FrameResult,
    width: int,
    height: int,
    timing: Timing,
) -> FrameOutcome:
    """Record a frame whose files were decoded and measure ``width`` × ``height`` pixels.

    A frame of the wrong size counts as a failed attempt and is answered ``bad``; it must be refused after the commit.

    Raises:
        Refused: LEASE_LOST, MISSING_BLOBS, INVALID.
    """
    job, lease = lock_lease(tx, agent_id, lease_id)
    # Under the lock: this very request, sent twice at once, must find what the other one recorded.
    if _recorded_before(tx, job, lease, frame, result):
        return FrameOutcome(status="repeated")
    require_live(lease)
    chunk = leased_chunk(tx, job, lease, frame)
    if chunk is None:
        raise lease_lost()
    output = msgspec.json.decode(job.output, type=OutputSpec)
    _check_files(tx, output, result)
    renew(tx, agent_id, lease_id, timing)
    wanted = (job.width or output.width or width, job.height or output.height or height)
    if wanted != (width, height):
        reason = f"the frame has {width}×{height} pixels; the job's frames have {wanted[0]}×{wanted[1]}"
        fail_frame(tx, job, lease, frame, ErrorCode.BAD_FRAME, reason)
        return FrameOutcome(status="bad", reason=reason)
    take_frame(tx, job, chunk, frame)
    if lease.frame == frame:
        # Until the next report its share would count beside the finished frame.
        leases.change(tx.conn, lease.id, frame=None, progress=0.0, remaining_seconds=None)
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
        preview_sha256=result.preview.sha256,
        preview_size=result.preview.size,
        display_sha256=result.display.sha256 if result.display is not None else None,
        seconds=result.seconds,
        peak_memory_bytes=result.peak_memory_bytes,
        blender=".".join(str(part) for part in result.blender),
        attempts=attempts.count(tx.conn, job.id, frame) + 1,
    )
    job = update_job(
        tx,
        job,
        finished=job.finished + 1,
        latest_frame=frame,
        recent_seconds=(*job.recent_seconds, result.seconds)[-RECENT:],
        width=width,
        height=height,
    )
    finish_if_done(tx, end_lease_if_empty(tx, job, lease))
    return FrameOutcome(status="recorded")


def record_bad_frame(tx: Transaction, agent_id: int, lease_id: str, frame: int, reason: str, timing: Timing) -> None:
    """Count a frame whose files are no good as a failed attempt.

    Raises:
        Refused: LEASE_LOST.
    """
    job, lease = lock_live(tx, agent_id, lease_id)
    if leased_chunk(tx, job, lease, frame) is None:
        raise lease_lost()
    renew(tx, agent_id, lease_id, timing)
    fail_frame(tx, job, lease, frame, ErrorCode.BAD_FRAME, reason)


def _recorded_before(tx: Transaction, job: Job, lease: Lease, frame: int, result: FrameResult) -> bool:
    known: Frame | None = frames.get(tx.conn, job.id, frame)
    return (
        known is not None
        and known.state == FrameState.FINISHED
        and known.lease_id == lease.id
        and known.output_sha256 == result.output.sha256
    )


def _check_files(tx: Transaction, output: OutputSpec, result: FrameResult) -> None:
    if output.display and result.display is None:
        raise Refused(
            ErrorCode.INVALID,
            "the video of this job is made of display files, and this frame came without one",
            {"display": "is missing"},
        )
    files = [file for file in (result.output, result.preview, result.display) if file is not None]
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
