"""Agents are drained, stopped, let work again, barred and taken off the list: no frame is lost or blamed on anyone."""

import pytest

from coordinator.db import events, leases
from coordinator.db.leases import RECENT
from coordinator.domain.model import JobState, LeaseEnd, SoundState
from coordinator.domain.presence import Presence
from coordinator.protocol import ErrorCode, LeaseRequest, Stage
from coordinator.services import accounts, agent_control, agent_views
from coordinator.services.agent_schemas import AgentChange, AgentView
from coordinator.services.errors import Refused
from coordinator.services.leases import lease_or_offer
from coordinator.services.schemas import NeedsRequest
from tests.conformance.farm import Farm


async def control(farm: Farm, what: str, agent: int) -> None:
    """Do something to an agent."""
    await farm.database.write(getattr(agent_control, what), agent, "ana")


async def view(farm: Farm, agent: int) -> AgentView:
    """Return an agent as it is shown."""
    return await farm.database.read(agent_views.agent_view, agent)


async def test_a_drained_agent_keeps_only_the_frame_that_it_renders(farm: Farm) -> None:
    ant, bee = await farm.agent("ant"), await farm.agent("bee")
    job = await farm.submit("1-10", chunk_frames=5)
    grant, next_one = await farm.must_lease(ant), await farm.must_lease(ant, holds=[])
    assert next_one.lease_id == grant.lease_id, "a lease that the slot does not know of is granted again"
    next_one = await farm.must_lease(ant, holds=[grant.lease_id])
    await farm.deliver(ant, grant, 1)
    await control(farm, "drain", ant)
    await control(farm, "drain", ant)
    assert (await view(farm, ant)).presence == Presence.DRAINING
    assert (await farm.report(ant, grant, frame=2)).last_frame == 2
    assert (await farm.report(ant, next_one, stage=Stage.FETCHING)).last_frame is None
    await farm.deliver(ant, grant, 2)
    assert (await view(farm, ant)).presence == Presence.DRAINED
    assert await farm.lease(ant) is None
    await farm.render_everything(bee)
    done = await farm.job(job.id)
    assert (done.state, done.finished) == (JobState.COMPLETED, 10)
    history = await farm.database.read(lambda tx: events.history(tx, agent_id=ant))
    assert len([line for line in history if " drained: " in line]) == 1


async def test_a_drained_agent_that_is_resumed_works_again(farm: Farm) -> None:
    ant = await farm.agent()
    await control(farm, "drain", ant)
    job = await farm.submit("1-4")
    request = LeaseRequest(slot=0, blender=(4, 5, 15))
    assert await farm.database.write(lease_or_offer, ant, request, farm.timing) is None
    waiting = (await farm.job(job.id)).waiting
    assert waiting is not None
    assert "paused" in waiting
    await control(farm, "resume", ant)
    await control(farm, "resume", ant)
    assert (await view(farm, ant)).presence == Presence.IDLE
    await farm.render_everything(ant)
    assert (await farm.job(job.id)).state == JobState.COMPLETED


async def test_a_stopped_agent_loses_its_frames_at_once_and_no_attempt_is_counted(farm: Farm) -> None:
    ant, bee = await farm.agent("ant", slots=2), await farm.agent("bee")
    job = await farm.submit("1-4", chunk_frames=2, max_retries=0)
    first, second = await farm.must_lease(ant, 0), await farm.must_lease(ant, 1)
    for grant in (first, second):
        await farm.report(ant, grant, frame=grant.frames[0])
    await control(farm, "stop", ant)
    await control(farm, "stop", ant)
    for grant in (first, second):
        with pytest.raises(Refused) as caught:
            await farm.report(ant, grant, frame=grant.frames[0])
        assert caught.value.code == ErrorCode.LEASE_LOST
    assert (await view(farm, ant)).presence == Presence.DRAINED
    assert await farm.lease(ant) is None
    await farm.render_everything(bee)
    done = await farm.job(job.id)
    assert (done.state, done.finished, done.failures) == (JobState.COMPLETED, 4, [])
    why = await farm.database.read(lambda tx: [leases.get(tx.conn, it.lease_id) for it in (first, second)])
    assert [lease and lease.end_reason for lease in why] == [LeaseEnd.STOPPED] * 2


