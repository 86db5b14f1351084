"""What people change of jobs: priorities, limits, frames, settings of a new one, which waits for which."""

import asyncio
from typing import Any

import pytest

from coordinator.domain.model import JobState, SoundState
from coordinator.protocol import Device, ErrorCode, ImageFormat, OutputSpec, RenderSpec
from coordinator.services import users
from coordinator.services.errors import Refused
from coordinator.services.schemas import NeedsRequest, UserChange, UserView
from tests.conformance.farm import HEIGHT, WIDTH, Farm
from tests.conformance.situations import all_frames, chunked, ended_frames, failed_job, video_made

UNSIZED = OutputSpec(format=ImageFormat.PNG, width=None, height=None)


# ── Changing ──


async def test_a_job_is_changed_while_it_goes_on(farm: Farm) -> None:
    job = await farm.submit("1-4")
    changes: dict[str, Any] = {
        "name": " Shot 011 ",
        "priority": 80,
        "max_slots": 2,
        "hedge": False,
        "needs": NeedsRequest(tags=["big"], pool="night", vram_bytes=2**34),
    }
    view = await farm.adjust(job.id, **changes)
    assert (view.name, view.priority, view.max_slots, view.hedge) == ("Shot 011", 80, 2, False)
    assert view.needs == changes["needs"]
    assert await farm.adjust(job.id, **changes) == view
    assert (await farm.events(job.id)).count("changed") == 1
    assert (await farm.adjust(job.id, max_slots=None)).max_slots is None


async def test_a_change_of_what_is_needed_takes_effect_at_once(farm: Farm) -> None:
    plain, tagged = await farm.agent(), await farm.agent("bee", tags=["big"])
    job, grant = await chunked(farm, plain, 1)
    await farm.adjust(job, needs=NeedsRequest(tags=["big"]))
    assert await farm.lease(plain, holds=[grant.lease_id]) is None
    assert await farm.lease(tagged) is not None


async def test_changes_that_cannot_be_are_refused(farm: Farm) -> None:
    job = await farm.submit("1-4")
    for changes, field in (
        ({"name": "  "}, "name"),
        ({"frames": "4-1"}, "frames"),
        ({"needs": NeedsRequest(max_blender=(4, 2))}, "needs.max_blender"),
    ):
        with pytest.raises(Refused) as caught:
            await farm.adjust(job.id, **changes)
        assert caught.value.code == ErrorCode.INVALID
        assert field in caught.value.fields
    with pytest.raises(Refused) as caught:
        await farm.adjust(999, priority=1)
    assert caught.value.code == ErrorCode.NOT_FOUND


# ── Changing the frames ──


@pytest.mark.parametrize(
    ("old", "new", "left"),
    [
        ("1-10", "1-14", [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]),
        ("1-10", "1-6", [2, 3, 4, 5, 6]),
        ("1-10", "3-18:3", [3, 6, 9, 12, 15, 18]),
        ("1-9:2", "1-9", [2, 3, 4, 5, 6, 7, 8, 9]),
        ("1-10", "2-3", [2, 3]),
        ("1-10", "101-102", [101, 102]),
    ],
)
async def test_a_running_job_gets_other_frames(farm: Farm, old: str, new: str, left: list[int]) -> None:
    ant, bee = await farm.agent(), await farm.agent("bee")
    job = await farm.submit(old, chunk_frames=3)
    grant = await farm.must_lease(ant)
    await farm.deliver(ant, grant, 1)
    view = await farm.adjust(job.id, frames=new)
    assert view.frames == new
    rendered = []
    for frame in grant.frames[1:]:
        if frame in left:
            await farm.deliver(ant, grant, frame)
            rendered.append(frame)
        else:
            with pytest.raises(Refused, match="lease"):
                await farm.deliver(ant, grant, frame)
    assert sorted(rendered + await all_frames(farm, bee)) == left
    done = await farm.job(job.id)
    assert (done.state, done.finished, done.frame_count) == (JobState.COMPLETED, done.frame_count, view.frame_count)
    assert set(left) <= set(await ended_frames(farm, job.id))


