"""Slots that wait for work, over a farm of one counter: how many leases there are to give."""

import asyncio
import random
from dataclasses import dataclass, field

import pytest

from coordinator.domain.board import SlotOffer
from coordinator.domain.matching import Capability
from coordinator.http import work
from coordinator.http.work import MAX_LOOKING, WaitingSlots
from coordinator.protocol import ImageFormat, JobSpec, LeaseGrant, OutputSpec, RenderSpec

JOB = JobSpec(
    job_id=1, name="shot", pack_id="0" * 64, render=RenderSpec(scene="Scene"), output=OutputSpec(format=ImageFormat.PNG)
)


@dataclass
class Farm:
    """Has so many leases to give; its board may be wrong."""

    left: int = 0
    board_lies: bool = False
    drained: set[int] = field(default_factory=set)
    """The slots that are given nothing."""
    looks: list[int] = field(default_factory=list)
    """The slots that looked in the database, in their order."""
    granted: list[int] = field(default_factory=list)
    looking: int = 0
    most_looking: int = 0
    asked: int = 0
    """How often the board was asked."""

    def __post_init__(self) -> None:
        self.slots = WaitingSlots(self._has_work)

    def _has_work(self, _offer: SlotOffer) -> bool:
        self.asked += 1
        return self.left > 0 or self.board_lies

    def give(self, leases: int) -> None:
        """Have more leases to give."""
        self.left += leases
        self.slots.wake()

    def slot(self, number: int, *, seconds: float = 1000.0, gone: bool = False) -> "asyncio.Task[LeaseGrant | None]":
        """Have a slot ask for work."""
        offer = SlotOffer(agent_id=number, slot=0, capability=Capability(blender=405))

        async def look() -> LeaseGrant | SlotOffer | None:
            self.looks.append(number)
            self.looking += 1
            self.most_looking = max(self.most_looking, self.looking)
            await asyncio.sleep(0)
            drained = number in self.drained
            found = self.left > 0 and not drained
            self.left -= found
            await asyncio.sleep(0)
            self.looking -= 1
            if not found:
                return None if drained else offer
            self.granted.append(number)
            return LeaseGrant(lease_id=f"{number:016x}", job=JOB, frames=[1])

        # Whoever hangs up does so after the first look.
        hung_up = iter([False])
        return asyncio.create_task(self.slots.find(number, look, lambda: next(hung_up, gone), seconds))


async def settle() -> None:
    """Let everything happen that does not wait for time."""
    for _ in range(500):
        await asyncio.sleep(0)


