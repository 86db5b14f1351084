"""Idle slots help: they take over tails, and render late frames a second time."""

from typing import Any

import pytest

from coordinator.protocol import ErrorCode, LeaseGrant, Stage
from coordinator.services.errors import Refused
from tests.conformance.farm import Farm

SECONDS = 10.0


async def known_pace(farm: Farm, agent: int) -> None:
    """Have an agent render one frame, so that it is known how long they take."""
    await farm.deliver_all(agent, await farm.must_lease(agent), seconds=SECONDS)


async def rendering(farm: Farm, agent: int) -> LeaseGrant:
    """Have an agent take a lease and begin its first frame."""
    grant = await farm.must_lease(agent)
    await farm.report(agent, grant, frame=grant.frames[0])
    return grant


async def first_of(farm: Farm, agent: int, others: LeaseGrant) -> LeaseGrant:
    """Have an agent render all that is pending, and return its first lease of frames that were another one's."""
    while (grant := await farm.must_lease(agent)).frames[0] not in others.frames:
        await farm.deliver_all(agent, grant, seconds=SECONDS)
    return grant


async def test_an_idle_slot_takes_over_the_half_that_comes_last(farm: Farm) -> None:
    ant, bee = await farm.agent("ant"), await farm.agent("bee")
    job = await farm.submit("1-41", target_seconds=3600.0)
    await known_pace(farm, ant)
    owned = await rendering(farm, ant)
    taken = await first_of(farm, bee, owned)
    assert taken.frames == owned.frames[-len(taken.frames) :]
    assert abs(len(taken.frames) - len(owned.frames) / 2) <= 1
    answer = await farm.report(ant, owned, frame=owned.frames[0])
    assert answer.last_frame == owned.frames[-len(taken.frames) - 1]
    assert "tail_taken_over" in await farm.events(job.id)
    assert farm.database.happened["tail_taken_over"] == 1
    # What it lost is refused, and nothing else.
    with pytest.raises(Refused) as refusal:
        await farm.deliver(ant, owned, taken.frames[0])
    assert refusal.value.code == ErrorCode.FRAME_LOST
    outcome = await farm.deliver(ant, owned, owned.frames[0])
    assert (outcome.status, outcome.last_frame) == ("recorded", answer.last_frame)
    for frame in owned.frames[1 : -len(taken.frames)]:
        await farm.deliver(ant, owned, frame)
    await farm.deliver_all(bee, taken)
    assert (await farm.job(job.id)).state == "completed"


async def test_a_lease_that_was_not_begun_may_go_as_a_whole(farm: Farm) -> None:
    ant, bee = await farm.agent("ant"), await farm.agent("bee")
    job = await farm.submit("1-21", target_seconds=3600.0)
    await known_pace(farm, ant)
    first = await rendering(farm, ant)
    second = await farm.must_lease(ant, holds=[first.lease_id])
    taken: list[int] = []
    while (grant := await farm.lease(bee)) is not None:
        taken += grant.frames
        await farm.deliver_all(bee, grant, seconds=0.1)
    assert set(second.frames) <= set(taken)
    with pytest.raises(Refused) as refusal:
        await farm.report(ant, second)
    assert refusal.value.code == ErrorCode.LEASE_LOST
    # What it renders, and what it would begin before it hears of anything, stays with it.
    left = await farm.report(ant, first, frame=first.frames[0])
    assert left.last_frame is not None
    for frame in range(first.frames[0], left.last_frame + 1):
        await farm.deliver(ant, first, frame)
    assert (await farm.job(job.id)).state == "completed"


async def test_frames_that_the_owner_is_about_to_begin_stay_with_it(farm: Farm) -> None:
    """Frames of a fraction of a second: the owner would have rendered them before it is told."""
    ant, bee = await farm.agent("ant"), await farm.agent("bee")
    await farm.submit("1-9", target_seconds=3600.0)
    await farm.deliver_all(ant, await farm.must_lease(ant), seconds=0.2)
    owned = await rendering(farm, ant)
    while (grant := await farm.lease(bee)) is not None:
        assert not set(grant.frames) & set(owned.frames)
        await farm.deliver_all(bee, grant, seconds=0.2)


