"""Agents that wait for packs to look into: no wake-up is lost, and one agent looks for each."""

import asyncio

import pytest

from coordinator.http.inspectors import WaitingInspectors
from coordinator.protocol import InspectionGrant

GRANT = InspectionGrant(claim="0" * 16, pack_id="0" * 64)


class Packs:
    """Packs that wait, and how often someone looked for one."""

    def __init__(self) -> None:
        self.waiting = 0
        self.looks = 0
        self.refused = 0
        """So many of those who look next are not given any."""

    async def look(self) -> InspectionGrant | bool:
        """Look for one, as an agent."""
        self.looks += 1
        await asyncio.sleep(0)
        if self.waiting == 0:
            return False
        if self.refused:
            self.refused -= 1
            return True
        self.waiting -= 1
        return GRANT


def here() -> bool:
    return False


async def ask(room: WaitingInspectors, packs: Packs, seconds: float = 10.0) -> InspectionGrant | None:
    return await room.find(packs.look, here, seconds)


async def waiting(room: WaitingInspectors, count: int) -> None:
    """Return when so many wait."""
    while room.waiting != count:  # noqa: ASYNC110 - turns of the loop are waited for, no time
        await asyncio.sleep(0)


async def test_while_nothing_waits_nobody_looks_twice() -> None:
    room, packs = WaitingInspectors(), Packs()
    asking = [asyncio.create_task(ask(room, packs)) for _ in range(50)]
    await waiting(room, 50)
    assert packs.looks <= 50
    before = packs.looks
    late = asyncio.create_task(ask(room, packs))
    await waiting(room, 51)
    assert packs.looks == before
    packs.waiting = 1
    room.wake()
    done, rest = await asyncio.wait({*asking, late}, return_when=asyncio.FIRST_COMPLETED)
    assert [task.result() for task in done] == [GRANT]
    await waiting(room, 50)
    # One found it, and the next one saw that there is no more.
    assert packs.looks <= before + 2
    room.close()
    assert await asyncio.gather(*rest) == [None] * 50


async def test_who_may_not_hands_the_turn_on() -> None:
    room, packs = WaitingInspectors(), Packs()
    asking = [asyncio.create_task(ask(room, packs)) for _ in range(3)]
    await waiting(room, 3)
    packs.waiting, packs.refused = 1, 2
    room.wake()
    done, rest = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
    assert [task.result() for task in done] == [GRANT]
    room.close()
    await asyncio.gather(*rest)


async def test_a_turn_is_not_lost_with_the_agent_that_has_it() -> None:
    room, packs = WaitingInspectors(), Packs()
    first = asyncio.create_task(ask(room, packs))
    await waiting(room, 1)
    second = asyncio.create_task(ask(room, packs))
    await waiting(room, 2)
    packs.waiting = 1
    room.wake()
    first.cancel()
    assert await second == GRANT
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_each_waits_no_longer_than_it_may() -> None:
    room, packs = WaitingInspectors(), Packs()
    assert await ask(room, packs, 0.0) is None
    assert await ask(room, packs, 0.01) is None
    room.close()
    assert await ask(room, packs) is None
