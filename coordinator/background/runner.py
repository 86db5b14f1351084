"""Run the duties, each at its own pace, whatever happens to them."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

log = logging.getLogger(__name__)


class Duty(Protocol):
    """Something that is to be done again and again."""

    @property
    def interval_seconds(self) -> float:
        """How long to rest after each time."""

    async def run_once(self) -> object:
        """Do all there is to do now."""


class Waker:
    """Ends a duty's rest early."""

    def __init__(self) -> None:
        """Start without anything to do."""
        self._event = asyncio.Event()

    def wake(self) -> None:
        """End the current rest, or skip the next one."""
        self._event.set()

    async def rest(self, seconds: float) -> None:
        """Return after ``seconds``, or when woken."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return
        self._event.clear()


async def run_duties(duties: Sequence[tuple[Duty, Waker]]) -> None:
    """Run each duty until cancelled: once, then a rest of its interval, which its waker can end, and again.

    A duty that fails is logged and tried again after its rest: one bad job must not stop the others' stitching.
    """
    async with asyncio.TaskGroup() as group:
        for duty, waker in duties:
            group.create_task(_run(duty, waker), name=type(duty).__name__)


async def _run(duty: Duty, waker: Waker) -> None:
    while True:
        try:
            await duty.run_once()
        except Exception:
            log.exception("%s failed; it is tried again in %g s", type(duty).__name__, duty.interval_seconds)
        await waker.rest(duty.interval_seconds)
