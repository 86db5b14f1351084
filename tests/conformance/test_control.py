"""What people do to jobs while they go on, and after: pause, requeue, change, rerender, wait for others."""

import pytest

from coordinator.domain.model import JobState, SoundState
from coordinator.protocol import ErrorCode, Stage
from coordinator.services import downloads, frame_views, views
from coordinator.services.errors import Refused
from tests.conformance.farm import Farm, digest
from tests.conformance.situations import all_frames, chunked, failed_job, video_made

# ── Pausing ──


async def test_a_paused_job_finishes_what_is_being_rendered_and_nothing_more(farm: Farm) -> None:
    ant = await farm.agent()
    job, grant = await chunked(farm, ant, 5)
    await farm.report(ant, grant, frame=2)
    assert (await farm.pause(job)).state == JobState.PAUSED
    assert (await farm.report(ant, grant, frame=2)).last_frame == 2
    # Frame 1 was rendered before and is on its way.
    await farm.deliver(ant, grant, 1)
    with pytest.raises(Refused) as caught:
        await farm.deliver(ant, grant, 3)
    assert caught.value.code == ErrorCode.FRAME_LOST
    await farm.deliver(ant, grant, 2)
    assert await farm.lease(ant) is None
    view = await farm.job(job)
    assert (view.state, view.finished, view.slots, view.waiting) == (JobState.PAUSED, 2, [], None)
    assert (await farm.resume(job)).state == JobState.QUEUED
    assert await all_frames(farm, ant) == [3, 4, 5, 6, 7, 8, 9, 10]
    assert (await farm.job(job)).state == JobState.COMPLETED


async def test_a_lease_without_a_begun_frame_ends_when_its_job_is_paused(farm: Farm) -> None:
    ant = await farm.agent()
    job, grant = await chunked(farm, ant, 5)
    await farm.report(ant, grant, stage=Stage.OPENING)
    await farm.pause(job)
    assert (await farm.report(ant, grant, stage=Stage.OPENING)).last_frame is None
    with pytest.raises(Refused) as caught:
        await farm.report(ant, grant)
    assert caught.value.code == ErrorCode.LEASE_LOST


async def test_a_frame_that_was_begun_before_the_pause_was_heard_of_is_not_lost(farm: Farm) -> None:
    ant = await farm.agent()
    job, grant = await chunked(farm, ant, 5)
    await farm.report(ant, grant, frame=1)
    await farm.pause(job)
    # Meanwhile it has begun the third.
    assert (await farm.report(ant, grant, frame=3)).last_frame == 3
    for frame in (1, 2, 3):
        await farm.deliver(ant, grant, frame)
    assert (await farm.job(job)).finished == 3


async def test_just_after_a_frame_the_next_one_is_being_rendered(farm: Farm) -> None:
    ant = await farm.agent()
    job, grant = await chunked(farm, ant, 5)
    await farm.report(ant, grant, frame=1)
    await farm.deliver(ant, grant, 1)
    await farm.pause(job)
    assert (await farm.report(ant, grant, frame=2)).last_frame == 2


async def test_the_frame_after_one_that_failed_is_being_rendered(farm: Farm) -> None:
    ant = await farm.agent()
    job, grant = await chunked(farm, ant, 5)
    await farm.report(ant, grant, frame=1)
    await farm.fail(ant, grant, 1)
    await farm.pause(job)
    assert (await farm.report(ant, grant, frame=2)).last_frame == 2


async def test_what_is_rendered_and_being_delivered_is_taken_from_a_paused_job(farm: Farm) -> None:
    ant = await farm.agent()
    job, grant = await chunked(farm, ant, 5)
    await farm.report(ant, grant, stage=Stage.UPLOADING)
    await farm.pause(job)
    await farm.deliver_all(ant, grant)
    assert (await farm.job(job)).finished == 5


async def test_a_job_is_resumed_while_its_last_frame_is_rendered_still(farm: Farm) -> None:
    ant = await farm.agent()
    job, grant = await chunked(farm, ant, 2)
    await farm.report(ant, grant, frame=1)
    await farm.pause(job)
    await farm.report(ant, grant, frame=1)
    assert (await farm.resume(job)).state == JobState.RUNNING
    await farm.deliver(ant, grant, 1)
    assert await all_frames(farm, ant) == list(range(2, 11))


