"""Wake requests for work that wait."""

import asyncio
from contextlib import suppress


class WorkSignal:
    """Tells all who wait that there may be work.

    A waiter takes the current event **before** it looks for work; whatever comes while it looks sets that very event,
    so no wake-up is lost.
    """

    def __init__(self) -> None:
        """Start with nothing to tell."""
        self._event = asyncio.Event()
        self._closed = False
        self._waiting = 0

    @property
    def closed(self) -> bool:
        """The coordinator is stopping: wait no longer."""
        return self._closed

    @property
    def waiting(self) -> int:
        """How many wait just now."""
        return self._waiting

    def current(self) -> asyncio.Event:
        """Return the event that the next change sets."""
        return self._event

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Return when ``event`` is set, after ``seconds`` at the latest."""
        self._waiting += 1
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await event.wait()
        finally:
            self._waiting -= 1

    def wake(self) -> None:
        """Wake everyone."""
        self._event.set()
        if not self._closed:
            self._event = asyncio.Event()

    def close(self) -> None:
        """Wake everyone for the last time."""
        self._closed = True
        self._event.set()
