"""Whose fault a failure is: the scene's, the agent's, or the world's."""

from collections import Counter

from coordinator.protocol import Device, LeaseGrant
from coordinator.services import agent_control, agent_views
from coordinator.services.agent_schemas import AgentView
from coordinator.services.schemas import NeedsRequest
from tests.conformance.farm import GIB, Farm


async def fail_first(farm: Farm, agent: int, code: str = "render_failed", message: str = "it broke") -> LeaseGrant:
    """Have an agent fail the first frame of its next lease, and give the others back."""
    grant = await farm.must_lease(agent)
    await farm.fail(agent, grant, grant.frames[0], message, code)
    if len(grant.frames) > 1:
        await farm.report(agent, grant, release=True)
    return grant


async def agent_view(farm: Farm, agent: int) -> AgentView:
    """Return an agent as the page shows it."""
    return await farm.database.read(agent_views.agent_view, agent)


async def test_another_agent_tries_what_one_has_failed(farm: Farm) -> None:
    ant, bee = await farm.agent("ant"), await farm.agent("bee")
    job = await farm.submit("1-3", chunk_frames=1)
    assert (await fail_first(farm, ant)).frames == [1]
    assert (await farm.must_lease(ant)).frames == [2]
    assert (await farm.must_lease(bee)).frames == [1]
    assert (await farm.job(job.id)).failed == 0


async def test_an_agent_alone_tries_again_by_itself(farm: Farm) -> None:
    ant = await farm.agent()
    await farm.submit("1-3", chunk_frames=1)
    await fail_first(farm, ant)
    # What has not failed yet comes first.
    assert (await farm.must_lease(ant)).frames == [2]
    await farm.render_everything(ant)
    assert (await farm.job(1)).state == "completed"


async def test_a_frame_waits_only_so_long_for_another_agent(farm: Farm) -> None:
    ant, _ = await farm.agent("ant"), await farm.agent("bee")
    await farm.submit("1", chunk_frames=1)
    await fail_first(farm, ant)
    assert await farm.lease(ant) is None
    farm.clock.advance(59)
    assert await farm.lease(ant) is None
    farm.clock.advance(2)
    assert (await farm.must_lease(ant)).frames == [1]


async def test_a_frame_that_two_agents_fail_the_same_way_is_the_scenes_fault(farm: Farm) -> None:
    ant, bee = await farm.agent("ant"), await farm.agent("bee")
    job = await farm.submit("1-2", chunk_frames=1, max_retries=10)
    await fail_first(farm, ant, message="Texture /tmp/a/wood.png is broken at line 12")
    await fail_first(farm, bee, message="Texture /tmp/b/wood.png is broken at line 7")
    view = await farm.job(job.id)
    assert (view.failed, [failure.attempts for failure in view.failures]) == (1, [2])
    assert "wood.png" in view.failures[0].reason


async def test_failures_of_different_kinds_are_tried_again(farm: Farm) -> None:
    ant, bee = await farm.agent("ant"), await farm.agent("bee")
    job = await farm.submit("1-2", chunk_frames=1, max_retries=10)
    await fail_first(farm, ant, code="crashed")
    await fail_first(farm, bee, code="timeout")
    assert (await farm.job(job.id)).failed == 0


