"""Slots leave frames that they have not begun: to users who come, and to slots that are done with them sooner."""

import pytest

from coordinator.domain.fair_share import SHARED_SECONDS
from coordinator.protocol import ErrorCode, LeaseGrant, Stage
from coordinator.services.errors import Refused
from coordinator.services.yielding import SETTLED_SECONDS
from tests.conformance.farm import Farm

SECONDS = 2.0


async def long_lease(farm: Farm, agent: int, frames: str = "1-200") -> tuple[int, LeaseGrant]:
    """Have an agent begin a lease of many frames of two seconds; return the job and the lease."""
    job = await farm.submit(frames, by="ana")
    await farm.deliver_all(agent, await farm.must_lease(agent), seconds=SECONDS)
    grant = await farm.must_lease(agent)
    assert len(grant.frames) * SECONDS > 2 * SHARED_SECONDS
    await farm.report(agent, grant, frame=grant.frames[0])
    farm.clock.advance(SETTLED_SECONDS)
    return job.id, grant


async def test_who_comes_need_not_wait_for_the_end_of_long_leases(farm: Farm) -> None:
    ant = await farm.agent()
    job, grant = await long_lease(farm, ant)
    assert (await farm.report(ant, grant, frame=grant.frames[0])).last_frame == grant.frames[-1]
    await farm.submit("1-200", by="ben", pack=await farm.pack("another"))
    # There is no other slot that could be done with it sooner; what it takes is too much all the same.
    answer = await farm.report(ant, grant, frame=grant.frames[0], progress=0.6)
    assert answer.last_frame == grant.frames[int(SHARED_SECONDS / SECONDS)]
    # What it gave back waits for whoever is free, and what it kept counts.
    left = await farm.job(job)
    assert left.finished == 1
    with pytest.raises(Refused) as refusal:
        await farm.deliver(ant, grant, grant.frames[-1])
    assert refusal.value.code == ErrorCode.FRAME_LOST
    for frame in grant.frames[: int(SHARED_SECONDS / SECONDS) + 1]:
        await farm.deliver(ant, grant, frame, seconds=SECONDS)
    # Nothing is taken twice, and nothing from a lease that is short enough.
    given = await farm.must_lease(ant)
    assert given.job.job_id != job


async def test_the_users_own_jobs_take_nothing_from_each_other(farm: Farm) -> None:
    ant = await farm.agent()
    _, grant = await long_lease(farm, ant)
    await farm.submit("1-200", by="ana", pack=await farm.pack("another"))
    assert (await farm.report(ant, grant, frame=grant.frames[0])).last_frame == grant.frames[-1]


async def test_a_lease_of_the_size_that_was_asked_for_stays_as_it_is(farm: Farm) -> None:
    ant = await farm.agent()
    await farm.submit("1-200", by="ana", chunk_frames=100)
    grant = await farm.must_lease(ant)
    await farm.deliver(ant, grant, 1, seconds=SECONDS)
    await farm.submit("1-200", by="ben", pack=await farm.pack("another"))
    farm.clock.advance(SETTLED_SECONDS)
    assert (await farm.report(ant, grant, frame=2)).last_frame == 100


async def test_a_lease_that_was_not_begun_keeps_a_frame(farm: Farm) -> None:
    """Frames longer than any lease: it would otherwise be given back and granted again for ever."""
    ant = await farm.agent()
    await farm.submit("1-9", by="ana")
    await farm.deliver_all(ant, await farm.must_lease(ant), seconds=3 * SHARED_SECONDS)
    grant = await farm.must_lease(ant)
    await farm.submit("1-200", by="ben", pack=await farm.pack("another"))
    farm.clock.advance(SETTLED_SECONDS)
    assert (await farm.report(ant, grant, stage=Stage.OPENING)).last_frame == grant.frames[0]


async def test_a_slow_slot_leaves_its_last_frames_to_those_who_are_done_sooner(farm: Farm) -> None:
    """It was given two frames when there was much to do; the other slot was quick, and has one lease left."""
    slow, fast = await farm.agent("slow"), await farm.agent("fast")
    job = await farm.submit("1-40", target_seconds=600.0)
    for agent, seconds in ((slow, 40.0), (fast, 10.0)):
        await farm.deliver_all(agent, await farm.must_lease(agent), seconds=seconds)
    held = await farm.must_lease(slow)
    assert len(held.frames) > 1
    while (grant := await farm.must_lease(fast)).frames[-1] < 40:
        await farm.deliver_all(fast, grant, seconds=10.0)
    await farm.report(slow, held, frame=held.frames[0])
    farm.clock.advance(30.0)
    answer = await farm.report(slow, held, frame=held.frames[0], progress=0.75)
    assert answer.last_frame == held.frames[0]
    assert (await farm.job(job.id)).state == "running"
    await farm.deliver(slow, held, held.frames[0], seconds=40.0)
    await farm.deliver_all(fast, grant, seconds=10.0)
    await farm.render_everything(fast, seconds=10.0)
    assert (await farm.job(job.id)).state == "completed"
