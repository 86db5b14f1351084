"""What a schedule is measured against: the least time that the work can take, and everybody's fair share of the slots.

Both are arithmetic over what was submitted and which slots there were; neither knows the scheduler.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Presence:
    """When a slot was on the farm.  Times in seconds; a span that has not ended goes on for ever."""

    speed: float
    spans: list[tuple[float, float]] = field(default_factory=list)

    def work(self, since: float, until: float, load: float) -> float:
        """Return the most it can render in that time, in seconds of a slot of speed 1.

        A session does not outlive its span, and renders nothing before it has loaded.
        """
        loaded = (max(0.0, min(until, end) - max(since, begin) - load) for begin, end in self.spans)
        return self.speed * sum(loaded)


@dataclass(frozen=True, slots=True)
class Demand:
    """A job as the bounds see it."""

    arrival: float
    """Seconds."""
    work: float
    """Seconds that all its frames take on a slot of speed 1."""


def least_makespan(demands: Sequence[Demand], slots: Sequence[Presence], load: float) -> float:
    """Return when the last frame could be finished at the earliest, in seconds.

    A lower bound: frames are taken to be divisible, and no slot ever waits.  What arrived at ``t`` or later must be
    rendered after ``t``, by slots each of which first opens one scene of it (no two jobs share a pack) for ``load``
    seconds; the bound is the latest end over all ``t``.  Each end is the smallest ``T`` with

        sum over slots of speed * (time present between t and T, less load for each span) >= work

    Raises:
        ValueError: the slots there are can never do it.
    """
    return max(
        _end(t, sum(d.work for d in demands if d.arrival >= t), slots, load) for t in {d.arrival for d in demands}
    )


def _end(since: float, work: float, slots: Sequence[Presence], load: float) -> float:
    def possible(until: float) -> bool:
        return sum(slot.work(since, until, load) for slot in slots) >= work

    if not possible(math.inf):
        raise ValueError("the slots leave before the work is done")
    low, step = since, 1.0
    while not possible(low + step):
        low, step = low + step, 2 * step
    high = low + step
    while high - low > 1e-6 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if possible(middle) else (middle, high)
    return high


def max_min_shares(demands: Mapping[str, float], capacity: float) -> dict[str, float]:
    """Return how many slots everybody gets: those who want less than an equal share that, the others alike of the rest.

    The allocation of generalised processor sharing (Parekh and Gallager, 1993) with equal weights and bounded rates.
    """
    shares: dict[str, float] = {}
    left, users = capacity, len(demands)
    for user, demand in sorted(demands.items(), key=lambda item: item[1]):
        shares[user] = min(demand, left / users)
        left -= shares[user]
        users -= 1
    return shares


@dataclass(slots=True)
class _Account:
    wanted: float = 0.0
    """Slots that could work for the user: frames that are not finished."""
    used: int = 0
    """Slots that do."""
    fair_rate: float = 0.0
    fair: float = 0.0
    """Slot-seconds that were due."""
    given: float = 0.0
    """Slot-seconds that were given, scenes' loading and frames rendered in vain included."""


class ShareMeter:
    """Compares the slot-seconds that users were given with those that were due to them.

    At every moment the slots are due to the users in equal parts, except that no one is due more slots than he has
    frames that are not finished (max-min fairness; what one cannot use is shared by the others).  The users and their
    frames at that moment are those of the schedule that is measured, so that the comparison is of rates: who was given
    more than his share and is done sooner takes it from the others while he does so, and that is what counts.

    The error of a user at a checkpoint is ``|given - due| / due`` since he came, looked at while some of his frames are
    not begun.  Slots are not taken away amid a frame, and a scene must be loaded: a share can only be met give or take
    some frames.  So users are not looked at before ``settled`` slot-seconds were due to them; those who never come that
    far have no share error, and how long they waited for their first frame must be told instead.
    """

    def __init__(self, slots: float, settled: float) -> None:
        self.errors: dict[str, list[float]] = {}
        self._slots = slots
        self._settled = settled
        self._now = 0.0
        self._accounts: dict[str, _Account] = {}

    def want(self, now: float, user: str, frames: int) -> None:
        """A user has ``frames`` more frames (fewer, if negative) to be finished."""
        self._advance(now)
        self._accounts.setdefault(user, _Account()).wanted += frames
        shares = max_min_shares({name: account.wanted for name, account in self._accounts.items()}, self._slots)
        for name, account in self._accounts.items():
            account.fair_rate = shares[name]

    def use(self, now: float, user: str, slots: int) -> None:
        """``slots`` more slots (fewer, if negative) work for a user."""
        self._advance(now)
        self._accounts[user].used += slots

    def check(self, now: float, backlogged: Iterable[str]) -> None:
        """Note the errors of these users."""
        self._advance(now)
        for user in backlogged:
            account = self._accounts[user]
            if account.fair >= self._settled:
                self.errors.setdefault(user, []).append(abs(account.given - account.fair) / account.fair)

    def _advance(self, now: float) -> None:
        for account in self._accounts.values():
            account.fair += account.fair_rate * (now - self._now)
            account.given += account.used * (now - self._now)
        self._now = now