async def test_a_job_cut_to_finished_frames_is_completed(farm: Farm) -> None:
    ant = await farm.agent()
    for prepare, expected in ((farm.pause, JobState.PAUSED), (farm.cancel, JobState.CANCELLED), (None, None)):
        job, grant = await chunked(farm, ant, 4, video=True)
        await farm.deliver(ant, grant, 1)
        await farm.deliver(ant, grant, 2)
        if prepare is not None:
            assert (await prepare(job)).state == expected
        view = await farm.adjust(job, frames="1-2")
        assert (view.state, view.finished, view.frame_count) == (JobState.STITCHING, 2, 2)
        await video_made(farm, job)


async def test_failed_frames_are_cut_off(farm: Farm) -> None:
    ant = await farm.agent()
    job = await failed_job(farm, ant, 2, 6)
    view = await farm.adjust(job, frames="1-5")
    assert (view.state, view.failed) == (JobState.FAILED, 1)
    assert view.reason is not None
    assert view.reason.startswith("1 of 5 frames failed: frame 2.")
    view = await farm.adjust(job, frames="1,3-5")
    assert (view.state, view.finished, view.failed) == (JobState.COMPLETED, 4, 0)
    # A frame that comes back begins anew.
    assert (await farm.adjust(job, frames="1-5")).state == JobState.QUEUED
    await farm.render_everything(ant)
    assert (await farm.job(job)).state == JobState.COMPLETED


