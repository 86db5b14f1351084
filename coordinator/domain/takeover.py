"""What an idle slot can do for a job of which nothing is pending: take over a tail, or render a late frame once more.

Both go by what the coordinator knows of the running leases: their last reports, and estimates that may be off.  So
they act only where the job clearly ends earlier.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

#: Estimates may be off by this factor: an owner is taken to be so much faster when its frames are to be left alone.
ERROR = 2.0
#: A report, or its answer, may be under way for this long (seconds).
TRAVEL_SECONDS = 1.0
#: A take-over is to end the lease earlier by this part of the time it needs, and at least by so many seconds.
GAIN, GAIN_SECONDS = 0.05, 0.5
#: Below this progress of a frame, what Blender says of the time left is a guess.
TRUSTED_PROGRESS = 0.1
#: A frame is late when it took this many times as long as expected, and some seconds more.
LATE_FACTOR, LATE_SECONDS = 2.0, 5.0
#: A frame past its expected time is taken to need at least this part of the time it took so far.
OVERDUE = 0.25
#: The second slot is to need less than this part of what the owner still needs: of a late frame, and of any.
CLEARLY, MUCH = 0.8, 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """One live lease as the coordinator knows it.  Durations in seconds, as they are on the slots concerned."""

    lease_id: str
    agent_id: int
    slot: int
    frames_left: int
    """Frames not handed in."""
    untouched: int
    """Of these, the last ones: those past the frame being rendered, or all when none was begun."""
    rendering: bool
    """Whether a frame of it is being rendered."""
    seconds_per_frame: float | None
    """Estimate for the frames left, on the slot that holds them."""
    own_seconds_per_frame: float | None
    """The same, on the slot that asks for work."""
    elapsed: float = 0.0
    """Since the frame being rendered was first reported."""
    progress: float = 0.0
    """Of that frame, 0–1."""
    remaining_seconds: float | None = None
    """Of that frame, as Blender says."""
    load_left: float = 0.0
    """Until the scene is open; 0 where it is."""
    hedgeable: bool = True
    """Whether the slot that asks may render its frame as well: no second slot does, and its agent has not failed it."""


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Take the last ``frames`` frames off a lease."""

    lease_id: str
    frames: int


@dataclass(frozen=True, slots=True)
class _Tail:
    """The untouched frames of a lease, beginning after ``begins`` seconds at the owner's pace."""

    lease: Running
    begins: float
    pace: float
    """The owner's seconds for each frame."""
    own_pace: float

    @property
    def ends(self) -> float:
        return self.begins + self.lease.untouched * self.pace


def choose_tail(
    running: Sequence[Running], *, agent_id: int, slot: int, start_seconds: float, report_seconds: float
) -> TakeOver | None:
    """Return what a slot should take over, None when nothing would end clearly earlier.

    It is taken from the lease that would end last, so many of its untouched frames that both slots end together; if
    there is nothing to gain, from the one before it, and so on.

    Args:
        running: live leases of one job; of two that a slot holds, the one granted first comes first.
        agent_id: names the slot that asks, together with
        slot: its number.
        start_seconds: until it could begin: what it still renders, opening the scene.
        report_seconds: an owner is heard of, and told, at least this often.
    """
    tails = [tail for tail in _tails(running) if (tail.lease.agent_id, tail.lease.slot) != (agent_id, slot)]
    for tail in sorted(tails, key=lambda tail: tail.ends, reverse=True):
        frames = _worth_taking(tail, start_seconds, report_seconds)
        if frames:
            return TakeOver(tail.lease.lease_id, frames)
    return _half_of_the_unknown(running, agent_id, slot, report_seconds)


def choose_hedge(running: Sequence[Running], *, agent_id: int, slot: int, start_seconds: float) -> str | None:
    """Return the lease whose last frame a second slot should render too, None when that would not be clearly earlier.

    The arguments are those of :func:`choose_tail`.
    """
    best, best_gain = None, 0.0
    for lease in running:
        if lease.frames_left != 1 or not lease.rendering or not lease.hedgeable or lease.own_seconds_per_frame is None:
            continue
        if (lease.agent_id, lease.slot) == (agent_id, slot):
            continue
        expected = lease.seconds_per_frame
        late = expected is not None and lease.elapsed > LATE_FACTOR * expected + LATE_SECONDS
        left = _late_remaining(lease) if late else _remaining(lease)
        needed = start_seconds + lease.own_seconds_per_frame
        if left is not None and expected and not late:
            # A frame that turns out to be heavy is so for everyone; that its owner is at fault shows in time.
            needed += lease.own_seconds_per_frame * max(0.0, (lease.elapsed + left) / expected - 1.0)
        if left is not None and needed < left * (CLEARLY if late else MUCH) and left - needed > best_gain:
            best, best_gain = lease.lease_id, left - needed
    return best


