"""Submitting a job: everything is checked before anything is kept."""

import msgspec

from coordinator.db import agents, chunks, jobs, packs
from coordinator.db.engine import WORK, Notice, Transaction
from coordinator.domain.carving import Span
from coordinator.domain.frame_range import FrameRange, FrameRangeError, parse
from coordinator.domain.model import ChunkState, JobState, SoundState, blender_number, blender_version
from coordinator.domain.transitions import NEW, check
from coordinator.protocol import ErrorCode, ImageFormat, OutputSpec
from coordinator.services.changes import check_chunk, tell
from coordinator.services.errors import Refused, not_found
from coordinator.services.schemas import JobRequest, JobView
from coordinator.services.views import job_view

#: Missing blobs named in a refusal; the manifest, sent again, tells all of them.
_NAMED = 1000


def submit(tx: Transaction, request: JobRequest, by: str) -> JobView:
    """Create a job as one pending chunk and return it; ``by`` is who submits it.

    A submission that has made its job is answered with that job.

    Raises:
        Refused: INVALID, with every refused field; NOT_FOUND, no such pack; MISSING_BLOBS.
    """
    if request.submission is not None:
        made = jobs.of_submission(tx.conn, request.submission)
        if made is not None:
            return job_view(tx, made)
    frames = _check_fields(tx, request)
    if not packs.exists(tx.conn, request.pack):
        raise not_found(f"pack {request.pack}; send its manifest first")
    missing = packs.missing(tx.conn, request.pack)
    if missing:
        raise Refused(
            ErrorCode.MISSING_BLOBS,
            f"{len(missing)} blobs of the pack have not been uploaded; upload them and submit again",
            {"missing": [sha256 for sha256, _ in missing[:_NAMED]]},
        )
    warnings = list(dict.fromkeys(request.warnings))
    sound = request.sound
    if sound and not request.video:
        sound = False
        warnings.append("There is no sound without a video, so none is mixed.")
    elif sound and not frames.consecutive:
        sound = False
        warnings.append("The video is silent: sound needs consecutive frames, and this range has gaps.")
    if agents.newest_blender(tx.conn) is None:
        warnings.append("No agent has joined the farm yet; the job waits until one does.")
    check("job", request.name, NEW, JobState.QUEUED, list)
    job = jobs.insert_job(
        tx.conn,
        name=request.name.strip(),
        pack_id=request.pack,
        frames=str(frames),
        frame_count=len(frames),
        state=JobState.QUEUED,
        priority=request.priority,
        min_blender=blender_number(*request.blender),
        max_retries=request.max_retries,
        video=request.video,
        render=msgspec.json.encode(request.render).decode(),
        output=msgspec.json.encode(_output(request)).decode(),
        warnings=tuple(warnings),
        submission=request.submission,
        created_by=by,
        created_at=tx.now,
        finished=0,
        failed=0,
        whole_failures=0,
        recent_seconds=(),
        sound_state=SoundState.WANTED if sound else SoundState.NONE,
        sound_failures=0,
        stitch_claims=0,
    )
    check_chunk(tx, job, NEW, ChunkState.PENDING)
    chunks.insert_chunk(tx.conn, job, Span(frames.first, frames.last, len(frames)), ChunkState.PENDING)
    tell(tx, job, "submitted", f"Submitted by {by}: {len(frames)} frames ({frames}).", {"by": by})
    for warning in warnings:
        tell(tx, job, "warning", warning)
    tx.notify(Notice(kind="job", id=job.id))
    tx.notify(WORK)
    return job_view(tx, job.id)


def _check_fields(tx: Transaction, request: JobRequest) -> FrameRange:
    """Return the job's frames, or refuse with all fields that are wrong."""
    wrong: dict[str, object] = {}
    frames = None
    try:
        frames = parse(request.frames)
    except FrameRangeError as error:
        wrong["frames"] = str(error)
    if not request.name.strip():
        wrong["name"] = "the job needs a name"
    if (request.output.width is None) != (request.output.height is None):
        wrong["output"] = "give both width and height of the finished file, or neither"
    newest = agents.newest_blender(tx.conn)
    if newest is not None and newest < blender_number(*request.blender):
        have = ".".join(str(part) for part in blender_version(newest))
        saved = ".".join(str(part) for part in request.blender)
        wrong["blender"] = (
            f"the file was saved by Blender {saved}, and the newest one on the farm is {have};"
            f" install Blender {saved} or newer on an agent, or save the file with Blender {have}"
        )
    if wrong or frames is None:
        raise Refused(ErrorCode.INVALID, "; ".join(str(problem) for problem in wrong.values()), wrong)
    return frames


def _output(request: JobRequest) -> OutputSpec:
    # ffmpeg cannot know the scene's view transform: a video of OpenEXR frames is made of what Blender shows of them.
    if request.video and request.output.format == ImageFormat.OPEN_EXR:
        return msgspec.structs.replace(request.output, display=True)
    return request.output
