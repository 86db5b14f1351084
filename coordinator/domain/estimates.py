"""Progress and time left of a job."""

from collections.abc import Sequence


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
