"""How many frames a lease gets, and how a chunk is cut.

The size follows guided self-scheduling (Polychronopoulos and Kuck, 1987): a share of what is left, so that leases get
shorter towards the end and the slots finish together; bounded by a target duration, so that little is lost with an
agent and the order of priorities is soon felt; and small while nothing is known of the job's frames.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from coordinator.domain.frame_range import FrameRange

#: A lease is to last about this long (seconds).
TARGET_SECONDS = 60.0
#: Frames of a lease while no frame of the job was timed.
FIRST_FRAMES = 2
#: No lease is longer, however fast the frames are.
MAX_FRAMES = 500
#: How many durations a job keeps for its median.
RECENT = 15


@dataclass(frozen=True, slots=True)
class Span:
    """The frames of a range from ``first`` to ``last``, both among them."""

    first: int
    last: int
    count: int


def typical_seconds(recent: Sequence[float]) -> float | None:
    """Return the median duration: one frame that had to wait for something must not sway the rest."""
    return median(recent) if recent else None


def lease_size(*, pending: int, slots: int, seconds_per_frame: float | None) -> int:
    """Return how many frames the next lease gets.

    Args:
        pending: frames of the job that no lease holds, at least 1.
        slots: slots that could work on them, the asking one included.
        seconds_per_frame: the job's typical frame, None while unknown.
    """
    # Half of an even share: slots are of different speed, and each may hold a second lease.
    fair = math.ceil(pending / (2 * max(1, slots)))
    if seconds_per_frame is None:
        return max(1, min(FIRST_FRAMES, fair))
    wanted = MAX_FRAMES if seconds_per_frame <= 0 else min(MAX_FRAMES, TARGET_SECONDS / seconds_per_frame)
    return max(1, min(fair, int(wanted)))


def carve(frames: FrameRange, chunk: Span, size: int) -> tuple[Span, Span | None]:
    """Return the first ``size`` frames of a chunk, and the rest if there is any."""
    if size >= chunk.count:
        return chunk, None
    start = frames.rank(chunk.first)
    head = Span(chunk.first, frames.at(start + size - 1), size)
    return head, Span(frames.at(start + size), chunk.last, chunk.count - size)


def take_out(frames: FrameRange, chunk: Span, frame: int) -> list[Span]:
    """Return what is left of a chunk without one of its frames: nothing, one part, or two.

    Raises:
        ValueError: the frame is not in the chunk.
    """
    if not chunk.first <= frame <= chunk.last or frame not in frames:
        raise ValueError(f"frame {frame} is not in the chunk {chunk.first}-{chunk.last}")
    before, after = frames.before(frame), frames.after(frame)
    parts = []
    if before is not None and before >= chunk.first:
        parts.append(Span(chunk.first, before, frames.count(chunk.first, before)))
    if after is not None and after <= chunk.last:
        parts.append(Span(after, chunk.last, frames.count(after, chunk.last)))
    return parts
