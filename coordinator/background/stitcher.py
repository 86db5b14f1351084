"""Make the videos of jobs whose frames are all finished."""

import asyncio
import logging
import shutil
from pathlib import Path

from coordinator.db.engine import Database
from coordinator.domain.timing import Timing
from coordinator.media.ffmpeg import MediaError, NoRoom, find_ffmpeg
from coordinator.media.stitch import stitch
from coordinator.protocol import ImageFormat
from coordinator.services import stitching
from coordinator.services.errors import Refused
from coordinator.services.stitching import StitchTask
from coordinator.store import BlobStore, StoreError, StoreFull

log = logging.getLogger(__name__)

#: Frames read from the database at a time.
_PAGE = 10_000


class Stitcher:
    """Makes one video after the other."""

    #: Also without a notice: a claim of a coordinator that died runs out silently.
    interval_seconds = 5.0

    def __init__(self, database: Database, store: BlobStore, ffmpeg: str | None, timing: Timing) -> None:
        """Make videos with ``ffmpeg``, or the one that is found."""
        self._database = database
        self._store = store
        self._ffmpeg = ffmpeg
        self._timing = timing

    async def run_once(self) -> int:
        """Make every video that waits, and return how many jobs were dealt with."""
        done = 0
        while task := await self._database.write(stitching.claim, self._timing):
            await self._deal_with(task)
            done += 1
        return done

    async def _deal_with(self, task: StitchTask) -> None:
        log.info("job %d: making the video of %d frames", task.job_id, task.frame_count)
        work = asyncio.create_task(self._make(task), name=f"video of job {task.job_id}")
        try:
            while not work.done():
                await asyncio.wait({work}, timeout=self._timing.stitch_seconds / 6)
                if not work.done():
                    await self._database.write(stitching.renew, task, self._timing)
            work.result()
        except Refused as refusal:
            log.info("job %d: the video is dropped: %s", task.job_id, refusal.message)
        except asyncio.CancelledError:
            # The coordinator stops; the next one begins anew, at once.
            await self._end(work)
            await self._give_back(task)
            raise
        finally:
            await self._end(work)

    async def _end(self, work: asyncio.Task[None]) -> None:
        work.cancel()
        await asyncio.wait({work})

    async def _give_back(self, task: StitchTask) -> None:
        try:
            await self._database.write(stitching.give_back, task)
        except Refused as refusal:
            log.info("job %d: %s", task.job_id, refusal.message)

    async def _make(self, task: StitchTask) -> None:
        try:
            sha256, size = await self._film(task)
        except (NoRoom, StoreFull) as error:
            log.warning("job %d: no room for the video, it is made later: %s", task.job_id, error)
            await self._database.write(stitching.postpone, task, str(error), self._timing)
        except (MediaError, StoreError) as error:
            log.warning("job %d: no video: %s", task.job_id, error)
            await self._database.write(stitching.fail, task, str(error))
        else:
            await self._database.write(stitching.finish, task, sha256, size, self._store.holds)

    async def _film(self, task: StitchTask) -> tuple[str, int]:
        """Have the film in the store; return its digest and its length in bytes."""
        ffmpeg = await asyncio.to_thread(find_ffmpeg, self._ffmpeg)
        sound = await self._store.fetch(task.sound_sha256) if task.sound_sha256 is not None else None
        pictures = await self._pictures(task)
        folder = await self._store.work_folder()
        try:
            film = await stitch(ffmpeg, pictures, ImageFormat(task.format), task.fps, sound, folder)
            return await self._store.put_file(film)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _pictures(self, task: StitchTask) -> list[Path]:
        pictures: list[Path] = []
        after: int | None = None
        while page := await self._database.read(stitching.frame_files, task.job_id, after, _PAGE):
            for frame, sha256 in page:
                pictures.append(await self._store.fetch(sha256))
                after = frame
        return pictures
