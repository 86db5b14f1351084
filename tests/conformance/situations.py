"""Situations that several tests begin with, and what they ask about in the end."""

from typing import Any

from coordinator.domain.model import JobState
from coordinator.protocol import LeaseGrant
from coordinator.services import frame_views, stitching
from tests.conformance.farm import Farm, in_store


async def failed_job(farm: Farm, agent: int, *broken: int, frames: str = "1-6", **changes: Any) -> int:
    """Return a job whose ``broken`` frames failed for good and whose others are finished."""
    job = await farm.submit(frames, max_retries=0, stop_after=0, **changes)
    while (grant := await farm.lease(agent)) is not None:
        for frame in grant.frames:
            if frame in broken:
                await farm.fail(agent, grant, frame)
            else:
                await farm.deliver(agent, grant, frame)
    assert (await farm.job(job.id)).state == JobState.FAILED
    return job.id


async def video_made(farm: Farm, job_id: int) -> None:
    """Have the video of a job made that waits for it."""
    task = await farm.database.write(stitching.claim, farm.timing)
    assert task is not None
    assert task.job_id == job_id
    file = await farm.blob("video")
    await farm.database.write(stitching.finish, task, file.sha256, file.size, in_store)


async def ended_frames(farm: Farm, job_id: int) -> list[int]:
    """Return the frames of a job that have ended."""
    page = await farm.database.read(frame_views.list_frames, job_id, 1000, None)
    return [frame.frame for frame in page.items]


async def all_frames(farm: Farm, agent: int) -> list[int]:
    """Render everything there is with one slot; return the frames in the order in which they were leased."""
    leased: list[int] = []
    while (grant := await farm.lease(agent)) is not None:
        leased += grant.frames
        await farm.deliver_all(agent, grant)
    return leased


async def chunked(farm: Farm, agent: int, frames: int, **changes: Any) -> tuple[int, LeaseGrant]:
    """Return a job of ten frames and a lease of its first ``frames``."""
    job = await farm.submit("1-10", chunk_frames=frames, **changes)
    return job.id, await farm.must_lease(agent)
