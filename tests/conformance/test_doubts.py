"""Frames in which there is nothing to be seen: rendered once more where they stand out, and then taken with a doubt."""

from coordinator.domain.model import Blank
from coordinator.domain.verification import Look
from coordinator.protocol import LeaseGrant
from coordinator.services import agent_views
from coordinator.services.frame_views import list_frames
from coordinator.services.schemas import FrameView
from tests.conformance.farm import Farm

BLACK = Look(blank=Blank.BLACK)
TRANSPARENT = Look(blank=Blank.TRANSPARENT)


async def frame_views(farm: Farm, job: int) -> dict[int, FrameView]:
    """Return a job's ended frames by their number."""
    page = await farm.database.read(list_frames, job, 1000, None)
    return {view.frame: view for view in page.items}


async def render(farm: Farm, agent: int, frames: int, look: Look) -> LeaseGrant:
    """Have an agent render its next lease, of so many frames, and see the same in all of them."""
    grant = await farm.must_lease(agent)
    assert len(grant.frames) == frames
    await farm.deliver_all(agent, grant, look=look)
    return grant


async def refuse(farm: Farm, agent: int, look: Look) -> int:
    """Have an agent hand in a frame that is not taken; return its number."""
    grant = await farm.must_lease(agent)
    outcome = await farm.deliver(agent, grant, grant.frames[0], look=look)
    assert outcome.status == "bad"
    assert outcome.reason is not None
    assert "though the frames beside it are not" in outcome.reason
    return grant.frames[0]


async def test_a_blank_frame_beside_pictures_is_rendered_once_more_by_another_agent(farm: Farm) -> None:
    ant, bee = await farm.agent("ant"), await farm.agent("bee")
    job = (await farm.submit("1-4", chunk_frames=1)).id
    for _ in range(2):
        await farm.deliver_all(ant, await farm.must_lease(ant))
    assert await refuse(farm, ant, BLACK) == 3
    grant = await farm.must_lease(ant)
    assert grant.frames == [4]
    await farm.deliver_all(ant, grant)
    grant = await farm.must_lease(bee)
    assert grant.frames == [3]
    await farm.deliver_all(bee, grant, look=BLACK)
    view = await farm.job(job)
    assert (view.state, view.doubtful) == ("completed", 1)
    sentence = "All black, though frames 2 and 4 are not; two agents rendered it alike."
    assert [(it.frame, it.doubt, it.beside) for it in view.doubts] == [(3, sentence, [2, 4])]
    frame = (await frame_views(farm, job))[3]
    assert (frame.blank, frame.doubt, frame.attempts) == (Blank.BLACK, sentence, 2)
    assert "frame_doubtful" in await farm.events(job)


async def test_what_two_agents_render_blank_is_neither_ones_fault(farm: Farm) -> None:
    ant, bee = await farm.agent("ant"), await farm.agent("bee")
    await farm.submit("1-9", chunk_frames=1)
    for _ in range(3):
        await farm.deliver_all(ant, await farm.must_lease(ant))
        number = await refuse(farm, ant, BLACK)
        grant = await farm.must_lease(bee)
        assert grant.frames == [number]
        await farm.deliver_all(bee, grant, look=BLACK)
    assert (await farm.database.read(agent_views.list_agents))[0].set_aside_jobs == []


async def test_an_agent_that_renders_blank_what_another_one_renders_is_to_blame(farm: Farm) -> None:
    ant, bee = await farm.agent("ant"), await farm.agent("bee")
    job = (await farm.submit("1-9", chunk_frames=1)).id
    for _ in range(2):
        await farm.deliver_all(ant, await farm.must_lease(ant))
        await refuse(farm, ant, BLACK)
        await farm.deliver_all(bee, await farm.must_lease(bee))
    assert (await farm.database.read(agent_views.list_agents))[0].set_aside_jobs == [job]
    view = await farm.job(job)
    assert (view.doubtful, view.doubts) == (0, [])


async def test_an_agent_alone_tries_again_itself(farm: Farm) -> None:
    ant = await farm.agent()
    job = (await farm.submit("1-3", chunk_frames=1)).id
    await render(farm, ant, 1, Look())
    assert await refuse(farm, ant, TRANSPARENT) == 2
    await farm.deliver_all(ant, await farm.must_lease(ant))
    await render(farm, ant, 1, TRANSPARENT)
    (doubt,) = (await farm.job(job)).doubts
    assert doubt.doubt == "Fully transparent, though frames 1 and 3 are not; the same agent rendered it alike twice."


