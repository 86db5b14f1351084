"""Requests for work that wait until there is some."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from coordinator.domain.board import SlotOffer
from coordinator.protocol import LeaseGrant

#: So many look at once at most: more would only wait for each other in the database.
MAX_LOOKING = 64
#: Time alone may bring work too, such as a frame that takes too long: all who wait are asked for this often (seconds).
ASK_AGAIN_SECONDS = 1.0

Look = Callable[[], Awaitable[LeaseGrant | SlotOffer | None]]
"""Asks the database for work: what was granted, or else what the slot offers; None, it can be given nothing."""


class _Waiter:
    """A request for work."""

    __slots__ = ("agent_id", "looking", "offer", "turn", "wakes")

    wakes: int
    """How many wake-ups there were before it looked last."""
    offer: SlotOffer | None
    turn: asyncio.Future[bool]
    """Whether it may look again, or has waited long enough."""

    def __init__(self, agent_id: int) -> None:
        self.agent_id = agent_id
        self.looking = False
        """It was given its turn, and is not done."""


class WaitingSlots:
    """Slots that wait for work, the one that has waited longest first.

    When something may have brought work (:meth:`wake`), the board is asked about each of them; that does not touch the
    database.  Those for which there is work look, one at first and twice as many each time that all of them found some.
    So one frame for a thousand slots costs one look at the database, and a thousand frames take no longer than the
    database does.

    No wake-up is lost: a request notes the last one **before** it looks, and is asked for again if there was another.
    """

    def __init__(self, has_work: Callable[[SlotOffer], bool]) -> None:
        """``has_work`` tells whether to look in the database; each answer is a guess, good until something changes."""
        self._has_work = has_work
        self._closed = False
        self._waiting: dict[_Waiter, None] = {}
        """In the order in which they looked last."""
        self._to_ask: deque[_Waiter] = deque()
        """Those of them that were not asked for since the last wake-up."""
        self._wakes = 0
        self._let_back: dict[int, int] = {}
        """By agent: how many wake-ups there were when it was let work again last."""
        self._asked_wakes = 0
        self._asking_soon = False
        self._looking = 0
        self._may_look = 1
        self._granted = 0

    @property
    def waiting(self) -> int:
        """How many wait just now."""
        return len(self._waiting)

    @property
    def granted(self) -> int:
        """How many requests were answered with work so far."""
        return self._granted

    async def find(self, agent_id: int, look: Look, is_gone: Callable[[], bool], seconds: float) -> LeaseGrant | None:
        """Return the work that ``look`` finds for an agent, now or within so many ``seconds``; None if it finds none.

        ``is_gone`` tells whether the client hung up: work must not be given to no one.
        """
        end = asyncio.get_running_loop().time() + seconds
        waiter = _Waiter(agent_id)
        try:
            while not is_gone():
                waiter.wakes = self._wakes
                found = await look()
                if isinstance(found, LeaseGrant):
                    self._granted += 1
                    self._looked(waiter, found=True)
                    return found
                self._looked(waiter, found=False)
                waiter.offer = found
                if not await self._turn(waiter, end):
                    break
        finally:
            self._looked(waiter, found=False)
        return None

    def wake(self, agent_id: int | None = None) -> None:
        """Have everyone asked for: there may be work; an agent that may work again looks without being asked for."""
        self._wakes += 1
        if agent_id is not None:
            self._let_back[agent_id] = self._wakes
        if self._waiting:
            self._ask_soon()

    async def run(self) -> None:
        """Wake everyone again and again, until cancelled."""
        while True:
            await asyncio.sleep(ASK_AGAIN_SECONDS)
            self.wake()

    def close(self) -> None:
        """Let no one wait any longer: the coordinator is stopping."""
        self._closed = True
        for waiter in self._waiting:
            _settle(waiter.turn, may_look=False)

    async def _turn(self, waiter: _Waiter, end: float) -> bool:
        """Wait until a request may look again; False at ``end``, in the event loop's seconds."""
        loop = asyncio.get_running_loop()
        if self._closed or loop.time() >= end:
            return False
        waiter.turn = loop.create_future()
        self._waiting[waiter] = None
        if waiter.wakes != self._wakes:
            self._to_ask.append(waiter)
            self._ask_soon()
        timer = loop.call_at(end, _settle, waiter.turn, False)
        try:
            return await waiter.turn
        finally:
            timer.cancel()
            self._waiting.pop(waiter, None)

    def _ask_soon(self) -> None:
        """Ask once for all that happens at this moment."""
        if not self._asking_soon:
            self._asking_soon = True
            asyncio.get_running_loop().call_soon(self._ask)

    def _ask(self) -> None:
        """Give turns to those for which there is work, as many as may look."""
        self._asking_soon = False
        if self._asked_wakes != self._wakes:
            self._asked_wakes = self._wakes
            self._to_ask = deque(self._waiting)
            if not self._looking:
                self._may_look = 1
        while self._to_ask and self._looking < self._may_look:
            waiter = self._to_ask.popleft()
            if waiter in self._waiting and self._should_look(waiter):
                del self._waiting[waiter]
                waiter.looking = True
                self._looking += 1
                _settle(waiter.turn, may_look=True)

    def _should_look(self, waiter: _Waiter) -> bool:
        if self._let_back.get(waiter.agent_id, 0) > waiter.wakes:
            # What it could be given when it looked last is no longer true.
            return True
        return waiter.offer is not None and self._has_work(waiter.offer)

    def _looked(self, waiter: _Waiter, *, found: bool) -> None:
        """Note that a request has made use of its turn, if it had one."""
        if waiter.looking:
            waiter.looking = False
            self._looking -= 1
            self._may_look = min(self._may_look + 1, MAX_LOOKING) if found else 1
            if self._to_ask:
                self._ask_soon()


def _settle(turn: asyncio.Future[bool], may_look: bool) -> None:
    if not turn.done():
        turn.set_result(may_look)
