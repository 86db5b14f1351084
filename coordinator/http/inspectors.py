"""Agents that wait for packs to look into: one is woken for each."""

import asyncio
from collections.abc import Awaitable, Callable

from coordinator.protocol import InspectionGrant

Look = Callable[[], Awaitable[InspectionGrant | bool]]
"""Asks the database: what was granted; False, no pack waits; True, some do, but not for this agent."""


class WaitingInspectors:
    """Agents that wait, the one that came first before the others.

    While no pack waits, an agent's request costs no look at the database.  A pack that begins to wait gives the first
    agent its turn; one that finds nothing for itself hands the turn on.
    """

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[bool], None] = {}
        self._wakes = 0
        # Some may have been waiting when the coordinator started.
        self._some = True
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many wait just now."""
        return len(self._waiting)

    async def find(self, look: Look, is_gone: Callable[[], bool], seconds: float) -> InspectionGrant | None:
        """Return the pack that ``look`` finds, now or within so many ``seconds``; None if it finds none.

        ``is_gone`` tells whether the agent hung up.
        """
        end = asyncio.get_running_loop().time() + seconds
        may_look = self._some
        while not is_gone():
            if may_look:
                wakes = self._wakes
                try:
                    found = await look()
                except BaseException:
                    self._hand_on()
                    raise
                if isinstance(found, InspectionGrant):
                    self._hand_on()
                    return found
                if wakes != self._wakes:
                    continue
                self._some = found
                self._hand_on()
            may_look = await self._turn(end)
            if not may_look:
                return None
        self._hand_on()
        return None

    def wake(self) -> None:
        """A pack waits: give the first agent its turn."""
        self._wakes += 1
        self._some = True
        self._hand_on()

    def close(self) -> None:
        """Let no one wait any longer: the coordinator is stopping."""
        self._closed = True
        for turn in self._waiting:
            _settle(turn, may_look=False)

    async def _turn(self, end: float) -> bool:
        """Wait for a turn; False at ``end``, in the event loop's seconds."""
        loop = asyncio.get_running_loop()
        if self._closed or loop.time() >= end:
            return False
        turn: asyncio.Future[bool] = loop.create_future()
        self._waiting[turn] = None
        timer = loop.call_at(end, _settle, turn, False)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result():
                self._hand_on()
            raise
        finally:
            timer.cancel()
            self._waiting.pop(turn, None)

    def _hand_on(self) -> None:
        if self._some and self._waiting:
            turn = next(iter(self._waiting))
            del self._waiting[turn]
            _settle(turn, may_look=True)


def _settle(turn: asyncio.Future[bool], may_look: bool) -> None:
    if not turn.done():
        turn.set_result(may_look)