async def test_what_is_the_worlds_fault_counts_as_no_attempt(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit("1", max_retries=0)
    for _ in range(5):
        await fail_first(farm, ant, code="no_room", message="the disk is full")
    await farm.deliver_all(ant, await farm.must_lease(ant))
    view = await farm.job(job.id)
    assert view.state == "completed"
    assert Counter(await farm.events(job.id))["attempt_forgiven"] == 5


async def test_a_job_whose_first_frames_all_fail_alike_is_stopped(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit("1-1000", chunk_frames=1, max_retries=0)
    for _ in range(3):
        assert (await farm.job(job.id)).state != "failed"
        await fail_first(farm, ant, message="no camera")
    view = await farm.job(job.id)
    assert view.state == "failed"
    assert view.reason is not None
    assert "first 3 frames all failed the same way" in view.reason
    assert "no camera" in view.reason
    assert await farm.lease(ant) is None


async def test_one_finished_frame_shows_that_the_scene_can_be_rendered(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit("1-10", chunk_frames=1, max_retries=0)
    await farm.deliver_all(ant, await farm.must_lease(ant))
    for _ in range(5):
        await fail_first(farm, ant)
    assert (await farm.job(job.id)).state == "running"


async def test_a_job_is_not_stopped_by_one_broken_agent(farm: Farm) -> None:
    ant, bee = await farm.agent("ant"), await farm.agent("bee")
    job = await farm.submit("1-10", chunk_frames=1, max_retries=5)
    for _ in range(4):
        await fail_first(farm, ant)
    assert (await farm.job(job.id)).state == "running"
    await farm.render_everything(bee)
    assert (await farm.job(job.id)).state == "completed"


async def break_on(farm: Farm, ant: int, bee: int) -> int:
    """Submit a job of which ant fails two frames that bee then renders; return its id."""
    job = await farm.submit("1-9", chunk_frames=1)
    for _ in range(2):
        await fail_first(farm, ant, code="crashed", message="the driver is broken")
    for _ in range(2):
        await farm.deliver_all(bee, await farm.must_lease(bee))
    return job.id


async def test_an_agent_that_fails_what_others_render_is_set_aside(farm: Farm) -> None:
    ant, bee = await farm.agent("ant"), await farm.agent("bee")
    first = await break_on(farm, ant, bee)
    assert await farm.lease(ant) is None
    assert "agent_set_aside" in await farm.events(first)
    view = await agent_view(farm, ant)
    assert (view.set_aside, view.set_aside_jobs) == (None, [first])
    await farm.cancel(first)
    # Other jobs still go to it, until it has failed three of them.
    second = await break_on(farm, ant, bee)
    await farm.cancel(second)
    third = await break_on(farm, ant, bee)
    view = await agent_view(farm, ant)
    assert view.set_aside is not None
    assert "3 jobs" in view.set_aside
    await farm.cancel(third)
    await farm.submit("1-9")
    assert await farm.lease(ant) is None
    assert await farm.lease(bee) is not None
    # The way back.
    await farm.database.write(agent_control.reinstate, ant, "ana")
    assert await farm.lease(ant) is not None
    view = await agent_view(farm, ant)
    assert (view.set_aside, view.set_aside_jobs) == (None, [])


async def test_an_agent_that_was_lost_is_not_blamed(farm: Farm) -> None:
    ant, bee = await farm.agent("ant"), await farm.agent("bee")
    await farm.submit("1-9", chunk_frames=1)
    for _ in range(2):
        grant = await farm.must_lease(ant)
        await farm.report(ant, grant, frame=grant.frames[0])
        await farm.expire()
    for _ in range(2):
        await farm.deliver_all(bee, await farm.must_lease(bee))
    assert (await agent_view(farm, ant)).set_aside_jobs == []


async def test_too_little_memory_raises_what_the_job_needs(farm: Farm) -> None:
    small = await farm.agent("small", device=Device.OPTIX, vram_bytes=8 * GIB)
    large = await farm.agent("large", device=Device.OPTIX, vram_bytes=24 * GIB)
    job = await farm.submit("1-2", max_retries=0)
    await fail_first(farm, small, code="out_of_gpu_memory", message="out of GPU memory")
    assert await farm.lease(small) is None
    await farm.leave(large)
    view = await farm.job(job.id)
    assert view.waiting is not None
    assert "8.1 GB" in view.waiting
    assert "8 GB" in view.waiting
    large = await farm.agent("large", device=Device.OPTIX, vram_bytes=24 * GIB)
    await farm.render_everything(large)
    assert (await farm.job(job.id)).state == "completed"


async def test_where_no_one_has_more_memory_it_is_a_failure_like_any_other(farm: Farm) -> None:
    small = await farm.agent("small", device=Device.OPTIX, vram_bytes=8 * GIB)
    job = await farm.submit("1", max_retries=1)
    for _ in range(2):
        await fail_first(farm, small, code="out_of_gpu_memory", message="out of GPU memory")
    view = await farm.job(job.id)
    assert view.state == "failed"
    assert "out of GPU memory" in (view.reason or "")


async def test_what_fits_into_no_card_is_rendered_on_processors_if_the_job_allows(farm: Farm) -> None:
    small = await farm.agent("small", device=Device.OPTIX, vram_bytes=8 * GIB)
    large = await farm.agent("large", device=Device.OPTIX, vram_bytes=24 * GIB)
    needs = NeedsRequest(device="GPU", vram_bytes=4 * GIB)
    job = await farm.submit("1-9", max_retries=0, needs=needs, cpu_fallback=True, chunk_frames=1)
    # A larger card is tried first.
    await fail_first(farm, small, code="out_of_gpu_memory", message="out of GPU memory")
    assert not (await farm.job(job.id)).render.processor
    await fail_first(farm, large, code="out_of_gpu_memory", message="out of GPU memory")
    view = await farm.job(job.id)
    assert view.render.processor
    assert (view.needs.device, view.needs.vram_bytes, view.failed) == (None, 0, 0)
    assert "rendered on processors" in view.warnings[-1]
    # Any machine will do now, those without a card too, and each is told.
    processor = await farm.agent("processor")
    for agent in (small, processor):
        grant = await farm.must_lease(agent)
        assert grant.job.render.processor
        await farm.deliver_all(agent, grant)
    # An engine that needs a card all the same fails there like any other.
    await farm.leave(processor)
    await fail_first(farm, large, code="out_of_gpu_memory", message="out of GPU memory")
    told = Counter(await farm.events(job.id))
    assert (told["attempt_failed"], told["turned_to_processors"]) == (1, 1)
    again = await farm.rerender(job.id, frames="1")
    assert again.render.processor


async def test_leases_granted_before_hear_that_the_job_is_rendered_on_processors_now(farm: Farm) -> None:
    ant = await farm.agent("ant", device=Device.OPTIX, vram_bytes=8 * GIB)
    bee = await farm.agent("bee", device=Device.OPTIX, vram_bytes=8 * GIB)
    await farm.submit("1-9", cpu_fallback=True, chunk_frames=3)
    begun = await farm.must_lease(bee)
    assert not begun.job.render.processor
    assert not (await farm.report(bee, begun, frame=begun.frames[0])).processor
    await fail_first(farm, ant, code="out_of_gpu_memory", message="out of GPU memory")
    answer = await farm.report(bee, begun, frame=begun.frames[0])
    assert (answer.processor, answer.last_frame) == (True, begun.frames[-1])


async def test_frame_that_another_card_had_begun_before_counts_no_attempt(farm: Farm) -> None:
    ant = await farm.agent("ant", device=Device.OPTIX, vram_bytes=8 * GIB)
    bee = await farm.agent("bee", device=Device.OPTIX, vram_bytes=8 * GIB)
    job = await farm.submit("1-9", max_retries=0, cpu_fallback=True, chunk_frames=3)
    begun = await farm.must_lease(bee)
    farm.clock.advance(1)
    await fail_first(farm, ant, code="out_of_gpu_memory", message="out of GPU memory")
    await farm.fail(bee, begun, begun.frames[0], "out of GPU memory", "out_of_gpu_memory")
    view = await farm.job(job.id)
    assert (view.state, view.failed) == ("running", 0)
    assert "attempt_failed" not in await farm.events(job.id)
    # On the processor by now: who runs out of a card's memory there does so for good.
    await farm.report(bee, begun, release=True)
    await farm.leave(ant)
    await fail_first(farm, bee, code="out_of_gpu_memory", message="out of GPU memory")
    assert (await farm.job(job.id)).failed == 1


async def test_a_card_whose_memory_nobody_knows_leaves_the_job_to_processors(farm: Farm) -> None:
    unknown = await farm.agent("unknown", device=Device.METAL)
    job = await farm.submit("1-3", max_retries=0, cpu_fallback=True)
    await fail_first(farm, unknown, code="out_of_gpu_memory", message="out of GPU memory")
    assert (await farm.job(job.id)).render.processor


async def test_missing_files_that_no_one_else_may_have_end_the_job_at_once(farm: Farm) -> None:
    ant, bee = await farm.agent("ant"), await farm.agent("bee")
    job = await farm.submit("1-9", stop_on_missing=True)
    grant = await farm.must_lease(ant)
    assert grant.job.stop_on_missing
    await farm.fail(ant, grant, None, "wood.png is missing", "missing_files")
    assert (await farm.job(job.id)).state == "running"  # another agent may have it on a disk of its own
    await farm.leave(bee)
    await farm.fail(ant, await farm.must_lease(ant), None, "wood.png is missing", "missing_files")
    view = await farm.job(job.id)
    assert (view.state, view.reason) == ("failed", "wood.png is missing")


async def test_a_lost_card_is_no_ones_fault(farm: Farm) -> None:
    ant = await farm.agent("ant", device=Device.OPTIX)
    job = await farm.submit("1", max_retries=0)
    await fail_first(farm, ant, code="gpu_lost", message="the card has fallen off the bus")
    assert (await farm.job(job.id)).failed == 0


async def test_a_frame_that_hangs_is_tried_again_and_by_two_agents_at_most(farm: Farm) -> None:
    ant, bee = await farm.agent("ant"), await farm.agent("bee")
    job = await farm.submit("1-2", chunk_frames=1, max_retries=5)
    words = "Blender was taken for hung while rendering frame 1: it has done nothing for {} s."
    await fail_first(farm, ant, code="hung", message=words.format(120))
    assert (await farm.job(job.id)).failed == 0
    await fail_first(farm, bee, code="hung", message=words.format(125))
    assert (await farm.job(job.id)).failed == 1
