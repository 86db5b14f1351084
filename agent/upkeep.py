"""Keeping a warm session sound: when it is started anew, when its pictures are checked (pure).

Blender keeps what it has prepared of a scene between the frames of a session.  That is most of what a warm session
gains, and it may go wrong in two ways: the memory grows from frame to frame, or what was kept no longer fits the scene
and pictures come out wrong.  So the session's memory is watched, and the first frame after the scene was set up, which
was rendered from nothing kept, is rendered once more now and then and must come out the same.  Where it gains nothing
(:mod:`agent.warmth`), a session ends with its frame.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import msgspec

from agent.warmth import Warmth
from coordinator.protocol import JobSpec

#: The memory that a scene needs is what Blender holds after so many frames.
SETTLING = 3

#: A session is started anew when it holds so many times that,
GROWTH = 1.5

#: and more than this share of what the slot may use.
SHARE = 0.6

#: Nothing is kept any more between the frames of a job for which this happened so often.
RECYCLES = 2

#: The first check comes after so many frames, each later one after twice as many as the one before: a frame in a
#: hundred at most is rendered for nothing but the check.
CHECK_AFTER = 100

GIBIBYTE = 2**30


@dataclass(slots=True)
class _Session:
    """Since the scene was set up."""

    job: JobSpec
    fading: bool
    """Its frames may take longer in a warm session than in a new Blender."""
    interval: int
    """So many frames lie between two checks now."""
    count: int = 0
    settled: int = 0
    """Memory that the scene needs (bytes)."""
    reference: int | None = None
    """The first frame."""
    unchecked: list[int] = field(default_factory=list)
    """Frames rendered after it, or after the last check."""


class Upkeep:
    """What is known of one slot's session, and of the jobs that are better rendered without kept data."""

    def __init__(
        self, memory_bytes: float = math.inf, unkept: set[int] | None = None, check_after: int = CHECK_AFTER
    ) -> None:
        """Watch a session that may use ``memory_bytes``.

        ``unkept`` are the ids of the jobs for which nothing is kept, shared by the slots of an agent.
        """
        self._memory_bytes = memory_bytes
        self._unkept = set() if unkept is None else unkept
        self._check_after = check_after
        self._recycled: Counter[int] = Counter()
        self._warmth = Warmth()
        self._session: _Session | None = None

    def plan(self, job: JobSpec) -> JobSpec:
        """Return how a job is rendered here: as it says, or without kept data."""
        if job.job_id not in self._unkept or not job.render.persistent_data:
            return job
        return msgspec.structs.replace(job, render=msgspec.structs.replace(job.render, persistent_data=False))

    def set_up(self, job: JobSpec, seconds: float = 0.0, *, fading: bool = False, cold: bool = False) -> None:
        """The scene was set up for a job, as planned, which took so long: nothing is kept yet.

        The frames of one that is ``fading`` may take longer in a warm session than in a new Blender, whose first one
        takes less than this one's if that is ``cold``.
        """
        self._session = _Session(job, fading, self._check_after)
        self._warmth.opened(job.job_id, seconds, cold=cold)

    def rendered(self, frame: int, memory_bytes: int, seconds: float = 0.0) -> str | None:
        """Take note of a frame, of the memory held after it, and of the seconds that Blender took.

        Returns why the session is to be started anew, a sentence for the agent's log, or None to go on with it.
        """
        session = self._session
        if session is None:
            return None
        session.count += 1
        if session.reference is None:
            session.reference = frame
        elif session.job.render.persistent_data:
            session.unchecked.append(frame)
        faded = self._warmth.rendered(session.job.job_id, seconds) if session.fading else None
        return faded or self._outgrown(session, memory_bytes)

    def _outgrown(self, session: _Session, memory_bytes: int) -> str | None:
        if session.count <= SETTLING:
            session.settled = max(session.settled, memory_bytes)
            return None
        if memory_bytes <= GROWTH * session.settled or memory_bytes <= SHARE * self._memory_bytes:
            return None
        job_id = session.job.job_id
        self._recycled[job_id] += 1
        again = ""
        if self._recycled[job_id] == RECYCLES and session.job.render.persistent_data:
            self._unkept.add(job_id)
            again = f" It did so before: from now on nothing is kept between frames of job {job_id}."
        return (
            f"Blender's memory grew from {session.settled / GIBIBYTE:.1f} to {memory_bytes / GIBIBYTE:.1f} GiB"
            f" over {session.count} frames.{again}"
        )

    def check(self) -> int | None:
        """Return the frame to be rendered once more now and compared with its first picture; None: none is due."""
        session = self._session
        return session.reference if session is not None and len(session.unchecked) >= session.interval else None

    def checked(self, *, same: bool) -> str | None:
        """Take note of how a check ended; return a warning for the job's owner if the pictures differ."""
        session = self._session
        if session is None:
            return None
        doubtful, session.unchecked = session.unchecked, []
        session.interval *= 2
        if same:
            return None
        self._unkept.add(session.job.job_id)
        return (
            f"Frame {session.reference} was rendered twice in one session, with frames {_runs(doubtful)} in between,"
            f" and came out differently: those frames may be wrong too. Look at them, and render again those that are."
            f" For the rest of the job this agent keeps no data between frames."
        )


def _runs(frames: Sequence[int]) -> str:
    """Write frames as people do: ``2-51, 60``; of very many runs only the first ones."""
    ordered = sorted(frames)
    breaks = [index for index, (one, other) in enumerate(pairwise(ordered), 1) if other != one + 1]
    ends = [*zip([0, *breaks], [*breaks, len(ordered)], strict=True)]
    runs = [f"{ordered[begin]}-{ordered[end - 1]}" if end - begin > 1 else f"{ordered[begin]}" for begin, end in ends]
    return ", ".join(runs[:20]) + (f" and {len(runs) - 20} more runs" if len(runs) > 20 else "")
