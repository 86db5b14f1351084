"""A job from submission to its end, by every way there is."""

from collections.abc import Callable

import pytest

from coordinator.domain.model import JobState
from coordinator.protocol import ErrorCode, ImageFormat, OutputSpec, Stage, StoredFile
from coordinator.services import agent_views, downloads, frame_views, frames, stitching, views
from coordinator.services.errors import Refused
from coordinator.services.stitching import StitchTask
from tests.conformance.farm import HEIGHT, WIDTH, Farm, digest, in_store


async def claimed(farm: Farm) -> StitchTask:
    """Return the video to make now."""
    task = await farm.database.write(stitching.claim, farm.timing)
    assert task is not None
    return task


async def test_a_job_of_frames_is_completed_by_its_last_one(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit("-5--1,3,10-20:5")
    assert (job.state, job.frame_count, job.progress, job.eta_seconds) == (JobState.QUEUED, 9, 0.0, None)
    await farm.render_everything(ant)
    view = await farm.job(job.id)
    assert (view.state, view.finished, view.progress, view.latest_frame) == (JobState.COMPLETED, 9, 1.0, 20)
    assert view.seconds_per_frame == 2.0
    assert view.ended_at is not None
    page = await farm.database.read(frame_views.list_frames, job.id, 5, None)
    rest = await farm.database.read(frame_views.list_frames, job.id, 5, page.next)
    listed = [frame.filename for frame in (*page.items, *rest.items)]
    assert listed[:6] == ["-0005.png", "-0004.png", "-0003.png", "-0002.png", "-0001.png", "0003.png"]
    assert rest.next is None
    assert len(listed) == 9


async def test_a_frame_is_recorded_once(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit("1-4", chunk_frames=2)
    grant = await farm.must_lease(ant)
    assert (await farm.deliver(ant, grant, 1)).status == "recorded"
    assert (await farm.deliver(ant, grant, 1)).status == "repeated"
    with pytest.raises(Refused) as caught:
        await farm.deliver(ant, grant, 1, picture="another picture")
    assert caught.value.code == ErrorCode.FRAME_LOST
    # The same upload after the lease has ended is answered as before.
    await farm.deliver(ant, grant, 2)
    assert (await farm.deliver(ant, grant, 2)).status == "repeated"
    expected = await farm.database.read(frames.expect_frame, ant, grant.lease_id, 2, await farm.result(2))
    assert expected.recorded
    output = await farm.database.read(downloads.frame_output, job.id, 1)
    assert output.sha256 == digest("picture 1")
    assert output.content_type == "image/png"


async def test_a_frame_that_is_not_in_the_lease_is_refused(farm: Farm) -> None:
    ant = await farm.agent()
    await farm.submit("1-9:2")
    grant = await farm.must_lease(ant)
    for strange in (2, 5, 99):
        with pytest.raises(Refused) as caught:
            await farm.deliver(ant, grant, strange)
        assert caught.value.code == ErrorCode.FRAME_LOST


async def test_a_frame_without_its_files_is_refused_and_changes_nothing(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit("1-4")
    grant = await farm.must_lease(ant)
    nowhere = StoredFile(sha256=digest("nowhere"), size=3)
    with pytest.raises(Refused) as caught:
        await farm.deliver(ant, grant, 1, output=nowhere)
    assert caught.value.code == ErrorCode.MISSING_BLOBS
    assert caught.value.fields == {"missing": [nowhere.sha256]}
    there = await farm.blob("picture 1")
    with pytest.raises(Refused, match="the store has 3"):
        await farm.deliver(ant, grant, 1, output=StoredFile(sha256=there.sha256, size=4))
    assert (await farm.job(job.id)).finished == 0
    assert (await farm.deliver(ant, grant, 1)).status == "recorded"


async def test_a_frame_of_another_size_counts_as_failed(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit("1-2", output=OutputSpec(format=ImageFormat.PNG))
    await farm.deliver(ant, await farm.must_lease(ant), 1, size=(10, 20))
    outcome = await farm.deliver(ant, await farm.must_lease(ant), 2, size=(10, 21))
    assert outcome.status == "bad"
    assert outcome.reason == "the frame has 10×21 pixels; the job's frames have 10×20"
    grant = await farm.must_lease(ant)
    await farm.database.write(frames.record_bad_frame, ant, grant.lease_id, 2, "cut off", farm.timing)
    await farm.render_everything(ant, size=(10, 20))
    view = await farm.database.read(frame_views.list_frames, job.id, 10, None)
    assert [(frame.frame, frame.attempts) for frame in view.items] == [(1, 1), (2, 3)]


async def test_a_frame_is_tried_again_and_then_given_up_with_the_reason(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit("1-3")
    attempts = 0
    while (grant := await farm.lease(ant)) is not None:
        for frame in grant.frames:
            if frame == 2:
                attempts += 1
                await farm.fail(ant, grant, 2, "out of memory")
            else:
                await farm.deliver(ant, grant, frame)
    assert attempts == 4
    view = await farm.job(job.id)
    assert (view.state, view.finished, view.failed) == (JobState.FAILED, 2, 1)
    assert view.reason == "1 of 3 frames failed: frame 2. Frame 2: out of memory"
    assert [(failure.frame, failure.reason, failure.attempts) for failure in view.failures] == [(2, "out of memory", 4)]


async def test_the_same_failure_told_twice_counts_once(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit("1-3", chunk_frames=2)
    grant = await farm.must_lease(ant)
    for _ in range(2):
        await farm.fail(ant, grant, 1)
    assert (await farm.events(job.id)).count("attempt_failed") == 1


async def test_a_job_that_no_agent_can_render_fails_at_once(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit("1-100000", max_retries=1)
    for _ in range(2):
        grant = await farm.must_lease(ant)
        assert (await farm.fail(ant, grant, None, "the scene has no camera", "no_camera")).last_frame is None
    assert await farm.lease(ant) is None
    view = await farm.job(job.id)
    assert (view.state, view.reason) == (JobState.FAILED, "the scene has no camera")
    assert [(failure.frame, failure.attempts) for failure in view.failures] == [(None, 2)]


async def test_a_cancelled_job_takes_its_leases_along_and_keeps_its_frames(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit("1-10", video=True, sound=True)
    grant = await farm.must_lease(ant)
    await farm.deliver(ant, grant, 1)
    assert (await farm.cancel(job.id)).state == JobState.CANCELLED
    with pytest.raises(Refused) as caught:
        await farm.report(ant, grant)
    assert caught.value.code == ErrorCode.LEASE_LOST
    assert await farm.lease(ant) is None
    assert (await farm.job(job.id)).finished == 1
    # Said twice it is the same.
    assert (await farm.cancel(job.id)).state == JobState.CANCELLED


async def test_a_video_is_made_once_all_frames_and_the_sound_are_there(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit("1-3", video=True, sound=True)
    grant = await farm.must_lease(ant)
    assert grant.mix_sound
    assert grant.sound_range == (1, 3)
    other = await farm.must_lease(ant, holds=[grant.lease_id])
    assert not other.mix_sound
    await farm.deliver_all(ant, grant)
    await farm.deliver_sound(ant, grant)  # again: the answer was lost
    await farm.render_everything(ant)
    assert (await farm.job(job.id)).state == JobState.STITCHING
    task = await claimed(farm)
    assert (task.frame_count, task.fps, task.format, task.width, task.height) == (3, 24.0, "PNG", WIDTH, HEIGHT)
    assert task.sound_sha256 == digest("sound")
    assert await farm.database.write(stitching.claim, farm.timing) is None
    files = await farm.database.read(stitching.frame_files, job.id, None, 2)
    files += await farm.database.read(stitching.frame_files, job.id, files[-1][0], 2)
    assert files == [(number, digest(f"picture {number}")) for number in (1, 2, 3)]
    await farm.database.write(stitching.renew, task, farm.timing)
    await farm.database.write(stitching.finish, task, digest("film"), 77, in_store)
    view = await farm.job(job.id)
    assert (view.state, view.video_ready) == (JobState.COMPLETED, True)
    film = await farm.database.read(downloads.video, job.id)
    assert (film.sha256, film.size, film.filename) == (digest("film"), 77, "shot.mp4")


async def test_a_video_of_exr_frames_is_made_of_their_display_files(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit("1", video=True, output=OutputSpec(format=ImageFormat.OPEN_EXR, width=WIDTH, height=HEIGHT))
    grant = await farm.must_lease(ant)
    assert grant.job.output.display
    with pytest.raises(Refused) as caught:
        await farm.deliver(ant, grant, 1)
    assert caught.value.fields == {"display": "is missing"}
    await farm.deliver(ant, grant, 1, display=await farm.blob("display"))
    task = await claimed(farm)
    assert task.format == "PNG"
    assert await farm.database.read(stitching.frame_files, job.id, None, 5) == [(1, digest("display"))]


async def test_a_stitcher_that_went_down_is_replaced_but_not_for_ever(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit("1", video=True)
    await farm.render_everything(ant)
    first = await claimed(farm)
    await farm.database.write(stitching.give_back, first)
    for _ in range(3):
        task = await claimed(farm)
        farm.clock.advance(farm.timing.stitch_seconds)
    with pytest.raises(Refused) as caught:
        await farm.database.write(stitching.finish, first, digest("film"), 77, in_store)
    assert caught.value.code == ErrorCode.CONFLICT
    assert await farm.database.write(stitching.claim, farm.timing) is None
    view = await farm.job(job.id)
    assert view.state == JobState.FAILED
    assert view.reason is not None
    assert "went down 3 times" in view.reason
    with pytest.raises(Refused):
        await farm.database.write(stitching.renew, task, farm.timing)


async def test_a_video_that_cannot_be_made_fails_the_job_and_says_that_its_frames_are_fine(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit("1", video=True)
    await farm.render_everything(ant)
    await farm.database.write(stitching.fail, await claimed(farm), "ffmpeg is not installed")
    view = await farm.job(job.id)
    assert view.state == JobState.FAILED
    assert view.reason == (
        "All 1 frames are fine and can be downloaded, but no video could be made: ffmpeg is not installed"
    )


async def test_sound_that_fails_is_tried_by_the_next_lease_and_given_up_at_last(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit("1-4", video=True, sound=True)
    for attempt in range(3):
        grant = await farm.must_lease(ant)
        assert grant.mix_sound, attempt
        await farm.deliver_sound(ant, grant, failure="song.wav is missing")
    # The third failure is the last: the lease goes on with its frames.
    await farm.deliver_all(ant, await farm.must_lease(ant))
    await farm.render_everything(ant)
    view = await farm.job(job.id)
    assert (view.state, view.finished, view.sound_state) == (JobState.FAILED, 4, "failed")
    assert view.reason is not None
    assert view.reason.startswith("All 4 frames are fine and can be downloaded, but the sound could not be mixed")


async def test_sound_of_a_lost_lease_is_given_to_the_next(farm: Farm) -> None:
    ant, bee = await farm.agent("ant"), await farm.agent("bee")
    await farm.submit("1-4", video=True, sound=True)
    grant = await farm.must_lease(ant)
    assert grant.mix_sound
    assert (await farm.must_lease(ant)).mix_sound  # asked again
    await farm.expire()
    assert (await farm.must_lease(bee)).mix_sound
    with pytest.raises(Refused) as caught:
        await farm.deliver_sound(ant, grant)
    assert caught.value.code == ErrorCode.LEASE_LOST


async def test_a_lease_lives_until_the_sound_is_delivered_and_no_sound_is_waited_for_in_vain(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit("1", video=True, sound=True)
    grant = await farm.must_lease(ant)
    await farm.deliver(ant, grant, 1)
    assert (await farm.job(job.id)).state == JobState.RUNNING
    await farm.expire()
    view = await farm.job(job.id)
    assert (view.state, view.sound_state) == (JobState.FAILED, "failed")


async def test_what_is_not_there_is_not_found(farm: Farm) -> None:
    job = await farm.submit("1")
    asked: list[tuple[Callable[..., object], tuple[object, ...]]] = [
        (views.job_detail, (99,)),
        (views.list_events, (99, 5, None)),
        (downloads.frame_preview, (job.id, 1)),
        (downloads.video, (job.id,)),
        (agent_views.agent_view, (99,)),
    ]
    for view, arguments in asked:
        with pytest.raises(Refused) as caught:
            await farm.database.read(view, *arguments)
        assert caught.value.code == ErrorCode.NOT_FOUND


async def test_agents_are_shown_with_what_their_slots_do(farm: Farm) -> None:
    ant = await farm.agent("ant", slots=2)
    job = await farm.submit("1-10", chunk_frames=2)
    grant = await farm.must_lease(ant, 1)
    await farm.report(ant, grant, frame=1, progress=0.25)
    [shown] = await farm.database.read(agent_views.list_agents)
    assert (shown.name, shown.state, shown.hardware.cpu_count) == ("ant", "online", 2)
    idle, busy = shown.slots
    assert (idle.slot, idle.job, idle.stage) == (0, None, None)
    assert (busy.slot, busy.job, busy.job_name, busy.frame, busy.progress) == (1, job.id, "shot", 1, 0.25)
    # Its next lease, for which files are fetched already, is not what it works on.
    other = await farm.submit("1-10", priority=90)
    following = await farm.must_lease(ant, 1, holds=[grant.lease_id])
    await farm.report(ant, following, stage=Stage.FETCHING)
    view = await farm.job(job.id)
    assert [(slot.slot, slot.frame) for slot in view.slots] == [(1, 1)]
    assert view.progress == pytest.approx(0.025)
    assert (await farm.job(other.id)).slots == []
    # A finished frame counts once, however late the next report.
    await farm.deliver(ant, grant, 1)
    view = await farm.job(job.id)
    assert view.progress == pytest.approx(0.1)
    assert view.eta_seconds == pytest.approx(18.0)
    await farm.cancel(other.id)
    totals = await farm.database.read(views.counts)
    assert totals.jobs == {JobState.RUNNING: 1, JobState.CANCELLED: 1}
    assert (totals.pending_frames, totals.live_leases) == (8, 1)
