"""Time that passes only when everything due has happened."""

import heapq
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

#: Any moment will do.
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)

Action = Callable[[], None]


class Agenda:
    """What is to happen when, and the clock that goes with it.  Times are in seconds since the beginning."""

    def __init__(self) -> None:
        self.now = 0.0
        self._order = itertools.count()
        self._due: list[tuple[float, int, Action]] = []

    def clock(self) -> datetime:
        """Tell the time as the coordinator reads it."""
        return _EPOCH + timedelta(seconds=self.now)

    def after(self, seconds: float, action: Action) -> None:
        """Have something happen later; what is due at the same moment happens in the order it was asked for."""
        heapq.heappush(self._due, (self.now + seconds, next(self._order), action))

    def run(self, *, until: Callable[[], bool], limit: float) -> None:
        """Let everything happen, one after the other, until ``until`` holds.

        Raises:
            TimeoutError: it does not hold after ``limit`` seconds, or nothing is left that could happen.
        """
        while not until():
            if not self._due or self._due[0][0] > limit:
                raise TimeoutError(f"the simulation has not come to its end after {self.now:.0f} s")
            self.now, _, action = heapq.heappop(self._due)
            action()