async def test_an_ended_job_goes_on_with_new_frames(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit("1-2", video=True)
    await farm.render_everything(ant)
    with pytest.raises(Refused, match="wait until it is there"):
        await farm.adjust(job.id, frames="1-3")
    await video_made(farm, job.id)
    view = await farm.adjust(job.id, frames="1-4")
    assert (view.state, view.finished, view.video_ready, view.latest_frame) == (JobState.QUEUED, 2, False, 2)
    assert await all_frames(farm, ant) == [3, 4]
    await video_made(farm, job.id)


async def test_a_cancelled_job_that_is_only_cut_stays_cancelled(farm: Farm) -> None:
    job = await farm.submit("1-10")
    await farm.cancel(job.id)
    assert (await farm.adjust(job.id, frames="1-5")).state == JobState.CANCELLED
    view = await farm.requeue(job.id)
    assert (view.state, view.frame_count) == (JobState.QUEUED, 5)


async def test_new_frames_of_a_paused_job_wait_with_the_others(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit("1-2")
    await farm.pause(job.id)
    assert (await farm.adjust(job.id, frames="0-3")).state == JobState.PAUSED
    assert await farm.lease(ant) is None
    await farm.resume(job.id)
    assert sorted(await all_frames(farm, ant)) == [0, 1, 2, 3]


async def test_sound_is_mixed_for_the_frames_that_there_are(farm: Farm) -> None:
    ant = await farm.agent()
    job, grant = await chunked(farm, ant, 5, video=True, sound=True)
    assert grant.sound_range == (1, 10)
    # It is mixing for frames that it will not be for.
    await farm.adjust(job, frames="1-12")
    with pytest.raises(Refused) as caught:
        await farm.deliver_sound(ant, grant)
    assert caught.value.code == ErrorCode.LEASE_LOST
    grant = await farm.must_lease(ant)
    assert grant.sound_range == (1, 12)
    await farm.deliver_all(ant, grant)
    # Of longer sound the video takes what it needs.
    assert (await farm.adjust(job, frames="1-8")).sound_state == SoundState.READY
    assert (await farm.adjust(job, frames="2-8")).sound_state == SoundState.WANTED
    with pytest.raises(Refused, match="gaps"):
        await farm.adjust(job, frames="2-8:2")
    with pytest.raises(Refused, match="requeue one first"):
        await farm.adjust(job, frames="2-5")
    await farm.requeue(job, "5")
    assert (await farm.adjust(job, frames="2-5")).state == JobState.RUNNING
    await farm.render_everything(ant)
    await video_made(farm, job)


# ── Rerendering ──


async def test_a_job_is_rerendered_with_changes_and_without_upload(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit(
        "1-4", priority=70, needs=NeedsRequest(tags=["x"]), chunk_frames=2, video=True, sound=True, first_look=True
    )
    old = await farm.job(job.id)
    new = await farm.rerender(job.id, frames="2-3", render=RenderSpec(scene="Scene", samples=512, percentage=200))
    assert new.id != job.id
    kept = (
        "name",
        "pack",
        "blender",
        "priority",
        "needs",
        "chunk_frames",
        "first_look",
        "video",
        "sound",
        "max_retries",
    )
    assert [getattr(new, field) for field in kept] == [getattr(old, field) for field in kept]
    assert (new.frames, new.render.samples, new.output) == ("2-3", 512, UNSIZED)
    silent = await farm.rerender(job.id, video=False)
    assert (silent.sound, silent.warnings, silent.output.width) == (False, old.warnings, WIDTH)
    with pytest.raises(Refused) as caught:
        await farm.rerender(999)
    assert caught.value.code == ErrorCode.NOT_FOUND
    assert await farm.lease(ant) is None


async def test_a_rerender_warns_of_what_is_still_so(farm: Farm) -> None:
    unmet = NeedsRequest(tags=["x"])
    missing, blocked = "textures/oak.png is missing", "a driver was blocked"
    job = await farm.submit("1-3,5", video=True, sound=True, needs=unmet, warnings=[missing])
    assert len(job.warnings) == 3  # of the sound and of the agents, too
    ant = await farm.agent(tags=["x"])
    grant = await farm.must_lease(ant)
    await farm.report(ant, grant, warnings=[blocked])
    assert (await farm.rerender(job.id, frames="1-5")).warnings == [missing, blocked]


async def test_a_rerender_sent_twice_makes_one_job(farm: Farm) -> None:
    job = await farm.submit("1")
    made = [(await farm.rerender(job.id, submission="0" * 32)).id for _ in range(2)]
    assert made[0] == made[1] != job.id


async def test_a_new_job_expects_what_the_one_before_took(farm: Farm) -> None:
    ant = await farm.agent()
    first = await farm.submit("1-4", render=RenderSpec(scene="Scene", samples=100))
    assert first.seconds_per_frame is None
    await farm.render_everything(ant)
    assert (await farm.submit("1-8")).seconds_per_frame == pytest.approx(2.0)
    larger = OutputSpec(format=ImageFormat.PNG, width=2 * WIDTH, height=2 * HEIGHT)
    fine = RenderSpec(scene="Scene", samples=200)
    assert (await farm.rerender(first.id, render=fine, output=larger)).seconds_per_frame == pytest.approx(16.0)


# ── Waiting for others ──


async def test_a_job_begins_when_those_before_it_are_completed(farm: Farm) -> None:
    ant = await farm.agent()
    one = await farm.submit("1")
    two = await farm.submit("1", video=True)
    last = await farm.submit("1-3", after=[two.id, one.id, one.id])
    assert (last.state, last.after) == (JobState.BLOCKED, [one.id, two.id])
    assert last.waiting == f"It begins when jobs {one.id}, {two.id} are completed."
    await farm.render_everything(ant)
    view = await farm.job(last.id)
    assert view.waiting == f"It begins when job {two.id} (shot) is completed."
    await video_made(farm, two.id)
    assert (await farm.job(last.id)).state == JobState.QUEUED
    assert await all_frames(farm, ant) == [1, 2, 3]
    # What is completed keeps no one waiting.
    assert (await farm.submit("1", after=[last.id])).state == JobState.QUEUED


async def test_jobs_completed_at_once_do_not_leave_the_one_after_them_blocked(farm: Farm) -> None:
    agents = [await farm.agent(f"ant {number}") for number in range(4)]
    first = [await farm.submit("1") for _ in agents]
    grants = [await farm.must_lease(agent) for agent in agents]
    last = await farm.submit("1", after=[job.id for job in first])
    await asyncio.gather(*(farm.deliver(agent, grant, 1) for agent, grant in zip(agents, grants, strict=True)))
    assert (await farm.job(last.id)).state == JobState.QUEUED


async def test_a_job_submitted_while_the_one_before_it_is_completed_is_not_forgotten(farm: Farm) -> None:
    ant = await farm.agent()
    for _ in range(5):
        first = await farm.submit("1")
        grant = await farm.must_lease(ant)
        last, _ = await asyncio.gather(farm.submit("1", after=[first.id]), farm.deliver(ant, grant, 1))
        assert (await farm.job(last.id)).state == JobState.QUEUED
        await farm.cancel(last.id)


async def test_a_job_after_one_that_failed_says_what_to_do(farm: Farm) -> None:
    ant = await farm.agent()
    broken = await failed_job(farm, ant, 2)
    job = await farm.submit("1", after=[broken])
    assert job.waiting == f"It waits for job {broken} (shot), which failed: requeue that job, or cancel this one."
    await farm.requeue(broken)
    await farm.render_everything(ant)
    assert (await farm.job(job.id)).state == JobState.COMPLETED


async def test_a_blocked_job_that_was_cancelled_is_blocked_again_when_it_goes_on(farm: Farm) -> None:
    ant = await farm.agent()
    first = await farm.submit("1")
    second = await farm.submit("1", after=[first.id])
    await farm.cancel(second.id)
    assert (await farm.requeue(second.id)).state == JobState.BLOCKED
    assert (await farm.adjust(second.id, frames="1-2")).state == JobState.BLOCKED
    await farm.render_everything(ant)
    assert (await farm.job(second.id)).finished == 2


async def test_a_job_cannot_wait_for_what_is_not_there(farm: Farm) -> None:
    with pytest.raises(Refused, match="there is no job 98, 99") as caught:
        await farm.submit("1", after=[99, 98])
    assert caught.value.code == ErrorCode.INVALID
    assert "after" in caught.value.fields


# ── What no agent can render ──


async def test_a_job_that_no_agent_can_render_is_accepted_with_a_warning(farm: Farm) -> None:
    job = await farm.submit("1")
    assert job.warnings == ["No agent has joined the farm yet; the job waits until one does."]
    ant = await farm.agent()
    await farm.leave(ant)
    await farm.agent("bee", device=Device.OPTIX, vram_bytes=12 * 2**30)
    job = await farm.submit("1", needs=NeedsRequest(device="GPU", vram_bytes=24 * 2**30))
    [warning] = job.warnings
    assert warning.startswith("It needs 24 GB of GPU memory; the largest agent has 12 GB.")


# ── Users ──


async def test_users_have_limits(farm: Farm) -> None:
    ant = await farm.agent(slots=2)
    assert await farm.database.read(users.list_users) == []
    await farm.submit("1-100", chunk_frames=1)
    limited = UserView(name="ana", max_slots=1, scripts=False, slots=0, quota_bytes=None)
    assert await farm.database.write(users.change, "ana", UserChange(max_slots=1)) == limited
    await farm.must_lease(ant, slot=0)
    assert await farm.lease(ant, slot=1) is None
    assert await farm.database.read(users.list_users) == [
        UserView(name="ana", max_slots=1, scripts=False, slots=1, quota_bytes=None)
    ]
    await farm.database.write(users.change, "ana", UserChange(max_slots=None))
    assert await farm.lease(ant, slot=1) is not None
    with pytest.raises(Refused) as caught:
        await farm.database.write(users.change, "eve", UserChange(max_slots=1))
    assert caught.value.code == ErrorCode.NOT_FOUND
