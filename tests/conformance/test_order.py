"""Who is next: priorities, fair shares, limits, what a slot has open, what a job needs, the first look."""

from collections import Counter
from itertools import pairwise

import pytest

from coordinator.domain.fair_share import AGING_SECONDS, SHARED_SECONDS
from coordinator.protocol import Device, LeaseGrant
from coordinator.services.schemas import NeedsRequest
from tests.conformance.farm import GIB, Farm


async def shares(farm: Farm, agent: int, rounds: int) -> Counter[int]:
    """Return how many frames of each job an agent is given when every frame takes ten seconds."""
    given: Counter[int] = Counter()
    for _ in range(rounds):
        grant = await farm.must_lease(agent)
        given[grant.job.job_id] += len(grant.frames)
        await farm.deliver_all(agent, grant, seconds=10.0)
        farm.clock.advance(10.0 * len(grant.frames))
    return given


async def test_higher_priorities_come_first(farm: Farm) -> None:
    ant = await farm.agent()
    low = await farm.submit("1-2", priority=10)
    high = await farm.submit("1-2", priority=90)
    order = []
    while (grant := await farm.lease(ant)) is not None:
        order.append(grant.job.job_id)
        await farm.deliver_all(ant, grant)
    assert order == sorted(order, key=[high.id, low.id].index)


async def test_users_share_the_farm_alike_however_many_jobs_they_have(farm: Farm) -> None:
    ant = await farm.agent()
    many = [(await farm.submit("1-500", by="ana", chunk_frames=1)).id for _ in range(9)]
    one = (await farm.submit("1-500", by="ben", chunk_frames=1)).id
    given = await shares(farm, ant, 90)
    assert abs(given[one] - 45) <= 1
    # And a user's jobs share what the user gets.
    assert all(abs(given[job] - 5) <= 1 for job in many)


async def test_idleness_earns_no_credit(farm: Farm) -> None:
    ant = await farm.agent()
    first = await farm.submit("1-500", by="ana", chunk_frames=1)
    await shares(farm, ant, 50)
    late = await farm.submit("1-500", by="ben", chunk_frames=1)
    given = await shares(farm, ant, 20)
    assert abs(given[first.id] - given[late.id]) <= 2


async def test_the_scene_that_a_slot_has_open_is_preferred_for_a_while(farm: Farm) -> None:
    ant = await farm.agent()
    jobs = {}
    for name, by in (("one", "ana"), ("two", "ben")):
        pack = await farm.pack(name)
        jobs[pack] = (await farm.submit("1-500", by=by, pack=pack, chunk_frames=1)).id
    given: list[int] = []
    open_pack = None
    for _ in range(60):
        grant = await farm.lease(ant, open_pack=open_pack)
        assert grant is not None
        given.append(grant.job.job_id)
        open_pack = grant.job.pack_id
        await farm.deliver_all(ant, grant, seconds=10.0)
    changes = sum(one != other for one, other in pairwise(given))
    assert 1 <= changes <= 12, "neither a new scene for every frame, nor one user for ever"
    counts = Counter(given)
    assert abs(counts[given[0]] - 30) <= 15
    assert set(counts) == set(jobs.values())


async def test_what_waits_for_long_comes_first_for_once(farm: Farm) -> None:
    ant = await farm.agent()
    low = await farm.submit("1-100", by="ana", priority=49, chunk_frames=1)
    high = await farm.submit("1-100", by="ben", priority=50, chunk_frames=1)
    assert set(await shares(farm, ant, 10)) == {high.id}
    farm.clock.advance(AGING_SECONDS)
    assert low.id in await shares(farm, ant, 10)


async def test_a_job_has_no_more_slots_than_its_limit(farm: Farm) -> None:
    ants = [await farm.agent(f"ant{number}") for number in range(4)]
    job = await farm.submit("1-100", max_slots=2, chunk_frames=1)
    grants = [await farm.lease(ant) for ant in ants]
    assert [grant is not None for grant in grants] == [True, True, False, False]
    # A slot that works on it may have its next lease.
    assert grants[0] is not None
    assert await farm.lease(ants[0], holds=[grants[0].lease_id]) is not None
    assert (await farm.job(job.id)).waiting is None


