"""Trying again: how long to wait, and until when."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from random import Random
from typing import TypeVar

from agent.client import RetryError

T = TypeVar("T")

Sleep = Callable[[float], Awaitable[None]]

log = logging.getLogger(__name__)

#: Seconds.  The first is short, as most failures pass; the longest keeps an absent coordinator from being flooded when
#: it returns.
FIRST_DELAY = 0.5
MAX_DELAY = 30.0


class Backoff:
    """Growing delays with jitter, so that agents that failed together do not come back together."""

    def __init__(self, random: Random, *, first: float = FIRST_DELAY, longest: float = MAX_DELAY) -> None:
        self._random = random
        self._longest = longest
        self._ceiling = first

    def next_delay(self) -> float:
        """Return the seconds to wait now: half of a ceiling to all of it; the ceiling doubles up to its limit."""
        delay = self._ceiling * self._random.uniform(0.5, 1.0)
        self._ceiling = min(self._ceiling * 2, self._longest)
        return delay


class Repeater:
    """Repeats calls while the coordinator is away, and says so once, not for each call and attempt."""

    def __init__(self, random: Random, sleep: Sleep = asyncio.sleep) -> None:
        self._random = random
        self._sleep = sleep
        self._complaints: set[str] = set()
        """What was said since a call that had failed was answered."""

    async def until_answered(self, call: Callable[[], Awaitable[T]], sleep: Sleep | None = None) -> T:
        """Return what the call returns, repeating it as long as it raises RetryError; ``sleep`` waits in between."""
        backoff = Backoff(self._random)
        failed = False
        while True:
            try:
                answer = await call()
            except RetryError as error:
                failed = True
                if str(error) not in self._complaints:
                    self._complaints.add(str(error))
                    log.warning("%s Trying again until it answers; finished frames are kept.", error)
                if error.progressed:
                    backoff = Backoff(self._random)
                await (sleep or self._sleep)(backoff.next_delay())
            else:
                if failed and self._complaints:
                    self._complaints.clear()
                    log.info("The coordinator answers again.")
                return answer