def frames_in_time(running: Sequence[Running], lease_id: str, end_seconds: float) -> int:
    """Return how many untouched frames of a lease its slot will be done with after so many seconds.

    Args:
        running: all leases of the slot, the one granted first coming first.
        lease_id: the one that is asked about; of one of unknown pace, all are.
        end_seconds: from now.
    """
    for tail in _tails(running):
        if tail.lease.lease_id == lease_id and tail.pace > 0 and tail.ends > end_seconds:
            return max(0, min(math.floor((end_seconds - tail.begins) / tail.pace), tail.lease.untouched))
    return next((lease.untouched for lease in running if lease.lease_id == lease_id), 0)


def _tails(running: Sequence[Running]) -> Iterator[_Tail]:
    """Yield the untouched frames of each lease whose pace is known."""
    free: dict[tuple[int, int], float] = {}
    # The lease that a slot renders goes before the one it renders next.
    for lease in sorted(running, key=lambda lease: not lease.rendering):
        pace = lease.seconds_per_frame
        if pace is None or lease.own_seconds_per_frame is None:
            continue
        owner = (lease.agent_id, lease.slot)
        begins = free.get(owner, 0.0) + lease.load_left
        if lease.rendering:
            begins += _remaining(lease) or 0.0
        tail = _Tail(lease, begins, pace, lease.own_seconds_per_frame)
        free[owner] = tail.ends
        if lease.untouched > 0:
            yield tail


def _worth_taking(tail: _Tail, start_seconds: float, report_seconds: float) -> int:
    """Return how many frames to take so that both end together, 0 when it gains too little."""
    most = tail.lease.untouched - _out_of_reach(tail, report_seconds)
    both = (tail.ends - start_seconds) / (tail.pace + tail.own_pace) if tail.pace + tail.own_pace > 0 else 0.0

    def end(frames: int) -> float:
        mine = start_seconds + frames * tail.own_pace if frames else 0.0
        return max(tail.ends - frames * tail.pace, mine)

    frames = min((max(0, min(count, most)) for count in (math.floor(both), math.ceil(both))), key=end)
    return frames if tail.ends - end(frames) >= max(GAIN * tail.ends, GAIN_SECONDS) else 0


def _out_of_reach(tail: _Tail, report_seconds: float) -> int:
    """Return how many untouched frames the owner could begin before it hears that they were taken.

    It hears of it when it reports next: after the report interval, or as soon as it begins its next frame.
    """
    pace = tail.pace / ERROR
    if pace <= 0:
        return tail.lease.untouched
    next_frame = tail.begins / ERROR
    told = min(report_seconds, next_frame) + TRAVEL_SECONDS
    return math.floor((told - next_frame) / pace) + 1 if told >= next_frame else 0


def _half_of_the_unknown(
    running: Sequence[Running], agent_id: int, slot: int, report_seconds: float
) -> TakeOver | None:
    """Return half of the longest lease of unknown pace, None when there is none that can be cut safely.

    An owner that has rendered one frame for longer than it takes to be told will not have begun more than the next.
    """
    candidates = [
        lease
        for lease in running
        if (lease.seconds_per_frame is None or lease.own_seconds_per_frame is None)
        and (lease.agent_id, lease.slot) != (agent_id, slot)
        and lease.rendering
        and lease.elapsed > report_seconds + TRAVEL_SECONDS
        and lease.untouched >= 2
    ]
    longest = max(candidates, key=lambda lease: lease.untouched, default=None)
    return TakeOver(longest.lease_id, longest.untouched // 2) if longest else None


def _remaining(lease: Running) -> float | None:
    """Return the seconds that the frame being rendered still needs, None while nothing is known."""
    if lease.progress > TRUSTED_PROGRESS:
        return _by_progress(lease) if lease.remaining_seconds is None else lease.remaining_seconds
    if lease.seconds_per_frame is None:
        return None
    return max(lease.seconds_per_frame - lease.elapsed, OVERDUE * lease.elapsed)


def _late_remaining(lease: Running) -> float:
    """Return the seconds that a late frame still needs.

    What Blender said may be old, since a Blender that hangs says nothing new: then its progress tells.  Of a frame
    that got nowhere, as much is to be feared again as it took so far.
    """
    if lease.progress <= TRUSTED_PROGRESS:
        return lease.elapsed
    return max(lease.remaining_seconds or 0.0, _by_progress(lease))


def _by_progress(lease: Running) -> float:
    """Return the seconds left of a frame that goes on as it went so far: too many at first, while it was prepared."""
    return lease.elapsed * (1.0 - lease.progress) / lease.progress
