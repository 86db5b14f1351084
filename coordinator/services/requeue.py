"""Frames that ended are opened again, and jobs that ended go on."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from coordinator.db import attempts, chunks, events, extra_files, frame_logs, frames
from coordinator.db.engine import Transaction
from coordinator.domain import transitions
from coordinator.domain.carving import Span
from coordinator.domain.frame_range import FrameRange, FrameRangeError, parse
from coordinator.domain.model import ChunkState, FrameState, Job, JobState, SoundState
from coordinator.domain.reframing import spans
from coordinator.domain.transitions import NEW, OPEN
from coordinator.protocol import ErrorCode
from coordinator.services.changes import check_chunk, move_sound, tell, update_job
from coordinator.services.errors import Refused, require_files
from coordinator.services.queueing import idle_state, lock_job, reopen, take_part
from coordinator.services.schemas import JobView, RequeueRequest
from coordinator.services.views import job_view

#: Frames named in a sentence.
_NAMED = 10


def requeue(tx: Transaction, job_id: int, request: RequeueRequest, by: str) -> JobView:
    """Have frames rendered again, those that failed if none are named; those that have not ended are left as they are.

    A job that has ended goes on, also with the frames that were left when it ended.

    Raises:
        Refused: NOT_FOUND; INVALID, the job has no such frames; CONFLICT, its video is being made, or there is nothing
            to be rendered again; FILES_GONE.
    """
    job = lock_job(tx, job_id)
    require_files(job)
    if job.state == JobState.STITCHING:
        raise Refused(
            ErrorCode.CONFLICT, f"the video of job {job_id} is being made: wait until it is there, or cancel the job"
        )
    ended = _ended(tx, job, request.frames)
    if not ended and not job.state.ended:
        return job_view(tx, job_id)
    if not ended and not job.open_frames:
        raise Refused(
            ErrorCode.CONFLICT,
            f"every frame of job {job_id} is finished: name those to render again"
            " (with one of them, its sound and its video are made again too)",
        )
    runs = spans(job.frame_range, ended)
    state = idle_state(job)
    columns = forget(tx, job, runs, OPEN)
    for run in runs:
        check_chunk(tx, job, NEW, state)
        chunks.insert_chunk(tx.conn, job, run, state)
    message = f"{by} requeued {_frames(ended)}." if ended else f"{by} had the job go on."
    tell(tx, job, "requeued", message, {"by": by, **lost(job, columns)})
    if job.state.ended:
        job = reopen(tx, job, f"{job.open_frames + len(ended)} frames wait to be rendered.", **columns)
    elif state == ChunkState.PENDING:
        job = update_job(tx, job, pending=job.pending + len(ended), **columns, **take_part(tx, job))
    else:
        job = update_job(tx, job, **columns)
    if job.sound_state == SoundState.FAILED:
        move_sound(tx, job, SoundState.WANTED, "The sound is to be mixed again.", sound_failures=0)
    return job_view(tx, job_id)


def forget(tx: Transaction, job: Job, runs: Sequence[Span], new: str) -> dict[str, Any]:
    """Forget how the frames in these runs of the job's range ended, and return the job's counters without them.

    ``new`` is what becomes of them, as in the table of transitions.
    """
    gone: Counter[str] = Counter()
    for run in runs:
        gone += frames.remove(tx.conn, job.id, run.first, run.last)
        extra_files.remove(tx.conn, job.id, run.first, run.last)
        frame_logs.remove(tx.conn, job.id, run.first, run.last)
        attempts.void(tx.conn, job.id, run.first, run.last)
    for old in FrameState:
        if gone[old]:
            transitions.check("frame", f"of job {job.id}", old, new, lambda: events.history(tx, job_id=job.id))
    return {
        "finished": job.finished - gone[FrameState.FINISHED],
        "failed": job.failed - gone[FrameState.FAILED],
        "blank": job.blank - gone["blank"],
        "doubtful": job.doubtful - gone["doubtful"],
        "latest_frame": frames.latest(tx.conn, job.id) if gone[FrameState.FINISHED] else job.latest_frame,
    }


def lost(job: Job, columns: dict[str, Any]) -> dict[str, int]:
    """Return how many finished and failed frames :func:`forget` took off a job, for its history."""
    return {"finished": job.finished - columns["finished"], "failed": job.failed - columns["failed"]}


def _ended(tx: Transaction, job: Job, text: str | None) -> list[int]:
    """Return those of the chosen frames that have ended, in order; None chooses all that failed."""
    if text is None:
        return frames.all_failed(tx.conn, job.id)
    try:
        chosen = parse(text)
    except FrameRangeError as error:
        raise Refused(ErrorCode.INVALID, str(error), {"frames": str(error)}) from error
    _check_own(job, chosen)
    return [frame for frame in frames.ended(tx.conn, job.id, chosen.first, chosen.last) if frame in chosen]


def _check_own(job: Job, chosen: FrameRange) -> None:
    own = job.frame_range
    strange = [frame for frame in chosen if frame not in own]
    if strange:
        raise Refused(
            ErrorCode.INVALID,
            f"job {job.id} has no {_frames(strange)}: it renders {own}; add frames to it first, or name others",
            {"frames": f"the job has no {_frames(strange)}"},
        )


def _frames(numbers: Sequence[int]) -> str:
    """Name some frames, of which there is at least one."""
    if len(numbers) == 1:
        return f"frame {numbers[0]}"
    named = ", ".join(map(str, numbers[:_NAMED]))
    more = f" and {len(numbers) - _NAMED} more" if len(numbers) > _NAMED else ""
    return f"frames {named}{more}"
