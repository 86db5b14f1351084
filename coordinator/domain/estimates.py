"""Progress and time left of a job."""

from collections.abc import Sequence


def progress(*, frame_count: int, ended: int, shares: Sequence[float]) -> float:
    """Return a job's progress, 0–1; ``shares`` are those of the frames being rendered."""
    if ended >= frame_count:
        return 1.0
    # A frame is only whole once it is recorded.
    return min((ended + sum(shares)) / frame_count, 1.0)


def eta_seconds(*, open_frames: int, shares: Sequence[float], seconds_per_frame: float | None) -> float | None:
    """Return the seconds until the last frame, or None when nothing is known or no slot renders.

    ``shares`` has one entry for each slot at work.
    """
    if seconds_per_frame is None or not shares or open_frames <= 0:
        return None
    left = max(open_frames - sum(shares), 0.0)
    return left * seconds_per_frame / min(len(shares), open_frames)