async def end(tasks: "list[asyncio.Task[LeaseGrant | None]]") -> None:
    """Stop asking."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_work_that_is_there_is_given_at_once() -> None:
    farm = Farm(left=1)
    grant = await farm.slot(1)
    assert grant is not None
    assert farm.slots.granted == 1
    assert farm.slots.waiting == 0


async def test_one_frame_for_many_slots_is_one_look_by_the_oldest() -> None:
    farm = Farm()
    tasks = [farm.slot(number) for number in range(200)]
    await settle()
    assert farm.slots.waiting == 200
    farm.looks.clear()
    farm.give(1)
    await settle()
    assert farm.looks == [0]
    assert tasks[0].done()
    assert farm.slots.waiting == 199
    farm.give(1)
    await settle()
    assert farm.granted == [0, 1]
    await end(tasks)


async def test_many_frames_are_given_to_many_at_once() -> None:
    farm = Farm()
    tasks = [farm.slot(number) for number in range(300)]
    await settle()
    farm.looks.clear()
    farm.most_looking = 0
    farm.give(300)
    async with asyncio.timeout(10):
        grants = await asyncio.gather(*tasks)
    assert all(grants)
    assert len(farm.looks) == 300, "no one looked in vain"
    assert farm.most_looking == MAX_LOOKING
    # The next time begins with one again.
    tasks = [farm.slot(number) for number in range(300)]
    await settle()
    farm.looks.clear()
    farm.give(1)
    await settle()
    assert len(farm.looks) == 1
    await end(tasks)


async def test_where_there_is_nothing_no_one_looks() -> None:
    farm = Farm()
    tasks = [farm.slot(number) for number in range(50)]
    await settle()
    farm.looks.clear()
    farm.asked = 0
    for _ in range(10):
        farm.slots.wake()
    await settle()
    assert farm.looks == []
    assert farm.asked == 50, "what happens at one moment is asked for once"
    assert farm.slots.waiting == 50
    await end(tasks)


async def test_work_that_comes_while_a_slot_looks_is_found() -> None:
    farm = Farm()
    task = farm.slot(1)
    while not farm.looking:  # noqa: ASYNC110 - a look's progress sets no event
        await asyncio.sleep(0)
    # It has looked already, and does not know yet that there was nothing.
    await asyncio.sleep(0)
    farm.give(1)
    async with asyncio.timeout(10):
        assert await task is not None


async def test_a_board_that_is_wrong_costs_one_look_each() -> None:
    farm = Farm(board_lies=True)
    tasks = [farm.slot(number) for number in range(20)]
    await settle()
    farm.looks.clear()
    farm.most_looking = 0
    farm.slots.wake()
    await settle()
    assert sorted(farm.looks) == list(range(20))
    assert farm.most_looking == 1
    assert farm.slots.waiting == 20
    # Those who looked in vain come after those who did not.
    farm.give(1)
    await settle()
    assert farm.granted == [farm.looks[0]]
    await end(tasks)


async def test_who_hung_up_leaves_the_work_to_the_next() -> None:
    farm = Farm()
    gone, here = farm.slot(1, gone=True), farm.slot(2)
    await settle()
    farm.looks.clear()
    farm.give(1)
    async with asyncio.timeout(10):
        assert await gone is None
        assert await here is not None
    assert farm.looks == [2]


@pytest.mark.parametrize("steps", [0, 1, 2])
async def test_who_is_stopped_at_its_turn_leaves_it_to_the_next(steps: int) -> None:
    farm = Farm()
    first, second = farm.slot(1), farm.slot(2)
    await settle()
    farm.give(1)
    for _ in range(steps):
        await asyncio.sleep(0)
    first.cancel()
    async with asyncio.timeout(10):
        assert await second is not None
    assert farm.slots.waiting == 0


async def test_an_agent_that_may_work_again_looks_at_once_and_the_others_do_not() -> None:
    farm = Farm(left=1, drained={1, 2})
    tasks = [farm.slot(1), farm.slot(2)]
    await settle()
    farm.slots.wake()
    await settle()
    assert farm.looks == [1, 2]
    farm.drained.discard(2)
    farm.slots.wake(2)
    await settle()
    assert (farm.looks, farm.granted) == ([1, 2, 2], [2])
    # It may be let work again just while it looks.
    tasks.append(farm.slot(3))
    farm.drained.add(3)
    for _ in range(2):
        await asyncio.sleep(0)
    assert farm.looking == 1
    farm.drained.discard(3)
    farm.left = 1
    farm.slots.wake(3)
    await settle()
    assert farm.granted == [2, 3]
    await end(tasks)


async def test_waiting_ends_with_its_time_and_with_the_coordinator() -> None:
    farm = Farm()
    assert await farm.slot(1, seconds=0.001) is None
    assert await farm.slot(1, seconds=0.0) is None
    waiting = farm.slot(2)
    await settle()
    farm.slots.close()
    async with asyncio.timeout(10):
        assert await waiting is None
        assert await farm.slot(3) is None


async def test_time_alone_brings_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "ASK_AGAIN_SECONDS", 0.001)
    farm = Farm()
    task = farm.slot(1)
    await settle()
    farm.left = 1
    running = asyncio.create_task(farm.slots.run())
    async with asyncio.timeout(10):
        assert await task is not None
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


@pytest.mark.parametrize("seed", range(10))
async def test_no_one_is_forgotten(seed: int) -> None:
    """Whatever comes when: in the end there is no work left, or no one who waits for it."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    farm = Farm(board_lies=chance.random() < 0.2)
    tasks: list[asyncio.Task[LeaseGrant | None]] = []
    for step in range(300):
        match chance.randrange(8):
            case 0 | 1 | 2:
                tasks.append(farm.slot(step, gone=chance.random() < 0.1))
            case 3:
                farm.give(chance.choice([1, 1, 1, 20]))
            case 4 if tasks:
                chance.choice(tasks).cancel()
            case _:
                for _ in range(chance.randrange(6)):
                    await asyncio.sleep(0)
    await settle()
    assert farm.left == 0 or farm.slots.waiting == 0
    farm.give(len(tasks))
    await settle()
    assert farm.slots.waiting == 0
    assert all(task.done() for task in tasks)
    await end(tasks)
