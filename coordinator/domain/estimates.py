"""Progress and time left of a job."""

import math
from collections.abc import Sequence
from itertools import groupby, pairwise

from coordinator.domain.costs import CostProfile

#: By how much a shot that is estimated from its beginning alone usually turns out otherwise (standard deviation of the
#: logarithm), and how many measured steps from one part of the shot to the next that counts as.
_USUAL_SPREAD, _USUAL_STEPS = 0.45, 4
#: So many standard deviations to each side hold four of five.
_FOUR_OF_FIVE = 1.28
#: No estimate is better than this share: slots wait, and machines are used otherwise, too.
_LEAST_SPREAD = 0.04


def progress(*, frame_count: int, ended: int, shares: Sequence[float]) -> float:
    """Return a job's progress, 0–1; ``shares`` are those of the frames being rendered."""
    if ended >= frame_count:
        return 1.0
    # A frame is only whole once it is recorded.
    return min((ended + sum(shares)) / frame_count, 1.0)


def eta_seconds(*, open_frames: int, open_seconds: float | None, shares: Sequence[float], speed: float) -> float | None:
    """Return the seconds until the last frame, or None when nothing is known or no slot renders.

    Args:
        open_frames: frames that have not ended.
        open_seconds: the work in them, in seconds at speed 1; None while unknown.
        shares: how much of its frame each slot at work has rendered, 0–1.
        speed: the sum of the speeds of these slots.
    """
    if open_seconds is None or not shares or open_frames <= 0:
        return None
    # Slots beyond the number of frames have nothing to do, or render a frame that another one is ahead with.
    ahead = sorted(shares)[-open_frames:]
    left = (open_frames - sum(ahead)) * open_seconds / open_frames
    return left / (speed * len(ahead) / len(shares))


def open_seconds(costs: CostProfile, open_frames: int) -> float | None:
    """Return the work in a job's frames that have not ended, in seconds at speed 1; None while nothing is known.

    Which frames these are is known by parts of the job: those of which less was measured than there is.
    """
    if not costs.levels:
        return None
    parts = len(costs.levels)
    whole = costs.frame_count / parts
    left = [max(0.0, whole - count) for count in costs.counts]
    if sum(left) <= 0:
        return (costs.typical or 0.0) * open_frames
    return open_frames * sum(map(math.prod, zip(left, costs.levels, strict=True))) / sum(left)


def eta_range(eta: float | None, costs: CostProfile, open_frames: int) -> tuple[float, float] | None:
    """Return between which seconds four of five jobs of which so much is known end, if the slots at work stay.

    A shot's costs wander: from one part to the next by as much as they did between the measured parts, and farther the
    more parts lie beyond those.  Tried on simulated shots: tests/unit/coordinator/domain/test_estimates.py.
    """
    if eta is None:
        return None
    parts = len(costs.counts)
    known = [math.log(mean) if count else None for mean, count in zip(costs.means, costs.counts, strict=True)]
    steps = [(after - before) ** 2 for before, after in pairwise(known) if before is not None and after is not None]
    usual = _USUAL_STEPS * 3 * _USUAL_SPREAD**2 / parts
    step = (sum(steps) + usual) / (len(steps) + _USUAL_STEPS)
    gaps = [len(list(run)) for missing, run in groupby(count == 0 for count in costs.counts) if missing]
    # Of the frames to come, those in parts that were measured cost what these did.
    coming = max(parts * open_frames / costs.frame_count, 1e-9)
    unknown = min(1.0, sum(gaps) / coming)
    share = math.sqrt(step * max(gaps, default=0) / 3) * unknown
    # Few parts do not make up for each other.
    few = math.sqrt(step / max(coming, 1.0))
    factor = math.exp(_FOUR_OF_FIVE * math.hypot(share, few, _LEAST_SPREAD))
    return eta / factor, eta * factor
