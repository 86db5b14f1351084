"""Brings a job's frames and its video back into a folder of the artist's."""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .background import BackgroundTask
from .client import FarmClient, FarmError
from .wording import counted

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


@dataclass(frozen=True)
class Placement:
    """Where the files of a job go."""

    folder: Path
    frame: Callable[[int, str], Path]
    """Given a frame's number and the name that the farm has for its file."""
    video: Path

    @classmethod
    def in_folder(cls, folder: Path, job_name: str) -> "Placement":
        """Put everything into one folder, by the farm's names."""
        return cls(folder, lambda _frame, filename: folder / filename, folder / f"{safe_name(job_name)}.mp4")


class _Cancelled(Exception):
    """The artist changed their mind."""


class Download(BackgroundTask):
    """One job on its way into a folder: ``start()`` it, look at ``progress()``, ``cancel()`` or ``wait()`` for it.

    Afterwards ``error`` says why it failed, if it did.  Files that are there already, whole, are not fetched again, so
    the same download goes on where it was interrupted.
    """

    def __init__(self, client: FarmClient, job_id: int, placement: Placement) -> None:
        super().__init__("renderfarm-download")
        self.error: FarmError | None = None
        self.job_id = job_id
        self.frames: list[tuple[int, Path]] = []
        """The frames that are there in the end, in their order."""
        self.video: Path | None = None
        """Likewise."""
        self._placement = placement
        self._client = client
        self._progress = Fetched("Looking for frames", 0.0)

    def progress(self) -> Fetched:
        """Return how far it is; from any thread."""
        return self._progress

    def _run(self) -> None:
        try:
            with self._client as client:
                frames, video = fetch(client, self.job_id, lambda _name: self._placement, self._advance)
            self._progress = Fetched(
                f"{counted(len(frames) + (video is not None), 'file')} in {self._placement.folder}", 1.0
            )
            self.frames, self.video = frames, video
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
    """Write what :func:`fetch` does into one folder, by the farm's names; return how many files these are.

    Raises:
        FarmError: the farm or the disk failed; the files that have arrived are whole.
    """
    frames, video = fetch(client, job_id, lambda name: Placement.in_folder(folder, name), advance)
    return len(frames) + (video is not None)


def fetch(
    client: FarmClient,
    job_id: int,
    place: Callable[[str], Placement],
    advance: Callable[[str, float], None] = lambda *_: None,
) -> tuple[list[tuple[int, Path]], Path | None]:
    """Write the finished frames of a job, and its video when there is one; return where they are.

    What the scene wrote itself beside a frame goes into a folder named after the frame.

    ``place`` tells where files go, given the job's name.  ``advance`` is told what is being fetched and the share that
    is done; it may raise to stop.

    Raises:
        FarmError: the farm or the disk failed; the files that have arrived are whole.
    """
    job = client.job(job_id)
    placement = place(str(job["name"]))
    _make_folder(placement.folder)
    total = job["finished"] + bool(job["video_ready"])
    frames: list[tuple[int, Path]] = []
    for frame, filename, sha256, has_extras in _finished_frames(client, job_id):
        advance(f"Fetching {filename}", len(frames) / max(total, 1))
        target = placement.frame(frame, filename)
        _make_folder(target.parent)
        if not _is_there(target, sha256):
            client.download_output(job_id, frame, target, sha256=sha256)
        frames.append((frame, target))
        if has_extras:
            _fetch_extras(
                client, job_id, frame, target.with_suffix("") if target.suffix else target.with_suffix(".files")
            )
    if not job["video_ready"]:
        return frames, None
    target = placement.video
    _make_folder(target.parent)
    done = len(frames) / total
    advance(f"Fetching {target.name}", done)
    client.download_video(job_id, target, lambda _done, _size: advance(f"Fetching {target.name}", done))
    return frames, target


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FarmError("disk", f"The folder {folder} cannot be made: {error.strerror}.", "Choose another.") from error


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
        _make_folder(target.parent)
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
