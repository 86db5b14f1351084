"""The latest pictures of jobs, fetched into a folder of their own: small ones for the list, one whole one to look at.

For the thread that asks for jobs; knows no ``bpy``.
"""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from .client import FarmClient, FarmError
from .farm_job import FarmJob

#: The newest so many jobs have a small picture, and so many are fetched at a time.
MOST, AT_ONCE = 30, 6


@dataclass(frozen=True)
class LatestFrame:
    """The whole picture of the frame of a job that was finished last."""

    job_id: int
    job_name: str
    frame: int
    path: str


@dataclass
class JobPictures:
    """The pictures in a folder, which is made when the first one comes."""

    folder: Path
    _small: dict[int, tuple[str, Path]] = field(default_factory=dict)
    _refused: set[tuple[int, str]] = field(default_factory=set)
    _latest: LatestFrame | None = None
    _latest_of: tuple[int, str] | None = None

    def fetch_small(self, client: FarmClient, jobs: Sequence[FarmJob]) -> dict[int, str]:
        """Fetch some of the small pictures that have changed; return the paths of all that are there, by job.

        Raises:
            FarmError: the farm does not answer.
        """
        fetched = 0
        for job in jobs[:MOST]:
            if job.latest_frame is None or fetched == AT_ONCE:
                continue
            version, known = job.picture_version, self._small.get(job.id)
            if (known is not None and known[0] == version) or (job.id, version) in self._refused:
                continue
            target = self._place(f"{job.id}-{version}.jpg")
            fetched += 1
            try:
                client.download_preview(job.id, job.latest_frame, target)
            except FarmError as error:
                if error.passing:
                    raise
                self._refused.add((job.id, version))  # It was swept, or the frame is rendered again.
                continue
            self._small[job.id] = version, target
            if known is not None:
                known[1].unlink(missing_ok=True)
        listed = {job.id for job in jobs[:MOST]}
        for gone in self._small.keys() - listed:
            self._small.pop(gone)[1].unlink(missing_ok=True)
        return {job_id: str(path) for job_id, (_, path) in self._small.items()}

    def fetch_latest(self, client: FarmClient, job: FarmJob | None) -> LatestFrame | None:
        """Return the whole picture of a job's latest frame, fetched if it is a new one; None where there is none.

        Raises:
            FarmError: it cannot be had.
        """
        if job is None or job.latest_frame is None:
            return None
        wanted = job.id, job.picture_version
        if self._latest_of != wanted:
            ending = {"JPEG": ".jpg", "PNG": ".png"}.get(job.file_format, ".exr")
            target = self._place(f"latest-{job.id}-{job.picture_version}{ending}")
            client.download_output(job.id, job.latest_frame, target)
            before, self._latest_of = self._latest, wanted
            self._latest = LatestFrame(job.id, job.name, job.latest_frame, str(target))
            if before is not None and before.job_id != job.id:
                Path(before.path).unlink(missing_ok=True)
        return self._latest

    def forget(self) -> None:
        """Forget what belongs to the farm that was asked before."""
        self._small.clear()
        self._refused.clear()
        self._latest = self._latest_of = None

    def remove(self) -> None:
        """Remove the folder."""
        with suppress(OSError):
            shutil.rmtree(self.folder)

    def _place(self, name: str) -> Path:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FarmError("disk", f"The folder {self.folder} cannot be made: {error.strerror}.") from error
        return self.folder / name
