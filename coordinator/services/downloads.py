"""The files of a job as people download them."""

from dataclasses import dataclass

from coordinator.db import blobs, extra_files
from coordinator.db import frames as frame_rows
from coordinator.db.engine import Transaction
from coordinator.domain.filenames import CONTENT_TYPES, frame_filename
from coordinator.domain.frame_range import FrameRangeError, parse
from coordinator.domain.model import Frame, FrameState, Job
from coordinator.media.zip_stream import FileList
from coordinator.protocol import ErrorCode
from coordinator.services.errors import Refused, not_found
from coordinator.services.schemas import ExtraFileView
from coordinator.services.views import job_with_files, known_job, output_of


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
        Refused: NOT_FOUND; FILES_GONE.
    """
    job, found = _finished_frame(tx, job_id, frame)
    image_format = output_of(job).format.value
    return FileRef(
        sha256=found.output_sha256 or "",
        size=found.output_size or 0,
        filename=_download_name(job, f"-{frame_filename(frame, image_format)}"),
        content_type=CONTENT_TYPES[image_format],
    )


def frame_preview(tx: Transaction, job_id: int, frame: int) -> FileRef:
    """Return the small picture of a frame, a JPEG or PNG.

    Raises:
        Refused: NOT_FOUND; FILES_GONE.
    """
    job, found = _finished_frame(tx, job_id, frame)
    # A frame that is no larger than a preview is its own.
    kind = "JPEG"
    if found.preview_sha256 == found.display_sha256:
        kind = "PNG"
    elif found.preview_sha256 == found.output_sha256:
        kind = output_of(job).format.value
    return FileRef(
        sha256=found.preview_sha256 or "",
        size=found.preview_size or 0,
        filename=_download_name(job, f"-{frame_filename(frame, kind)}"),
        content_type=CONTENT_TYPES[kind],
    )


def frame_display(tx: Transaction, job_id: int, frame: int) -> FileRef:
    """Return a frame in full size as seen in Blender, which comes with files that browsers and ffmpeg do not show so.

    Raises:
        Refused: NOT_FOUND, also when its own file is all there is; FILES_GONE.
    """
    job, found = _finished_frame(tx, job_id, frame)
    size = blobs.stored_size(tx.conn, found.display_sha256) if found.display_sha256 is not None else None
    if found.display_sha256 is None or size is None:
        raise not_found(f"display picture of frame {frame} of job {job_id}")
    return FileRef(
        sha256=found.display_sha256,
        size=size,
        filename=_download_name(job, f"-{frame_filename(frame, 'PNG')}"),
        content_type=CONTENT_TYPES["PNG"],
    )


def archive(tx: Transaction, job_id: int, frames: str | None, *, extras: bool) -> tuple[str, FileList]:
    """Return a name for a ZIP of a job's finished frames, and its files: as Blender would have named them.

    Args:
        tx: the transaction.
        job_id: the job.
        frames: a frame range, or None for all; those that are not finished are left out.
        extras: also what the scene itself wrote, in a folder for each frame.

    Raises:
        Refused: NOT_FOUND, also where none of them is finished; FILES_GONE; INVALID, the range cannot be read.
    """
    job = job_with_files(tx, job_id)
    try:
        chosen = None if frames is None else parse(frames)
    except FrameRangeError as error:
        raise Refused(ErrorCode.INVALID, str(error), {"frames": str(error)}) from error
    files = FileList()
    image_format = output_of(job).format.value
    beside = extra_files.of_job(tx.conn, job_id) if extras else {}
    for frame, sha256, size, at in frame_rows.outputs(tx.conn, job_id):
        if chosen is not None and frame not in chosen:
            continue
        name = frame_filename(frame, image_format)
        files.add(name, sha256, size, at)
        for extra in beside.get(frame, []):
            files.add(f"{name.rpartition('.')[0]}/{extra.path}", extra.sha256, extra.size, at)
    if not len(files):
        raise not_found(f"finished frame{'' if frames is None else f' among {frames}'} in job {job_id}")
    return _download_name(job, ".zip"), files


def log_name(tx: Transaction, job_id: int) -> str:
    """Return a file name for a job's log.

    Raises:
        Refused: NOT_FOUND.
    """
    return _download_name(known_job(tx, job_id), ".log")


def is_exr(tx: Transaction, job_id: int) -> bool:
    """Tell whether a job's frames are OpenEXR files.

    Raises:
        Refused: NOT_FOUND.
    """
    return output_of(known_job(tx, job_id)).format.is_exr


def frame_files(tx: Transaction, job_id: int, frame: int) -> list[ExtraFileView]:
    """Return what the scene itself wrote beside a frame's picture.

    Raises:
        Refused: NOT_FOUND; FILES_GONE.
    """
    _finished_frame(tx, job_id, frame)
    found = extra_files.of_frame(tx.conn, job_id, frame)
    return [ExtraFileView(path=file.path, sha256=file.sha256, size=file.size) for file in found]


def frame_file(tx: Transaction, job_id: int, frame: int, path: str) -> FileRef:
    """Return one of the files that the scene itself wrote.

    Raises:
        Refused: NOT_FOUND; FILES_GONE.
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
        Refused: NOT_FOUND, there is none, or not yet; FILES_GONE.
    """
    job = job_with_files(tx, job_id)
    size = blobs.stored_size(tx.conn, job.video_sha256) if job.video_sha256 is not None else None
    if job.video_sha256 is None or size is None:
        raise Refused(
            ErrorCode.NOT_FOUND, f"job {job_id} has no video{' yet' if job.video and not job.state.ended else ''}"
        )
    return FileRef(sha256=job.video_sha256, size=size, filename=_download_name(job, ".mp4"), content_type="video/mp4")


def _finished_frame(tx: Transaction, job_id: int, frame: int) -> tuple[Job, Frame]:
    job = job_with_files(tx, job_id)
    found = frame_rows.get(tx.conn, job_id, frame)
    if found is None or found.state != FrameState.FINISHED:
        raise not_found(f"finished frame {frame} in job {job_id}")
    return job, found


def _download_name(job: Job, ending: str) -> str:
    """Return a file name with the job's name in it that no system stumbles over."""
    safe = "".join(character if character.isalnum() or character in " ._-" else "_" for character in job.name)
    return safe.strip(" .")[:100] + ending
