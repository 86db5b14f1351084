"""Everything at once: slots, the reaper and people race for the same rows."""

import asyncio
import random
from contextlib import suppress

import pytest

from coordinator.protocol import LeaseGrant, Stage
from coordinator.services.errors import Refused
from tests.conformance.farm import Farm


async def test_many_slots_at_once_never_get_a_frame_twice(farm: Farm) -> None:
    """Slots race for one job's frames; every frame is given out exactly once."""
    ids = [await farm.agent(f"agent {number}", slots=8) for number in range(4)]
    job = await farm.submit("1-150")
    given: list[int] = []

    async def work(agent: int, slot: int) -> None:
        while (grant := await farm.lease(agent, slot)) is not None:
            given.extend(grant.frames)
            await farm.deliver_all(agent, grant, seconds=5.0)

    await asyncio.gather(*(work(agent, slot) for agent in ids for slot in range(8)))
    assert sorted(given) == list(range(1, 151))
    assert (await farm.job(job.id)).state == "completed"


async def test_one_slot_that_asks_many_times_at_once_gets_one_lease(farm: Farm) -> None:
    """As when its request timed out on the way and was repeated."""
    ant = await farm.agent()
    await farm.submit("1-100")
    grants = await asyncio.gather(*(farm.lease(ant) for _ in range(8)))
    assert len({grant.lease_id for grant in grants if grant is not None}) == 1


async def test_one_frame_handed_in_many_times_at_once_is_recorded_once(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit("1-3")
    grant = await farm.must_lease(ant)
    outcomes = await asyncio.gather(*(farm.deliver(ant, grant, 1) for _ in range(8)))
    assert sorted(outcome.status for outcome in outcomes) == ["recorded"] + ["repeated"] * 7
    assert (await farm.job(job.id)).finished == 1


async def play(farm: Farm, agent: int, grant: LeaseGrant, chance: random.Random) -> None:
    """Do with a lease what agents do, well or badly."""
    if grant.mix_sound:
        await farm.deliver_sound(agent, grant, chance.choice([None, "song.wav is missing"]))
    for frame in grant.frames:
        await farm.report(agent, grant, frame=frame, progress=0.5)
        match chance.randrange(12):
            case 0:
                await farm.fail(agent, grant, frame)
            case 1:
                await farm.report(agent, grant, stage=Stage.UPLOADING, release=True)
            case 2:
                await farm.deliver(agent, grant, frame, size=(1, 1))
            case 3:
                return  # forgets the lease, and is granted it again
            case _:
                await farm.deliver(agent, grant, frame)


@pytest.mark.slow
async def test_whatever_happens_at_once_every_job_comes_to_its_end(farm: Farm) -> None:
    """Slots that deliver, fail, give back and forget, while leases expire and jobs are cancelled.

    Nothing but a refusal may come of it; what is always true is checked when the test is over.
    """
    chance = random.Random(7)  # noqa: S311 - no secret
    ids = [await farm.agent(f"agent {number}", slots=2) for number in range(3)]
    jobs = [(await farm.submit(f"1-{24 + extra}", video=extra == 1, sound=extra == 1)).id for extra in range(4)]

    async def some_job_goes_on() -> bool:
        states = [(await farm.job(job)).state for job in jobs]
        return any(state in ("queued", "running") for state in states)

    async def work(agent: int, slot: int) -> None:
        while await some_job_goes_on():
            with suppress(Refused):
                grant = await farm.lease(agent, slot)
                if grant is not None:
                    await play(farm, agent, grant, chance)

    async def reap() -> None:
        while True:
            farm.clock.advance(3)
            await farm.reap()

    reaping = asyncio.create_task(reap())
    try:
        async with asyncio.timeout(120):
            await asyncio.gather(*(work(agent, slot) for agent in ids for slot in range(2)), farm.cancel(jobs[3]))
    finally:
        reaping.cancel()
        with suppress(asyncio.CancelledError):
            await reaping
    assert (await farm.job(jobs[3])).state == "cancelled"
