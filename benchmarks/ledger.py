"""What the simulated slots did with their time."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.schedule_bounds import Demand, Presence, ShareMeter

#: Shares are compared this often (seconds).
CHECK_SECONDS = 30.0


@dataclass(slots=True, kw_only=True)
class SimulatedJob:
    """A job whose frames' durations are known beforehand, to the simulation alone."""

    id: int
    user: str
    arrival: float
    costs: list[float]
    """Seconds on a slot of speed 1, of frame 1 and so on."""
    load: float
    """Seconds that opening its scene takes, on every slot."""
    finished: set[int] = field(default_factory=set)
    rendering: Counter[int] = field(default_factory=Counter)
    """On how many slots, by frame."""

    @property
    def done(self) -> bool:
        """Whether every frame is finished."""
        return len(self.finished) == len(self.costs)

    @property
    def backlogged(self) -> bool:
        """Whether it has frames that nobody has begun."""
        return len(self.finished | self.rendering.keys()) < len(self.costs)

    def cost(self, frame: int) -> float:
        """Return how long a slot of speed 1 renders a frame, in seconds."""
        return self.costs[frame - 1]


class Ledger:
    """Adds up the slots' time.  ``now`` is in seconds since the beginning."""

    def __init__(self, now: Callable[[], float], shares: ShareMeter | None) -> None:
        self.jobs: dict[int, SimulatedJob] = {}
        self.presences: dict[str, Presence] = {}
        """By the name of the slot's agent."""
        self.busy = 0.0
        """Slot-seconds of loading and rendering."""
        self.wasted = 0.0
        """Slot-seconds of frames whose result was not needed or never came, whatever the reason."""
        self.spoilt_frames = 0
        """How often a frame was begun without becoming the recorded result."""
        self.loads = 0
        self.first_begun: dict[str, float] = {}
        """When the first slot began to work for a user."""
        self.last_finished = 0.0
        self._now = now
        self._shares = shares
        self._checked = 0.0

    def submitted(self, job: SimulatedJob) -> None:
        """A job has come."""
        self.jobs[job.id] = job
        if self._shares is not None:
            self._shares.want(self._now(), job.user, len(job.costs))

    def came(self, slot: str, speed: float) -> None:
        """A slot is on the farm from now on."""
        self.presences.setdefault(slot, Presence(speed)).spans.append((self._now(), float("inf")))

    def went(self, slot: str) -> None:
        """A slot is gone."""
        spans = self.presences[slot].spans
        spans[-1] = (spans[-1][0], self._now())

    def began(self, job_id: int, frame: int | None, *, loads: bool) -> None:
        """A slot began to render a frame, or to do something else for the job (``None``), such as to load the scene."""
        job = self.jobs[job_id]
        self.first_begun.setdefault(job.user, self._now())
        self.loads += loads
        if frame is not None:
            job.rendering[frame] += 1
        if self._shares is not None:
            self._shares.use(self._now(), job.user, 1)

    def ended(self, job_id: int, frame: int | None, seconds: float) -> None:
        """The slot works on it no more, after so many seconds."""
        job = self.jobs[job_id]
        self.busy += seconds
        if frame is not None:
            job.rendering[frame] -= 1
            if not job.rendering[frame]:
                del job.rendering[frame]
        if self._shares is not None:
            self._shares.use(self._now(), job.user, -1)
            self._check(self._shares)

    def spoilt(self, seconds: float) -> None:
        """What a slot rendered for so long is of no use."""
        self.wasted += seconds
        self.spoilt_frames += 1

    def recorded(self, job_id: int, frame: int) -> None:
        """The coordinator took a frame."""
        job = self.jobs[job_id]
        job.finished.add(frame)
        self.last_finished = self._now()
        if self._shares is not None:
            self._shares.want(self._now(), job.user, -1)

    def demands(self) -> list[Demand]:
        """Return all that was asked of the farm."""
        return [Demand(job.arrival, sum(job.costs)) for job in self.jobs.values()]

    def present(self) -> float:
        """Return for how long slots were on the farm until the last frame was finished, in slot-seconds."""
        return sum(
            max(0.0, min(end, self.last_finished) - begin)
            for presence in self.presences.values()
            for begin, end in presence.spans
        )

    def _check(self, shares: ShareMeter) -> None:
        if self._now() < self._checked + CHECK_SECONDS:
            return
        self._checked = self._now()
        shares.check(self._now(), {job.user for job in self.jobs.values() if job.backlogged})
