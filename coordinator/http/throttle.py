"""Slow down whoever tries one wrong token after the other."""

import math
from collections import OrderedDict, deque
from collections.abc import Callable

_MAX_ADDRESSES = 10_000
_MAX_TOKENS = 10_000


class FailedSignIns:
    """Counts wrong tokens by address; tokens are known by their digests.

    An address with too many of them is refused unread, until they are old enough.  Tokens that were good before stay
    good from there: an agent must not stop because another machine behind the same router has a wrong token.
    """

    def __init__(self, monotonic: Callable[[], float], *, limit: int = 20, window_seconds: float = 60.0) -> None:
        """Allow ``limit`` failures in any ``window_seconds``; ``monotonic`` tells the time in seconds."""
        self._monotonic = monotonic
        self._limit = limit
        self._window = window_seconds
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._good: OrderedDict[bytes, None] = OrderedDict()

    def retry_after(self, address: str, digest: bytes) -> int | None:
        """Return how many seconds ``address`` must wait before trying a token, or None when it may."""
        if digest in self._good:
            return None
        times = self._recent(address)
        if len(times) < self._limit:
            return None
        return max(1, math.ceil(times[0] + self._window - self._monotonic()))

    def failed(self, address: str) -> None:
        """Count a wrong token."""
        times = self._recent(address)
        times.append(self._monotonic())
        self._failures[address] = times
        self._failures.move_to_end(address)
        while len(self._failures) > _MAX_ADDRESSES:
            self._failures.popitem(last=False)

    def succeeded(self, digest: bytes) -> None:
        """Remember a good token."""
        self._good[digest] = None
        self._good.move_to_end(digest)
        while len(self._good) > _MAX_TOKENS:
            self._good.popitem(last=False)

    def _recent(self, address: str) -> deque[float]:
        times = self._failures.get(address, deque())
        while times and times[0] <= self._monotonic() - self._window:
            times.popleft()
        return times