async def test_the_second_result_is_taken_whatever_it_is(farm: Farm) -> None:
    ant, bee = await farm.agent("ant"), await farm.agent("bee")
    job = (await farm.submit("1-2", chunk_frames=1)).id
    await render(farm, ant, 1, Look())
    await refuse(farm, ant, BLACK)
    await render(farm, bee, 1, TRANSPARENT)
    (doubt,) = (await farm.job(job)).doubts
    assert doubt.doubt == "Fully transparent, though frame 1 is not; it was blank in another way before."


async def test_a_frame_without_retries_is_taken_with_a_doubt_at_once(farm: Farm) -> None:
    ant = await farm.agent()
    job = (await farm.submit("1-2", chunk_frames=1, max_retries=0)).id
    await render(farm, ant, 1, Look())
    await render(farm, ant, 1, BLACK)
    view = await farm.job(job)
    assert view.state == "completed"
    assert [doubt.doubt for doubt in view.doubts] == ["All black, though frame 1 is not."]


async def test_a_blank_frame_is_doubted_when_its_neighbours_turn_out_otherwise(farm: Farm) -> None:
    ant = await farm.agent()
    job = (await farm.submit("1-3", chunk_frames=1)).id
    await render(farm, ant, 1, BLACK)
    assert (await farm.job(job)).doubts == []
    await render(farm, ant, 1, Look())
    view = await farm.job(job)
    assert [(doubt.frame, doubt.doubt) for doubt in view.doubts] == [(1, "All black, though frame 2 is not.")]
    await render(farm, ant, 1, Look())
    frames = await frame_views(farm, job)
    assert [frames[number].blank for number in (1, 2, 3)] == [Blank.BLACK, None, None]
    assert frames[1].attempts == 1


async def test_a_fade_to_black_costs_one_frame_and_leaves_no_doubt(farm: Farm) -> None:
    ant = await farm.agent()
    job = (await farm.submit("1-5", chunk_frames=1)).id
    await render(farm, ant, 1, Look())
    assert await refuse(farm, ant, BLACK) == 2
    await farm.render_everything(ant, look=BLACK)
    view = await farm.job(job)
    assert (view.state, view.doubts) == ("completed", [])


async def test_one_agent_does_not_confirm_itself_while_another_one_can(farm: Farm) -> None:
    ant, bee = await farm.agent("ant"), await farm.agent("bee")
    job = (await farm.submit("1-4", chunk_frames=1)).id
    await render(farm, ant, 1, Look())
    assert [await refuse(farm, ant, BLACK) for _ in range(2)] == [2, 3]
    grant = await farm.must_lease(bee)
    assert grant.frames == [2]
    await farm.deliver_all(bee, grant, look=BLACK)
    # From here on it is known that the film is black.
    await farm.render_everything(ant, look=BLACK)
    await farm.render_everything(bee, look=BLACK)
    view = await farm.job(job)
    assert (view.state, view.doubts) == ("completed", [])


async def test_frames_far_away_tell_nothing(farm: Farm) -> None:
    ant = await farm.agent()
    job = (await farm.submit("1-100", first_look=True)).id
    for look in (Look(), Look(), BLACK):
        await render(farm, ant, 1, look)
    assert {frame: view.blank for frame, view in (await frame_views(farm, job)).items()} == {
        1: None,
        51: None,
        100: Blank.BLACK,
    }
    assert (await farm.job(job)).doubtful == 0


async def test_pixels_that_are_no_numbers_are_told_of(farm: Farm) -> None:
    ant = await farm.agent()
    job = (await farm.submit("1-2", chunk_frames=1)).id
    await render(farm, ant, 1, Look(nan_pixels=1234))
    await render(farm, ant, 1, Look())
    (doubt,) = (await farm.job(job)).doubts
    assert (doubt.frame, doubt.doubt) == (1, "1,234 of its pixels are NaN (not a number).")


async def test_a_frame_that_is_all_nan_is_doubted_among_its_like_too(farm: Farm) -> None:
    ant = await farm.agent()
    job = (await farm.submit("1-2", chunk_frames=1)).id
    for _ in range(2):
        await render(farm, ant, 1, Look(blank=Blank.NAN, nan_pixels=9))
    assert [doubt.doubt for doubt in (await farm.job(job)).doubts] == 2 * ["All NaN (not one pixel is a number)."]


async def test_a_requeue_forgets_the_doubts(farm: Farm) -> None:
    ant = await farm.agent()
    job = (await farm.submit("1-2", chunk_frames=1)).id
    await render(farm, ant, 1, BLACK)
    await render(farm, ant, 1, Look())
    assert (await farm.job(job)).doubtful == 1
    await farm.requeue(job, "1")
    assert (await farm.job(job)).doubtful == 0
    # What was blank before the requeue counts no more.
    assert await refuse(farm, ant, BLACK) == 1
    farm.clock.advance(61)
    await render(farm, ant, 1, Look())
    assert (await farm.job(job)).doubts == []
