"""Brings a job's frames and its video back into a folder of the artist's."""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .background import BackgroundTask
from .client import FarmClient, FarmError

#: A frame's number, padded to four digits as Blender does, and its format's ending.  Anything else is refused: the name
#: comes over the network and becomes a path.
_FILENAME = re.compile(r"-?\d{4,7}\.(png|jpg|exr)")
_UNSAFE = re.compile(r'[\x00-\x1f/\\:*?"<>|]+')


@dataclass(frozen=True)
class Fetched:
    """How far a download is."""

    message: str
    fraction: float
    """0-1."""


class _Cancelled(Exception):
    """The artist changed their mind."""


class Download(BackgroundTask):
    """One job on its way into a folder: ``start()`` it, look at ``progress()``, ``cancel()`` or ``wait()`` for it.

    Afterwards ``error`` says why it failed, if it did.  Files that are there already, whole, are not fetched again, so
    the same download goes on where it was interrupted.
    """

    def __init__(self, client: FarmClient, job_id: int, folder: Path) -> None:
        super().__init__("renderfarm-download")
        self.error: FarmError | None = None
        self.folder = folder
        self._client = client
        self._job_id = job_id
        self._progress = Fetched("Looking for frames", 0.0)

    def progress(self) -> Fetched:
        """Return how far it is; from any thread."""
        return self._progress

    def _run(self) -> None:
        try:
            with self._client as client:
                count = fetch_job(client, self._job_id, self.folder, self._advance)
            self._progress = Fetched(f"{count} files in {self.folder}", 1.0)
        except _Cancelled:
            self._progress = Fetched("Download cancelled", 1.0)
        except FarmError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 - nobody else would hear of it: this is the thread's last line
            self._fail(FarmError("internal", f"The download failed: {error!r}.", "Please report this as a bug."))

    def _fail(self, error: FarmError) -> None:
        self.error = error
        self._progress = Fetched(str(error), 1.0)

    def _advance(self, message: str, fraction: float) -> None:
        if self._cancelled.is_set():
            raise _Cancelled
        self._progress = Fetched(message, fraction)


def fetch_job(
    client: FarmClient, job_id: int, folder: Path, advance: Callable[[str, float], None] = lambda *_: None
) -> int:
    """Write the finished frames of a job, and its video when there is one, into ``folder``; return how many of these.

    What the scene wrote itself beside a frame goes into a folder named after the frame.

    ``advance`` is told what is being fetched and the share that is done; it may raise to stop.

    Raises:
        FarmError: the farm or the disk failed; the files that have arrived are whole.
    """
    job = client.job(job_id)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FarmError("disk", f"The folder {folder} cannot be made: {error.strerror}.", "Choose another.") from error
    total = job["finished"] + bool(job["video_ready"])
    count = 0
    for frame, filename, sha256, has_extras in _finished_frames(client, job_id):
        advance(f"Fetching {filename}", count / max(total, 1))
        target = folder / filename
        if not _is_there(target, sha256):
            client.download_output(job_id, frame, target, sha256=sha256)
        count += 1
        if has_extras:
            _fetch_extras(client, job_id, frame, folder / Path(filename).stem)
    if job["video_ready"]:
        target = folder / f"{safe_name(job['name'])}.mp4"
        advance(f"Fetching {target.name}", count / total)
        client.download_video(job_id, target, lambda _done, _size: advance(f"Fetching {target.name}", count / total))
        count += 1
    return count


def safe_name(name: str) -> str:
    """Return a job's name as a file can have it on every system."""
    return _UNSAFE.sub("_", name).strip(" .")[:100] or "job"


def _fetch_extras(client: FarmClient, job_id: int, frame: int, folder: Path) -> None:
    """Write what the scene itself wrote beside a frame into a folder of the frame's own."""
    for file in client.frame_files(job_id, frame):
        path = str(file["path"])
        if any(part in ("", ".", "..") or _UNSAFE.search(part) for part in path.split("/")):
            raise FarmError("not_a_coordinator", f"The coordinator names a file “{path}”, which leads elsewhere.")
        target = folder / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            problem = f"The folder {target.parent} cannot be made: {error.strerror}."
            raise FarmError("disk", problem, "Choose another.") from error
        if not _is_there(target, file["sha256"]):
            client.download_frame_file(job_id, frame, path, target, sha256=file["sha256"])


def _finished_frames(client: FarmClient, job_id: int) -> Iterator[tuple[int, str, str, bool]]:
    for frame in client.frames(job_id):
        if frame["state"] == "finished":
            filename = str(frame["filename"])
            if not _FILENAME.fullmatch(filename):
                raise FarmError("not_a_coordinator", f"The coordinator names a frame “{filename}”, which is no frame.")
            yield frame["frame"], filename, frame["sha256"], bool(frame.get("extras"))


def _is_there(path: Path, sha256: str) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False
