"""Videos: taken up again after a restart, dropped when the job is cancelled, and failing with a reason."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from coordinator.background import stitcher
from coordinator.keys import STORE
from coordinator.media.ffmpeg import MediaError, NoRoom
from coordinator.media.stitch import stitch
from tests.integration.coordinator import RunningCoordinator
from tests.integration.test_rendering import ended

pytestmark = pytest.mark.slow


class HeldStitch:
    """Makes no film before it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Take the place of the real one."""
        self.begun = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.reason: str | None = None
        self._real = stitch
        monkeypatch.setattr(stitcher, "stitch", self)

    async def __call__(self, *arguments: object) -> Path:
        """Wait, fail, or make the film, as told."""
        if self.reason is not None:
            raise MediaError(self.reason)
        if not self.begun.is_set():
            self.begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled.set()
        return await self._real(*arguments)  # type: ignore[arg-type] # handed on as they came


async def rendered(farm: RunningCoordinator) -> int:
    """Return a job whose frames are all there and whose video is wanted."""
    job_id = await farm.submit("1-3", video=True)
    await (await farm.agent()).render_everything()
    return job_id


async def test_a_restart_begins_the_video_anew(farm: RunningCoordinator, monkeypatch: pytest.MonkeyPatch) -> None:
    held = HeldStitch(monkeypatch)
    job_id = await rendered(farm)
    await held.begun.wait()
    assert (await farm.job(job_id))["state"] == "stitching"
    await farm.stop()
    assert held.cancelled.is_set()
    await farm.start()
    job = await ended(farm, job_id)
    assert (job["state"], job["video_ready"]) == ("completed", True)
    assert await farm.app[STORE].sweep(-60) == 0, "nothing half-made is left"


async def test_a_cancelled_job_needs_no_video(small_farm: RunningCoordinator, monkeypatch: pytest.MonkeyPatch) -> None:
    held = HeldStitch(monkeypatch)
    small_farm.settings = msgspec.structs.replace(small_farm.settings, lease_seconds=1.0, report_seconds=0.5)
    await small_farm.stop()
    await small_farm.start()
    job_id = await rendered(small_farm)
    await held.begun.wait()
    await small_farm.ask("POST", f"jobs/{job_id}/cancel")
    async with asyncio.timeout(30):
        await held.cancelled.wait()
    assert (await small_farm.job(job_id))["state"] == "cancelled"


async def test_a_video_that_fails_says_why_and_keeps_the_frames(
    small_farm: RunningCoordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = HeldStitch(monkeypatch)
    held.reason = "ffmpeg failed (exit code 1): no such luck"
    job = await ended(small_farm, await rendered(small_farm))
    assert (job["state"], job["finished"], job["video_ready"]) == ("failed", 3, False)
    assert "frames are fine" in job["reason"]
    assert "no such luck" in job["reason"]
    output = await small_farm.call("GET", f"api/v1/jobs/{job['id']}/frames/1/output")
    assert output.status == 200


async def test_one_that_breaks_does_not_stop_the_next(
    small_farm: RunningCoordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when it breaks in a way that no one foresaw: it is tried again, and given up in the end."""
    broken: list[int] = []

    async def breaking(*arguments: object) -> Path:
        if not broken:
            broken.append(1)
            raise RuntimeError("no one foresaw this")
        return await stitch(*arguments)  # type: ignore[arg-type] # handed on as they came

    monkeypatch.setattr(stitcher, "stitch", breaking)
    small_farm.settings = msgspec.structs.replace(small_farm.settings, lease_seconds=1.0, report_seconds=0.5)
    await small_farm.stop()
    await small_farm.start()
    first = await rendered(small_farm)
    job = await ended(small_farm, first)
    assert job["state"] == "completed"
    assert broken


async def test_a_full_disk_delays_a_video(small_farm: RunningCoordinator, monkeypatch: pytest.MonkeyPatch) -> None:
    full: list[int] = []

    async def filling(*arguments: object) -> Path:
        if not full:
            full.append(1)
            raise NoRoom("ffmpeg failed (exit code 228): No space left on device")
        return await stitch(*arguments)  # type: ignore[arg-type] # handed on as they came

    monkeypatch.setattr(stitcher, "stitch", filling)
    small_farm.settings = msgspec.structs.replace(small_farm.settings, lease_seconds=1.0, report_seconds=0.5)
    await small_farm.stop()
    await small_farm.start()
    job = await ended(small_farm, await rendered(small_farm))
    assert (job["state"], job["video_ready"]) == ("completed", True)
    history = (await small_farm.ask("GET", f"jobs/{job['id']}/events"))["items"]
    assert [event["kind"] for event in history if event["kind"].startswith("stitch_")] == [
        "stitch_begun",
        "stitch_postponed",
        "stitch_begun",
    ]
