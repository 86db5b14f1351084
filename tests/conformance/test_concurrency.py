"""Everything at once: slots, the reaper and people race for the same rows."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from coordinator.db.engine import open_database
from coordinator.protocol import LeaseGrant, Stage
from coordinator.services.errors import Refused
from tests.conformance.farm import Farm, SetClock
from tests.conformance.invariants import check_invariants
from tests.conformance.postgres import Server


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


@pytest.fixture
async def coordinators(postgres: Server, postgres_template: str, clock: SetClock) -> AsyncIterator[list[Farm]]:
    """Three coordinators side by side on one database; what is always true is true when the test is over."""
    name = postgres.create(postgres_template)
    databases = [await asyncio.to_thread(open_database, postgres.url(name), clock) for _ in range(3)]
    yield [Farm(database, clock) for database in databases]
    await databases[0].read(lambda tx: check_invariants(tx.conn))
    for database in databases:
        await database.close()
    await asyncio.to_thread(postgres.drop, name)


@pytest.mark.slow
async def test_no_limit_is_exceeded_by_asking_several_coordinators_at_once(coordinators: list[Farm]) -> None:
    first = coordinators[0]
    ids = [await first.agent(f"agent {number}", slots=4) for number in range(3)]
    job = await first.submit("1-40", max_slots=2)
    await first.submit("1-40", by="ben")
    await first.limit("ben", 3)
    asking = [(farm, agent, slot) for slot in range(4) for farm, agent in zip(coordinators, ids, strict=True)]
    grants = await asyncio.gather(*(farm.lease(agent, slot) for farm, agent, slot in asking))
    given = Counter(grant.job.job_id for grant in grants if grant is not None)
    assert given == {job.id: 2, job.id + 1: 3}


@pytest.mark.slow
async def test_coordinators_that_steal_from_one_another_record_each_frame_once(coordinators: list[Farm]) -> None:
    """The slots of a slow agent hang on long leases: others take their tails over, and render late frames as well."""
    chance = random.Random(11)  # noqa: S311 - no secret
    first = coordinators[0]
    slow = await first.agent("slow", slots=2)
    jobs = [(await first.submit("1-60", by=by)).id for by in ("ana", "ben")]
    recorded: Counter[tuple[int, int]] = Counter()
    asked_in_vain = asyncio.Event()

    async def render(agent: int, grant: LeaseGrant) -> None:
        """Render a lease as far as one is told to."""
        last: int | None = grant.frames[-1]
        for frame in grant.frames:
            if last is None or frame > last:
                return
            last = (await chance.choice(coordinators).report(agent, grant, frame=frame)).last_frame
            first.clock.advance(0.5)
            if agent == slow:
                await asked_in_vain.wait()
            outcome = await chance.choice(coordinators).deliver(agent, grant, frame, seconds=chance.choice([1.0, 4.0]))
            recorded[grant.job.job_id, frame] += outcome.status == "recorded"
            last = outcome.last_frame

    async def work(agent: int, slot: int) -> None:
        asked = 0
        while sum(recorded.values()) < 120:
            with suppress(Refused):
                if (grant := await chance.choice(coordinators).lease(agent, slot)) is not None:
                    await render(agent, grant)
                    continue
                first.clock.advance(0.5)
                asked += 1
                if asked == 20:
                    asked_in_vain.set()
        asked_in_vain.set()

    async def finish(agent: int, grant: LeaseGrant) -> None:
        with suppress(Refused):
            await render(agent, grant)

    for slot in range(2):
        grant = await first.must_lease(slow, slot)
        await first.deliver_all(slow, grant, seconds=2.0)
        recorded.update((grant.job.job_id, frame) for frame in grant.frames)
    held = [await first.must_lease(slow, slot) for slot in range(2)]
    ids = [await first.agent(f"agent {number}", slots=2) for number in range(3)]
    async with asyncio.timeout(120):
        await asyncio.gather(
            *(finish(slow, grant) for grant in held), *(work(agent, slot) for agent in ids for slot in range(2))
        )
    assert set(recorded.values()) == {1}
    assert {(await first.job(job)).state for job in jobs} == {"completed"}
    happened = {kind for job in jobs for kind in await first.events(job)}
    assert happened >= {"tail_taken_over", "frame_hedged"}