async def test_a_drained_agent_that_was_restarted_is_not_given_its_lease_again(farm: Farm) -> None:
    ant, bee = await farm.agent("ant"), await farm.agent("bee")
    job = await farm.submit("1-4")
    grant = await farm.must_lease(ant)
    await farm.report(ant, grant, stage=Stage.OPENING)
    await control(farm, "drain", ant)
    assert await farm.lease(ant) is None
    await farm.render_everything(bee)
    assert (await farm.job(job.id)).state == JobState.COMPLETED


@pytest.mark.parametrize("stage", [Stage.FETCHING, Stage.MIXING])
async def test_a_drained_agent_ends_the_sound_that_it_mixes_and_begins_none(farm: Farm, stage: Stage) -> None:
    ant, bee = await farm.agent("ant"), await farm.agent("bee")
    job = await farm.submit("1-4", video=True, sound=True)
    grant = await farm.must_lease(ant)
    assert grant.mix_sound
    await control(farm, "drain", ant)
    await farm.report(ant, grant, stage=stage)
    if stage == Stage.MIXING:
        await farm.deliver_sound(ant, grant)
    await farm.render_everything(bee)
    done = await farm.job(job.id)
    assert (done.state, done.sound_state) == (JobState.STITCHING, SoundState.READY)


async def test_a_frame_at_work_twice_stays_with_the_agent_that_is_not_drained(farm: Farm) -> None:
    ant, bee = await farm.agent("ant"), await farm.agent("bee")
    job = await farm.submit("1-4", chunk_frames=1)
    for _ in range(3):
        await farm.deliver_all(ant, await farm.must_lease(ant))
    late = await farm.must_lease(ant)
    await farm.report(ant, late, frame=4)
    farm.clock.advance(29)
    await farm.report(ant, late, frame=4)
    hedge = await farm.must_lease(bee)
    assert hedge.frames == [4]
    await control(farm, "drain", bee)
    # It has not begun: the frame is left to the other one.
    assert (await farm.report(bee, hedge, stage=Stage.FETCHING)).last_frame is None
    await farm.deliver(ant, late, 4)
    assert (await farm.job(job.id)).state == JobState.COMPLETED


async def test_draining_within_a_paused_job_holds_what_is_taken(farm: Farm) -> None:
    ant, bee = await farm.agent("ant"), await farm.agent("bee")
    job = await farm.submit("1-6")
    grant = await farm.must_lease(ant)
    await farm.pause(job.id)
    await control(farm, "drain", ant)
    await farm.report(ant, grant, frame=grant.frames[0])
    await farm.deliver(ant, grant, grant.frames[0])
    assert await farm.lease(bee) is None
    await farm.resume(job.id)
    await farm.render_everything(bee)
    assert (await farm.job(job.id)).state == JobState.COMPLETED


async def test_an_agent_whose_token_was_revoked_is_out_until_it_joins_anew(farm: Farm) -> None:
    joined = await farm.register("ant")
    job = await farm.submit("1-4")
    grant = await farm.must_lease(joined.agent_id)
    await control(farm, "bar", joined.agent_id)
    await control(farm, "bar", joined.agent_id)
    with pytest.raises(Refused) as caught:
        await farm.database.read(accounts.authenticate, joined.token)
    assert caught.value.code == ErrorCode.TOKEN_WRONG
    with pytest.raises(Refused):
        await farm.report(joined.agent_id, grant)
    assert (await view(farm, joined.agent_id)).presence == Presence.LEFT
    again = await farm.register("ant")
    assert again.agent_id == joined.agent_id
    await farm.render_everything(again.agent_id)
    assert (await farm.job(job.id)).state == JobState.COMPLETED


async def test_an_agent_that_is_gone_is_taken_off_the_list_until_it_is_back(farm: Farm) -> None:
    joined = await farm.register("ant")
    ant = joined.agent_id
    with pytest.raises(Refused, match="is online") as caught:
        await control(farm, "remove", ant)
    assert caught.value.code == ErrorCode.CONFLICT
    farm.clock.advance(farm.timing.offline_seconds + 1)
    await farm.reap()
    assert (await view(farm, ant)).presence == Presence.OFFLINE
    await control(farm, "remove", ant)
    await control(farm, "remove", ant)
    assert await farm.database.read(agent_views.list_agents) == []
    assert (await view(farm, ant)).removed
    own = await farm.database.read(accounts.authenticate, joined.token)
    assert (await farm.register("ant", own)).agent_id == ant
    [shown] = await farm.database.read(agent_views.list_agents)
    assert (shown.presence, shown.removed) == (Presence.IDLE, False)


