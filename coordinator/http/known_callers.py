"""Whose tokens were good a moment ago, so that not every request of an agent reads the database."""

from collections import OrderedDict
from collections.abc import Callable

from coordinator.services.accounts import Principal

_MAX_CALLERS = 10_000


class KnownCallers:
    """Remembers callers by the digests of their tokens, for a few seconds.

    What this coordinator revokes is forgotten with the commit (:meth:`forget_all`); what another process revokes
    is good for as long as it is remembered at most.  Wrong tokens are never remembered, nor are sessions, which end by
    themselves.
    """

    def __init__(self, monotonic: Callable[[], float], *, seconds: float = 5.0) -> None:
        """Remember for so many ``seconds``; ``monotonic`` tells the time in seconds."""
        self._monotonic = monotonic
        self._seconds = seconds
        self._callers: OrderedDict[bytes, tuple[Principal, float]] = OrderedDict()
        self._revocations = 0

    @property
    def revocations(self) -> int:
        """How often all were forgotten; to be taken before the database is asked who a token belongs to."""
        return self._revocations

    def find(self, digest: bytes) -> Principal | None:
        """Return whose token has this digest, if that is known."""
        caller, until = self._callers.get(digest, (None, 0.0))
        return caller if self._monotonic() < until else None

    def remember(self, digest: bytes, caller: Principal, revocations: int) -> None:
        """Remember whose token it is, unless tokens were revoked while the database was asked."""
        if revocations != self._revocations:
            return
        self._callers[digest] = caller, self._monotonic() + self._seconds
        self._callers.move_to_end(digest)
        while len(self._callers) > _MAX_CALLERS:
            self._callers.popitem(last=False)

    def forget_all(self) -> None:
        """Forget everyone: a token was revoked."""
        self._revocations += 1
        self._callers.clear()
