"""How many frames a lease gets, and how a chunk is cut.

The size follows guided self-scheduling (Polychronopoulos and Kuck, 1987), with each slot's share in proportion to its
speed: leases get shorter towards the end, so that the slots finish together.  It is bounded by a target duration, so
that little is lost with an agent and the order of priorities is soon felt.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from coordinator.domain.frame_range import FrameRange

#: A lease gets this part of what its slot would have to do of the pending frames if all were given out now: estimates
#: are off, slots come and go, and each may hold a second lease.
SHARE = 0.35
#: No lease is longer, however fast the frames are.
MAX_FRAMES = 500
#: A slot is to finish so many times as early as the others, by what was estimated: if it is late all of them wait for
#: it, and if it could have been in time the job only does without one more frame of a slow slot.
CAUTION = 1.25
#: A slot that is free in so many seconds is as good as free.
AHEAD_SECONDS = 2.0
#: After this many looks (the ends, the middle, and three rounds of bisecting) a job is seen well enough.
MAX_LOOKS = 17
#: Nor is a gap bisected that has fewer frames.
MIN_LOOK_GAP = 8


@dataclass(frozen=True, slots=True)
class Span:
    """The frames of a range from ``first`` to ``last``, both among them."""

    first: int
    last: int
    count: int


def lease_size(
    *,
    pending_frames: int,
    pending_seconds: float | None,
    frame_seconds: float | None,
    leased_seconds: float,
    own_speed: float,
    fleet_speed: float,
    others: int,
    others_speed: float,
    start_seconds: float,
    target_seconds: float,
    fixed: int | None,
) -> int:
    """Return how many frames the next lease of a job gets; 0: the job ends sooner without this slot.

    Work is in seconds at speed 1.

    Args:
        pending_frames: frames of the job that no lease holds, at least 1.
        pending_seconds: the work in them; None while unknown.
        frame_seconds: the work in one of those that would be leased now; None while unknown.
        leased_seconds: the work in the frames that the others' leases hold.
        own_speed: of the asking slot.
        fleet_speed: the sum of the speeds of all slots that could work on the job, the asking one's included.
        others: slots that work on the job now, the asking one left out.
        others_speed: the sum of their speeds.
        start_seconds: until the slot could begin the first of these frames: what it still renders, opening the scene.
        target_seconds: a lease's frames are to take about this long; opening the scene comes on top of it.
        fixed: the size the job asks for; None for the one that fits best.
    """
    if fixed is not None:
        return min(fixed, pending_frames)
    if pending_seconds is None or frame_seconds is None:
        return 1
    seconds_per_frame = frame_seconds / own_speed
    if others > 0 and others_speed > 0:
        end = others_end(
            work=pending_seconds + leased_seconds, frame_seconds=frame_seconds, others=others, speed=others_speed
        )
        if start_seconds + seconds_per_frame > end:
            return 0
        # Frames that others begin before this slot could are better left to whoever is free first: what slots say of
        # the time they need is a guess.
        begun = (pending_seconds + max(0.0, leased_seconds - others * frame_seconds)) / others_speed
        if start_seconds > max(begun, AHEAD_SECONDS):
            return 0
    share_seconds = SHARE * pending_seconds / max(fleet_speed, own_speed)
    wanted = min(share_seconds, target_seconds) / seconds_per_frame if seconds_per_frame > 0 else math.inf
    return max(1, int(min(wanted, pending_frames, MAX_FRAMES)))


def others_end(*, work: float, frame_seconds: float, others: int, speed: float) -> float:
    """Return when other slots would be done with a job; whoever ends later with a frame of it had better leave it.

    Seconds, on the cautious side.

    Args:
        work: in all frames that have not ended, in seconds at speed 1; those at work are counted whole, which makes up
            for frames that cannot be shared: both are half a frame for each slot, on average.
        frame_seconds: the work in one of them.
        others: slots that work on the job, at least one.
        speed: the sum of their speeds, more than 0.
    """
    return max(work / speed / CAUTION, frame_seconds * others / speed)


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


def carve_look(frames: FrameRange, chunks: Sequence[Span], look: int) -> tuple[int, int] | None:
    """Return where to look next so that the whole shot is seen early: the index of a pending chunk, and a frame of it.

    The job's first frame, the one in its middle and its last come first; then, and when one of these is no longer
    pending, the middle of the longest pending chunk.  None when the shot was seen well enough.

    Args:
        frames: of the job.
        chunks: the job's pending ones.
        look: how many looks were granted before.
    """
    if look >= MAX_LOOKS or not chunks:
        return None
    if look < 3:
        wanted = (frames.first, frames.at(len(frames) // 2), frames.last)[look]
        for index, chunk in enumerate(chunks):
            if chunk.first <= wanted <= chunk.last:
                return index, wanted
    index = max(range(len(chunks)), key=lambda index: chunks[index].count)
    longest = chunks[index]
    if longest.count < MIN_LOOK_GAP:
        return None
    return index, frames.at(frames.rank(longest.first) + longest.count // 2)


def split_tail(frames: FrameRange, spans: Sequence[Span], count: int) -> tuple[list[Span], list[Span]]:
    """Return what a lease keeps of its spans, which are in ascending order, and its last ``count`` frames.

    Raises:
        ValueError: the lease has not so many frames.
    """
    held = sum(span.count for span in spans)
    if not 0 <= count <= held:
        raise ValueError(f"a lease of {held} frames has no last {count}")
    kept: list[Span] = []
    taken: list[Span] = []
    left = held - count
    for span in spans:
        if left <= 0:
            taken.append(span)
            continue
        head, rest = carve(frames, span, left)
        kept.append(head)
        if rest is not None:
            taken.append(rest)
        left -= head.count
    return kept, taken
