"""Agents that rest: known to be alive, counted on for nothing, given no work until they ask for some."""

from coordinator.domain.model import AgentState
from coordinator.protocol import LeaseRequest, Stage
from coordinator.services import agent_views, leases
from coordinator.services.agent_schemas import AgentView
from tests.conformance.farm import Farm

REASON = "Outside its hours until 19:00."


async def the_agent(farm: Farm) -> AgentView:
    [agent] = await farm.database.read(agent_views.list_agents)
    return agent


async def test_an_agent_that_rests_is_given_nothing_and_says_why(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit()
    assert await farm.lease(ant, resting=REASON) is None
    assert (await the_agent(farm)).resting == REASON
    assert "rest" in ((await farm.job(job.id)).waiting or "")
    # Nor does the board offer it anything while it waits.
    request = LeaseRequest(slot=0, blender=(4, 5, 15), resting=REASON)
    assert await farm.database.write(leases.lease_or_offer, ant, request, farm.timing) is None
    assert await farm.lease(ant) is not None
    assert (await the_agent(farm)).resting is None


async def test_a_slot_that_rests_alone_leaves_the_agent_at_work(farm: Farm) -> None:
    ant = await farm.agent(slots=2)
    job = await farm.submit()
    assert await farm.lease(ant, slot=1, resting="Its card is lost.", others_work=True) is None
    assert (await the_agent(farm)).resting is None
    assert "rest" not in ((await farm.job(job.id)).waiting or "")
    assert await farm.lease(ant, slot=1, resting="Its card is lost.") is None
    assert (await the_agent(farm)).resting == "Its card is lost."
    assert await farm.lease(ant, slot=0) is not None
    assert (await the_agent(farm)).resting is None


async def test_an_agent_that_rests_stays_online_and_gives_back_what_it_has_not_begun(farm: Farm) -> None:
    ant = await farm.agent()
    await farm.submit("1-2", chunk_frames=2)
    grant = await farm.must_lease(ant)
    await farm.report(ant, grant, stage=Stage.RENDERING, release=True)
    for _ in range(3):
        farm.clock.advance(farm.timing.offline_seconds / 2)
        await farm.lease(ant, resting=REASON)
        await farm.reap()
    assert (await the_agent(farm)).state == AgentState.ONLINE
    assert (await farm.must_lease(ant)).frames == [1, 2]


async def test_an_agent_that_went_away_rests_no_more(farm: Farm) -> None:
    ant = await farm.agent()
    await farm.lease(ant, resting=REASON)
    farm.clock.advance(farm.timing.offline_seconds + 1)
    await farm.reap()
    away = await the_agent(farm)
    assert (away.state, away.resting) == (AgentState.OFFLINE, None)
    await farm.register()  # as another machine of its name
    assert (await the_agent(farm)).resting is None
