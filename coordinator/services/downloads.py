"""The files of a job as people download them."""

from dataclasses import dataclass

import msgspec

from coordinator.db import blobs, extra_files
from coordinator.db import frames as frame_rows
from coordinator.db.engine import Transaction
from coordinator.domain.filenames import CONTENT_TYPES, frame_filename
from coordinator.domain.model import Frame, FrameState, Job
from coordinator.protocol import ErrorCode, OutputSpec
from coordinator.services.errors import Refused, not_found
from coordinator.services.schemas import ExtraFileView
from coordinator.services.views import known_job


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRef:
    """A file in the store and how to hand it out."""

    sha256: str
    size: int
    filename: str
    content_type: str


def frame_output(tx: Transaction, job_id: int, frame: int) -> FileRef:
    """Return the file Blender wrote for a frame.

    Raises:
        Refused: NOT_FOUND.
    """
    job, found = _finished_frame(tx, job_id, frame)
    image_format = msgspec.json.decode(job.output, type=OutputSpec).format.value
    return FileRef(
        sha256=found.output_sha256 or "",
        size=found.output_size or 0,
        filename=_download_name(job, f"-{frame_filename(frame, image_format)}"),
        content_type=CONTENT_TYPES[image_format],
    )


def frame_preview(tx: Transaction, job_id: int, frame: int) -> FileRef:
    """Return the small picture of a frame.

    Raises:
        Refused: NOT_FOUND.
    """
    job, found = _finished_frame(tx, job_id, frame)
    return FileRef(
        sha256=found.preview_sha256 or "",
        size=found.preview_size or 0,
        filename=_download_name(job, f"-{frame_filename(frame, 'JPEG')}"),
        content_type=CONTENT_TYPES["JPEG"],
    )


def frame_files(tx: Transaction, job_id: int, frame: int) -> list[ExtraFileView]:
    """Return what the scene itself wrote beside a frame's picture.

    Raises:
        Refused: NOT_FOUND.
    """
    _finished_frame(tx, job_id, frame)
    found = extra_files.of_frame(tx.conn, job_id, frame)
    return [ExtraFileView(path=file.path, sha256=file.sha256, size=file.size) for file in found]


def frame_file(tx: Transaction, job_id: int, frame: int, path: str) -> FileRef:
    """Return one of the files that the scene itself wrote.

    Raises:
        Refused: NOT_FOUND.
    """
    job, _ = _finished_frame(tx, job_id, frame)
    found = next((file for file in extra_files.of_frame(tx.conn, job_id, frame) if file.path == path), None)
    if found is None:
        raise not_found(f"file {path!r} of frame {frame} of job {job_id}")
    return FileRef(
        sha256=found.sha256,
        size=found.size,
        filename=_download_name(job, f"-{frame}-{path.replace('/', '-')}"),
        # Whatever a scene says it is: a browser must not take it for a page of this site.
        content_type="application/octet-stream",
    )


def video(tx: Transaction, job_id: int) -> FileRef:
    """Return a job's video.

    Raises:
        Refused: NOT_FOUND, there is none, or not yet.
    """
    job = known_job(tx, job_id)
    size = blobs.size(tx.conn, job.video_sha256) if job.video_sha256 is not None else None
    if job.video_sha256 is None or size is None:
        raise Refused(
            ErrorCode.NOT_FOUND, f"job {job_id} has no video{' yet' if job.video and not job.state.ended else ''}"
        )
    return FileRef(sha256=job.video_sha256, size=size, filename=_download_name(job, ".mp4"), content_type="video/mp4")


def _finished_frame(tx: Transaction, job_id: int, frame: int) -> tuple[Job, Frame]:
    job = known_job(tx, job_id)
    found = frame_rows.get(tx.conn, job_id, frame)
    if found is None or found.state != FrameState.FINISHED:
        raise not_found(f"finished frame {frame} in job {job_id}")
    return job, found


def _download_name(job: Job, ending: str) -> str:
    """Return a file name with the job's name in it that no system stumbles over."""
    safe = "".join(character if character.isalnum() or character in " ._-" else "_" for character in job.name)
    return safe.strip(" .")[:100] + ending
