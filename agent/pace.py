"""How fast a slot renders a job, judged by the last frames it has rendered of it."""

from collections import deque
from collections.abc import Iterable

from agent.held_lease import HeldLease

#: Frames that count: enough that one odd frame does not mislead, few enough to follow a shot that grows heavier.
LAST_FRAMES = 4


class Pace:
    """Remembers the last frames of one job: a slot that turns to another job begins to learn anew."""

    def __init__(self) -> None:
        self._job_id: int | None = None
        self._recent: deque[float] = deque(maxlen=LAST_FRAMES)

    def note(self, job_id: int, seconds: float) -> None:
        """A frame of this job took so long."""
        if job_id != self._job_id:
            self._job_id = job_id
            self._recent.clear()
        self._recent.append(seconds)

    def seconds_per_frame(self, job_id: int) -> float | None:
        """Return the mean of the last frames, or None when none of this job was rendered."""
        return sum(self._recent) / len(self._recent) if job_id == self._job_id else None

    def expected(self, leases: Iterable[HeldLease], under_way: str | None, progress: float) -> float | None:
        """Return how long what is left of leases will take (seconds), or None while that cannot be told.

        Of the lease ``under_way`` a frame has begun, and has got as far as ``progress`` (0 to 1).
        """
        total = 0.0
        for lease in leases:
            pace = self.seconds_per_frame(lease.grant.job.job_id)
            if pace is None:
                return None
            total += pace * (len(lease.todo) + (1.0 - progress if lease.grant.lease_id == under_way else 0.0))
        return total