async def test_a_user_has_no_more_slots_than_the_limit(farm: Farm) -> None:
    ants = [await farm.agent(f"ant{number}") for number in range(3)]
    await farm.submit("1-100", by="ana", chunk_frames=1)
    await farm.submit("1-100", by="ana", chunk_frames=1)
    await farm.limit("ana", 2)
    assert [await farm.lease(ant) is not None for ant in ants] == [True, True, False]
    await farm.submit("1-100", by="ben")
    assert await farm.lease(ants[2]) is not None


@pytest.mark.parametrize(
    ("needs", "agent", "sentence"),
    [
        (NeedsRequest(tags=["fast"]), {"tags": ["slow"]}, "tag"),
        (NeedsRequest(pool="film"), {"pools": ["ads"]}, "pool"),
        (NeedsRequest(device="GPU"), {"device": Device.CPU}, "GPU"),
        (NeedsRequest(vram_bytes=24 * GIB, device="GPU"), {"device": Device.CUDA, "vram_bytes": 12 * GIB}, "12 GB"),
        (NeedsRequest(ram_bytes=64 * GIB), {}, "64 GB"),
        (NeedsRequest(max_blender=(4, 2)), {}, "Blender"),
    ],
)
async def test_a_job_that_no_agent_can_render_says_why(
    farm: Farm, needs: NeedsRequest, agent: dict[str, object], sentence: str
) -> None:
    ant = await farm.agent("ant", **agent)
    job = await farm.submit("1", needs=needs, blender=(4, 2))
    assert await farm.lease(ant) is None
    waiting = (await farm.job(job.id)).waiting
    assert waiting is not None
    assert sentence in waiting


async def test_the_first_look_shows_the_whole_shot_early(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit("1-101", first_look=True)
    order: list[int] = []
    grant: LeaseGrant | None
    while (grant := await farm.lease(ant)) is not None:
        order += grant.frames
        await farm.deliver_all(ant, grant, seconds=1.0)
    assert order[:5] in ([1, 51, 101, 26, 76], [1, 51, 101, 76, 26])
    assert sorted(order) == list(range(1, 102))
    assert (await farm.job(job.id)).state == "completed"


async def test_who_comes_is_given_short_leases_from_then_on(farm: Farm) -> None:
    ant = await farm.agent()
    await farm.submit("1-500", by="ana", target_seconds=60.0)
    await shares(farm, ant, 3)
    alone = await farm.must_lease(ant)
    assert len(alone.frames) == 6
    await farm.deliver_all(ant, alone, seconds=10.0)
    await farm.submit("1-500", by="ben", target_seconds=60.0, chunk_frames=1)
    given = [len(grant.frames) for grant in [await farm.must_lease(ant) for _ in range(2)]]
    assert max(given) <= SHARED_SECONDS / 10.0


async def test_a_slot_that_is_not_free_yet_waits_for_frames_of_the_scene_it_has_open(farm: Farm) -> None:
    """Asked when it was busy, it was refused the last frames of its own job, and given those of another's."""
    ant, bee = await farm.agent("ant"), await farm.agent("bee")
    pack = await farm.pack("one")
    own = await farm.submit("1-3", by="ana", pack=pack)
    first = await farm.must_lease(ant)
    await farm.deliver_all(ant, first, seconds=10.0)
    held = [await farm.must_lease(slot) for slot in (ant, bee)]
    assert {grant.job.job_id for grant in held} == {own.id}
    await farm.submit("1-500", by="ben", pack=await farm.pack("two"))
    await farm.requeue(own.id, "1")
    assert await farm.lease(ant, holds=[held[0].lease_id], open_pack=pack, busy_seconds=60.0) is None
    await farm.deliver_all(ant, held[0], seconds=10.0)
    free = await farm.lease(ant, open_pack=pack)
    assert free is not None
    assert free.job.job_id == own.id