async def test_an_agent_set_aside_by_hand_ends_its_frame_and_says_why(farm: Farm) -> None:
    ant, bee = await farm.agent("ant"), await farm.agent("bee")
    job = await farm.submit("1-10", chunk_frames=5)
    grant = await farm.must_lease(ant)
    for reason in ("its fan rattles", "its fan rattles", "its fan is broken"):
        await farm.database.write(agent_control.set_aside, ant, "ana", reason)
    shown = await view(farm, ant)
    assert (shown.presence, shown.set_aside) == (Presence.SET_ASIDE, "ana set it aside: its fan is broken")
    assert shown.explanation == shown.set_aside
    assert (await farm.report(ant, grant, frame=1)).last_frame == 1
    await farm.deliver(ant, grant, 1)
    assert await farm.lease(ant) is None
    assert await farm.lease(ant, holds=[]) is None
    await farm.render_everything(bee)
    assert (await farm.job(job.id)).state == JobState.COMPLETED
    history = await farm.database.read(lambda tx: events.history(tx, agent_id=ant))
    assert len([line for line in history if " set_aside: " in line]) == 2
    await farm.reinstate(ant)
    await farm.submit("1")
    assert await farm.lease(ant) is not None


async def test_people_give_agents_tags_and_pools_beside_their_own(farm: Farm) -> None:
    joined = await farm.register("ant", tags=["fast"], pools=["day"])
    ant = joined.agent_id
    job = await farm.submit("1-2", needs=NeedsRequest(tags=["fast", "quiet"], pool="night"))
    assert await farm.lease(ant) is None
    assert (await farm.job(job.id)).waiting == (
        "It needs an agent of the pool “night” and the tags “fast” and “quiet”; the agent that comes closest"
        " is not in that pool and does not have the tag “quiet”."
    )
    wanted = AgentChange(tags=["quiet", "fast", "quiet"], pools=["night"])
    await farm.database.write(agent_control.change, ant, "ana", wanted)
    await farm.database.write(agent_control.change, ant, "ana", wanted)
    shown = await view(farm, ant)
    assert (shown.tags, shown.pools) == (["fast", "quiet"], ["day", "night"])
    assert (shown.farm_tags, shown.farm_pools) == (["quiet", "fast"], ["night"])
    own = await farm.database.read(accounts.authenticate, joined.token)
    await farm.register("ant", own, tags=["slow"], pools=[])
    shown = await view(farm, ant)
    assert (shown.tags, shown.pools) == (["slow", "quiet", "fast"], ["night"])
    assert (await farm.must_lease(ant)).frames
    await farm.database.write(agent_control.change, ant, "ana", AgentChange(pools=[]))
    shown = await view(farm, ant)
    assert (shown.farm_tags, shown.farm_pools) == (["quiet", "fast"], [])
    history = await farm.database.read(lambda tx: events.history(tx, agent_id=ant))
    assert len([line for line in history if " labelled: " in line]) == 2


async def test_an_agent_has_a_record_of_its_last_leases(farm: Farm) -> None:
    ant, bee = await farm.agent("ant"), await farm.agent("bee")
    assert ((await view(farm, ant)).recent_finished, (await view(farm, ant)).recent_failed) == (0, 0)
    job = await farm.submit("1-40", chunk_frames=1, stop_after=0)
    grant = await farm.must_lease(ant)
    await farm.fail(ant, grant, grant.frames[0])
    for _ in range(3):
        await farm.deliver_all(ant, await farm.must_lease(ant))
    listed = {it.id: it for it in await farm.database.read(agent_views.list_agents)}
    assert (listed[ant].recent_finished, listed[ant].recent_failed) == (3, 1)
    assert (listed[bee].recent_finished, listed[bee].recent_failed) == (0, 0)
    for _ in range(RECENT - 3):
        farm.clock.advance(1)
        await farm.deliver_all(ant, await farm.must_lease(ant))
    assert (await farm.job(job.id)).finished == RECENT
    # The lease under which it failed is not one of the last any more.
    assert ((await view(farm, ant)).recent_finished, (await view(farm, ant)).recent_failed) == (RECENT, 0)


@pytest.mark.parametrize("what", ["drain", "resume", "stop", "bar", "remove"])
async def test_an_agent_that_never_was_is_not_found(farm: Farm, what: str) -> None:
    with pytest.raises(Refused, match="no agent 99") as caught:
        await control(farm, what, 99)
    assert caught.value.code == ErrorCode.NOT_FOUND
