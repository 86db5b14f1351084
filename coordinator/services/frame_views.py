"""The read side of a job's frames: a list, a map of all of them, and all about one.  Nothing here writes."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TypeVar

import msgspec

from coordinator.db import agents as agent_rows
from coordinator.db import attempts, extra_files, frame_logs
from coordinator.db import events as event_rows
from coordinator.db import frames as frame_rows
from coordinator.db.engine import Transaction
from coordinator.domain.filenames import frame_filename
from coordinator.domain.model import Agent, Frame, FrameState, Job
from coordinator.protocol import Hardware
from coordinator.services.errors import not_found
from coordinator.services.frame_schemas import AttemptView, FrameChange, FrameDetail, FrameMap
from coordinator.services.schemas import FrameView, Page
from coordinator.services.views import cursor_number, known_job, output_of

T = TypeVar("T")

#: Doubtful frames on a map; more of them tell nobody anything.
_DOUBTS = 10_000


def list_frames(
    tx: Transaction, job_id: int, limit: int, cursor: str | None, start: int | None = None
) -> Page[FrameView]:
    """Return a job's ended frames in order, from frame ``start`` on.

    Raises:
        Refused: NOT_FOUND; INVALID, the cursor is none of ours.
    """
    job = known_job(tx, job_id)
    after = cursor_number(cursor)
    if after is None and start is not None:
        after = start - 1
    frames = [] if job.files_swept_at is not None else frame_rows.page(tx.conn, job.id, after, limit + 1)
    shown = frames[:limit]
    names = agent_rows.names(tx.conn, [frame.agent_id for frame in shown if frame.agent_id is not None])
    extras = extra_files.counts(tx.conn, job.id, shown[0].frame, shown[-1].frame) if shown else {}
    return Page(
        items=[_frame_view(job, frame, names, extras.get(frame.frame, 0)) for frame in shown],
        next=str(shown[-1].frame) if len(frames) > limit else None,
    )


def frame_detail(tx: Transaction, job_id: int, frame: int) -> FrameDetail:
    """Return all that is known of a frame, whether it has ended or not.

    Raises:
        Refused: NOT_FOUND, also for a frame that the job does not have.
    """
    job = known_job(tx, job_id)
    if frame not in job.frame_range:
        raise not_found(f"frame {frame} in job {job_id}")
    ended = frame_rows.get(tx.conn, job_id, frame) if job.files_swept_at is None else None
    failed = attempts.record_of_frame(tx.conn, job_id, frame)
    names = agent_rows.names(tx.conn, [agent_id for _, agent_id, *_ in failed])
    agent = agent_rows.get(tx.conn, ended.agent_id) if ended is not None and ended.agent_id is not None else None
    result = None
    if ended is not None:
        extras = extra_files.counts(tx.conn, job_id, frame, frame).get(frame, 0)
        result = _frame_view(job, ended, {agent.id: agent.name} if agent is not None else {}, extras)
    return FrameDetail(
        frame=frame,
        filename=_filename(job, frame),
        result=result,
        blender=ended.blender if ended is not None else None,
        device=agent.device if agent is not None else None,
        cards=cards_of(agent) if agent is not None else [],
        display=ended is not None and ended.display_sha256 is not None,
        log=frame_logs.of_frame(tx.conn, job_id, frame) if ended is not None else None,
        attempts=[
            AttemptView(at=at, agent=names[agent_id], code=code, message=message, counts=counts)
            for at, agent_id, code, message, counts in failed
        ],
    )


def map_tag(tx: Transaction, job_id: int) -> str:
    """Return what names the state that a job's map shows: every change of a frame writes an event.

    Raises:
        Refused: NOT_FOUND.
    """
    job = known_job(tx, job_id)
    # A farm that was set up anew counts its jobs and events from 1 again.
    return f"{int(job.created_at.timestamp() * 1000):x}-{event_rows.latest(tx, job_id):x}"


def frame_map(tx: Transaction, job_id: int) -> FrameMap:
    """Return the map of all frames of a job.

    Raises:
        Refused: NOT_FOUND.
    """
    job = known_job(tx, job_id)
    rows = frame_rows.all_ended(tx.conn, job_id) if job.files_swept_at is None else []
    ids = sorted({row[2] for row in rows if row[2] is not None})
    names = agent_rows.names(tx.conn, ids)
    place = {agent_id: index for index, agent_id in enumerate(ids)}
    ended = {row[0]: row for row in rows}
    order = list(job.frame_range)
    finished = [row for row in rows if row[1] == FrameState.FINISHED]
    return FrameMap(
        frames=job.frames,
        agents=[names[agent_id] for agent_id in ids],
        states=_runs(row[1] if (row := ended.get(frame)) is not None else None for frame in order),
        by=_runs(
            place[row[2]] if (row := ended.get(frame)) is not None and row[2] is not None else None for frame in order
        ),
        seconds=[_three_digits(row[3] or 0.0) for row in finished],
        versions="".join(row[4] or "" for row in finished),
        doubtful=[row[0] for row in finished if row[5]][:_DOUBTS],
    )


def frame_changes(tx: Transaction, frames: Sequence[tuple[int, int]]) -> list[FrameChange]:
    """Return what the event stream tells of frames, each a job and a number; of those opened again since: nothing."""
    found = [frame for job_id, number in frames if (frame := frame_rows.get(tx.conn, job_id, number)) is not None]
    names = agent_rows.names(tx.conn, list({frame.agent_id for frame in found if frame.agent_id is not None}))
    return [
        FrameChange(
            job=frame.job_id,
            frame=frame.frame,
            state=frame.state,
            agent=names.get(frame.agent_id) if frame.agent_id is not None else None,
            seconds=frame.seconds,
            version=frame.output_sha256[: frame_rows.VERSION_DIGITS] if frame.output_sha256 is not None else None,
        )
        for frame in found
    ]


def cards_of(agent: Agent) -> list[str]:
    """Return the names of the graphics cards that an agent renders with, each once; none where its processor does."""
    if agent.device == "CPU":
        return []
    hardware = msgspec.json.decode(agent.hardware, type=Hardware)
    return list(dict.fromkeys(card.name for card in hardware.gpus))


def _runs(values: Iterable[T]) -> list[tuple[T, int]]:
    """Return each value with how often it comes in a row."""
    return [(value, _length(group)) for value, group in groupby(values)]


def _length(items: Iterator[object]) -> int:
    return sum(1 for _ in items)


def _three_digits(seconds: float) -> float:
    return round(seconds, 2) if seconds < 10 else round(seconds, 1) if seconds < 100 else float(round(seconds))


def _filename(job: Job, frame: int) -> str:
    return frame_filename(frame, output_of(job).format.value)


def _frame_view(job: Job, frame: Frame, names: dict[int, str], extras: int) -> FrameView:
    return FrameView(
        frame=frame.frame,
        state=frame.state,
        reason=frame.reason,
        attempts=frame.attempts,
        agent=names.get(frame.agent_id) if frame.agent_id is not None else None,
        seconds=frame.seconds,
        peak_memory_bytes=frame.peak_memory_bytes,
        peak_gpu_memory_bytes=frame.peak_gpu_memory_bytes,
        energy_joules=frame.energy_joules,
        size=frame.output_size,
        sha256=frame.output_sha256,
        filename=_filename(job, frame.frame),
        blank=frame.blank,
        doubt=frame.doubt,
        extras=extras,
        finished_at=frame.ended_at,
    )