async def test_a_paused_job_ends_when_its_last_frame_was_under_way(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit("1")
    grant = await farm.must_lease(ant)
    await farm.report(ant, grant, frame=1)
    await farm.pause(job.id)
    await farm.deliver(ant, grant, 1)
    assert (await farm.job(job.id)).state == JobState.COMPLETED


async def test_the_sound_of_a_paused_job_is_mixed_by_whoever_began_it(farm: Farm) -> None:
    ant = await farm.agent()
    job, grant = await chunked(farm, ant, 5, video=True, sound=True)
    await farm.report(ant, grant, stage=Stage.MIXING)
    await farm.pause(job)
    await farm.report(ant, grant, stage=Stage.MIXING)
    await farm.deliver_sound(ant, grant)
    view = await farm.job(job)
    assert (view.state, view.sound_state, view.slots) == (JobState.PAUSED, SoundState.READY, [])


async def test_a_frame_that_fails_in_a_paused_job_waits_with_the_others(farm: Farm) -> None:
    ant = await farm.agent()
    job, grant = await chunked(farm, ant, 1)
    await farm.report(ant, grant, frame=1)
    await farm.pause(job)
    await farm.fail(ant, grant, 1)
    assert await farm.lease(ant) is None
    await farm.resume(job)
    assert sorted(await all_frames(farm, ant)) == list(range(1, 11))


async def test_pausing_and_resuming_twice_is_done_once(farm: Farm) -> None:
    job = await farm.submit("1-4")
    for _ in range(2):
        await farm.pause(job.id)
    for _ in range(2):
        assert (await farm.resume(job.id)).state == JobState.QUEUED
    assert await farm.events(job.id) == ["submitted", "warning", "paused", "queued"]


async def test_what_cannot_be_paused_or_resumed_says_why(farm: Farm) -> None:
    ant = await farm.agent()
    done = await farm.submit("1")
    await farm.render_everything(ant)
    stitched = await farm.submit("1", video=True)
    await farm.render_everything(ant)
    blocked = await farm.submit("1", after=[stitched.id])
    for change, job, words in (
        (farm.pause, done, "has ended already"),
        (farm.pause, stitched, "only its video is being made"),
        (farm.pause, blocked, "waits for other jobs"),
        (farm.resume, done, "requeue frames of it"),
        (farm.resume, stitched, "video is being made"),
        (farm.resume, blocked, "begins when they are completed"),
    ):
        with pytest.raises(Refused, match=words) as caught:
            await change(job.id)
        assert caught.value.code == ErrorCode.CONFLICT


# ── Cancelling ──


async def test_cancelling_is_told_with_who_did_it_and_done_once(farm: Farm) -> None:
    ant = await farm.agent()
    job, grant = await chunked(farm, ant, 5)
    await farm.pause(job)
    for _ in range(2):
        assert (await farm.cancel(job)).state == JobState.CANCELLED
    with pytest.raises(Refused):
        await farm.deliver(ant, grant, 1)
    page = await farm.database.read(views.list_events, job, 1000, None)
    assert [event.message for event in page.items if event.kind == "cancel_asked"] == ["ana cancelled the job."]


# ── Requeueing ──


async def test_failed_frames_are_requeued_and_the_job_goes_on(farm: Farm) -> None:
    ant = await farm.agent()
    job = await failed_job(farm, ant, 2, 3, 5, chunk_frames=6)
    view = await farm.requeue(job)
    assert (view.state, view.finished, view.failed, view.reason) == (JobState.QUEUED, 3, 0, None)
    assert view.ended_at is None
    # Neighbours are one chunk, and the attempts from before do not count.
    grant = await farm.must_lease(ant)
    assert grant.frames == [2, 3]
    await farm.deliver_all(ant, grant)
    assert await all_frames(farm, ant) == [5]
    assert (await farm.job(job)).state == JobState.COMPLETED
    page = await farm.database.read(frame_views.list_frames, job, 10, None)
    assert [frame.attempts for frame in page.items] == [1] * 6


async def test_finished_frames_are_rendered_again_and_the_video_is_made_anew(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit("1-9:2", video=True, chunk_frames=5)
    await farm.render_everything(ant)
    await video_made(farm, job.id)
    view = await farm.requeue(job.id, "3-5:2")
    assert (view.state, view.finished, view.video_ready, view.latest_frame) == (JobState.QUEUED, 3, False, 9)
    assert (await farm.must_lease(ant)).frames == [3, 5]
    # What has not ended is left as it is.
    assert (await farm.requeue(job.id, "3")).finished == 3


async def test_requeued_frames_get_new_pictures(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit("1")
    await farm.render_everything(ant)
    assert (await farm.requeue(job.id, "1")).latest_frame is None
    await farm.render_everything(ant, picture="better")
    assert (await farm.database.read(downloads.frame_output, job.id, 1)).sha256 == digest("better 1")


async def test_a_cancelled_job_goes_on_with_what_was_left(farm: Farm) -> None:
    ant = await farm.agent()
    job, grant = await chunked(farm, ant, 4)
    await farm.deliver(ant, grant, 1)
    await farm.cancel(job)
    assert (await farm.requeue(job)).state == JobState.QUEUED
    assert sorted(await all_frames(farm, ant)) == list(range(2, 11))
    assert (await farm.job(job)).state == JobState.COMPLETED


async def test_a_job_that_failed_as_a_whole_has_all_its_attempts_again(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit("1-4", max_retries=0)
    await farm.fail(ant, await farm.must_lease(ant), None, "the scene has no camera", "no_camera")
    assert (await farm.job(job.id)).state == JobState.FAILED
    await farm.requeue(job.id)
    bee = await farm.agent("bee")
    await farm.render_everything(bee)
    assert (await farm.job(job.id)).state == JobState.COMPLETED


async def test_a_job_that_was_given_up_early_has_all_its_attempts_again(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit("1-9", chunk_frames=1, stop_after=3)
    while (grant := await farm.lease(ant)) is not None:
        await farm.fail(ant, grant, grant.frames[0])
    assert (await farm.job(job.id)).state == JobState.FAILED
    await farm.requeue(job.id)
    grant = await farm.must_lease(ant)
    await farm.fail(ant, grant, grant.frames[0])
    assert (await farm.job(job.id)).state == JobState.RUNNING


async def test_frames_of_a_running_job_are_requeued(farm: Farm) -> None:
    ant = await farm.agent()
    job, grant = await chunked(farm, ant, 5)
    await farm.deliver(ant, grant, 1)
    await farm.deliver(ant, grant, 2)
    view = await farm.requeue(job, "1-2")
    assert (view.state, view.finished) == (JobState.RUNNING, 0)
    assert (await farm.report(ant, grant, frame=3)).last_frame == 5
    await farm.pause(job)
    await farm.deliver(ant, grant, 3)
    assert (await farm.requeue(job, "3")).state == JobState.PAUSED
    await farm.resume(job)
    assert sorted(await all_frames(farm, ant)) == list(range(1, 11))


async def test_failed_sound_is_mixed_again_with_requeued_frames(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit("1-4", video=True, sound=True)
    while (grant := await farm.lease(ant)) is not None:
        if grant.mix_sound:
            await farm.deliver_sound(ant, grant, "no audio device")
        for frame in grant.frames:
            if (await farm.job(job.id)).sound_state == SoundState.FAILED:
                await farm.deliver(ant, grant, frame)
    assert (await farm.job(job.id)).state == JobState.FAILED
    with pytest.raises(Refused, match="name those to render again") as caught:
        await farm.requeue(job.id)
    assert caught.value.code == ErrorCode.CONFLICT
    assert (await farm.requeue(job.id, "4")).sound_state == SoundState.WANTED
    await farm.render_everything(ant)
    await video_made(farm, job.id)
    assert (await farm.job(job.id)).sound_state == SoundState.READY


async def test_what_cannot_be_requeued_says_why(farm: Farm) -> None:
    ant = await farm.agent()
    done = await farm.submit("1-9:2")
    await farm.render_everything(ant)
    stitched = await farm.submit("1", video=True)
    await farm.render_everything(ant)
    for job, frames, code, words in (
        (done, "2-12", ErrorCode.INVALID, "has no frames 2, 4, 6, 8, 10, 11, 12: it renders 1-9:2"),
        (done, "9-1", ErrorCode.INVALID, "runs backwards"),
        (done, None, ErrorCode.CONFLICT, "every frame of job"),
        (stitched, "1", ErrorCode.CONFLICT, "wait until it is there, or cancel"),
    ):
        with pytest.raises(Refused, match=words) as caught:
            await farm.requeue(job.id, frames)
        assert caught.value.code == code
    # A job under way will do what is asked for anyway.
    waiting = await farm.submit("1-3")
    assert (await farm.requeue(waiting.id)).state == JobState.QUEUED
    assert (await farm.events(waiting.id)).count("requeued") == 0