async def test_a_frame_that_is_being_uploaded_is_not_taken(farm: Farm) -> None:
    ant, bee = await farm.agent("ant"), await farm.agent("bee")
    await farm.submit("1-3")
    await known_pace(farm, ant)
    owned = await rendering(farm, ant)
    await farm.deliver_all(bee, await farm.must_lease(bee), seconds=SECONDS)
    await farm.report(ant, owned, stage=Stage.UPLOADING)
    assert await farm.lease(bee) is None


async def test_jobs_of_fixed_chunks_keep_them(farm: Farm) -> None:
    ant, bee = await farm.agent("ant"), await farm.agent("bee")
    await farm.submit("1-21", chunk_frames=20)
    await farm.deliver_all(bee, await farm.must_lease(bee, 0), seconds=SECONDS)
    owned = await rendering(farm, ant)
    assert owned.frames == [21]
    assert await farm.lease(bee) is None


async def late_frame(farm: Farm, **changes: Any) -> tuple[int, int, int, LeaseGrant]:
    """Return two agents, a job, and the lease of the first agent whose one frame takes far too long."""
    ant, bee = await farm.agent("ant"), await farm.agent("bee")
    job = await farm.submit("1-2", chunk_frames=1, **changes)
    await known_pace(farm, bee)
    owned = await rendering(farm, ant)
    assert await farm.lease(bee) is None, "it is not late yet"
    farm.clock.advance(3 * SECONDS)
    await farm.report(ant, owned, frame=owned.frames[0])
    return ant, bee, job.id, owned


async def test_a_late_frame_is_given_to_a_second_slot_and_the_first_result_wins(farm: Farm) -> None:
    ant, bee, job, owned = await late_frame(farm)
    hedge = await farm.must_lease(bee)
    assert hedge.frames == owned.frames
    assert "frame_hedged" in await farm.events(job)
    assert farm.database.happened["frame_hedged"] == 1
    # Never more than one extra copy.
    cat = await farm.agent("cat")
    assert await farm.lease(cat) is None
    await farm.deliver(bee, hedge, 2)
    view = await farm.job(job)
    assert (view.state, view.finished) == ("completed", 2)
    for late in (farm.report(ant, owned, frame=2), farm.deliver(ant, owned, 2)):
        with pytest.raises(Refused) as refusal:
            await late
        assert refusal.value.code == ErrorCode.LEASE_LOST


async def test_the_owner_may_still_be_first(farm: Farm) -> None:
    ant, bee, job, owned = await late_frame(farm)
    hedge = await farm.must_lease(bee)
    await farm.deliver(ant, owned, 2)
    assert (await farm.job(job)).state == "completed"
    with pytest.raises(Refused) as refusal:
        await farm.report(bee, hedge, frame=2)
    assert refusal.value.code == ErrorCode.LEASE_LOST


@pytest.mark.parametrize("loser", ["owner", "second"])
async def test_when_one_of_both_fails_the_other_goes_on(farm: Farm, loser: str) -> None:
    ant, bee, job, owned = await late_frame(farm)
    hedge = await farm.must_lease(bee)
    losing, winning = ((ant, owned), (bee, hedge)) if loser == "owner" else ((bee, hedge), (ant, owned))
    await farm.fail(*losing, 2)
    assert await farm.lease(losing[0]) is None, "the frame is with the other one"
    await farm.deliver(*winning, 2)
    view = await farm.job(job)
    assert (view.state, view.finished) == ("completed", 2)


async def test_when_the_owner_is_lost_the_second_slot_goes_on(farm: Farm) -> None:
    _, bee, job, _ = await late_frame(farm)
    hedge = await farm.must_lease(bee)
    farm.clock.advance(farm.timing.lease_seconds - 1)
    await farm.report(bee, hedge, frame=2)
    farm.clock.advance(2)
    assert await farm.reap() == 1
    await farm.deliver(bee, hedge, 2)
    assert (await farm.job(job)).state == "completed"


async def test_jobs_that_say_so_are_not_hedged(farm: Farm) -> None:
    _, bee, _, _ = await late_frame(farm, hedge=False)
    assert await farm.lease(bee) is None


async def test_a_slot_that_is_busy_takes_nothing_over(farm: Farm) -> None:
    ant, bee, _, owned = await late_frame(farm)
    assert await farm.lease(bee, busy_seconds=600.0) is None
    await farm.report(ant, owned, stage=Stage.RENDERING, frame=2)
    # A job in which there was nothing to help with is looked at again a second later.
    farm.clock.advance(1)
    assert await farm.lease(bee) is not None
