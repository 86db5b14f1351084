"""Submitting a job: everything is checked before anything is kept."""

import msgspec
from msgspec import UNSET

from coordinator.db import chunks, dependencies, jobs, packs, users
from coordinator.db.engine import WORK, Notice, Transaction
from coordinator.domain.carving import Span
from coordinator.domain.costs import CostProfile
from coordinator.domain.frame_range import FrameRange, FrameRangeError, parse
from coordinator.domain.model import ChunkState, Job, JobState, SoundState
from coordinator.domain.searching import search_text
from coordinator.domain.transitions import NEW, check
from coordinator.domain.versions import blender_number, blender_version
from coordinator.protocol import ErrorCode, OutputSpec, RenderSpec
from coordinator.services.assets import check_complete
from coordinator.services.changes import check_chunk, tell
from coordinator.services.dependencies import lock_all
from coordinator.services.errors import Refused
from coordinator.services.inspections import too_new
from coordinator.services.schemas import JobRequest, JobView, NeedsRequest, RerenderRequest
from coordinator.services.shares import join
from coordinator.services.unserved import cannot_run, once_served
from coordinator.services.views import job_view, known_job

#: What a submission itself may warn of.
_NO_VIDEO = "There is no sound without a video, so none is mixed."
_GAPS = "The video is silent: sound needs consecutive frames, and this range has gaps."


class _MainFile(msgspec.Struct, frozen=True):
    """What is read of a manifest."""

    main: str = ""


def submit(tx: Transaction, request: JobRequest, by: str) -> JobView:
    """Create a job as one chunk and return it; ``by`` is who submits it.

    A submission that has made its job is answered with that job.

    Raises:
        Refused: INVALID, with every refused field; NOT_FOUND, no such pack; MISSING_BLOBS.
    """
    if request.submission is not None:
        made = jobs.of_submission(tx.conn, request.submission)
        if made is not None:
            return job_view(tx, made)
    frames = _check_fields(tx, request)
    _check_scripts(tx, request, by)
    check_complete(tx, request.pack)
    blocked = any(job.state != JobState.COMPLETED for job in lock_all(tx, request.after))
    warnings = list(dict.fromkeys(request.warnings))
    sound = _sound(request, frames, warnings)
    needs = msgspec.json.encode(with_sandbox(request.needs, request.render)).decode()
    if (problem := cannot_run(tx, needs, blender_number(*request.blender))) is not None:
        warnings.append(problem)
    output = _output(request)
    state = JobState.BLOCKED if blocked else JobState.QUEUED
    check("job", request.name, NEW, state, list)
    join(tx, by)
    job = jobs.insert_job(
        tx.conn,
        name=request.name.strip(),
        pack_id=request.pack,
        frames=str(frames),
        frame_count=len(frames),
        state=state,
        priority=request.priority,
        min_blender=blender_number(*request.blender),
        needs=needs,
        ram_needed=0,
        vram_needed=0,
        max_slots=request.max_slots,
        chunk_frames=request.chunk_frames,
        target_seconds=request.target_seconds,
        hedge=request.hedge,
        first_look=request.first_look,
        looks=0,
        stop_after=request.stop_after,
        stop_on_missing=request.stop_on_missing,
        cpu_fallback=request.cpu_fallback,
        max_retries=request.max_retries,
        video=request.video,
        render=msgspec.json.encode(request.render).decode(),
        output=msgspec.json.encode(output).decode(),
        warnings=tuple(warnings),
        submission=request.submission,
        created_by=by,
        notify=tuple(dict.fromkeys(request.notify)),
        search=search_text(request.name, by, _main_file(tx, request.pack)),
        created_at=tx.now,
        finished=0,
        failed=0,
        blank=0,
        doubtful=0,
        whole_failures=0,
        costs=_expected_costs(tx, request, output, len(frames), by).encode(),
        pending=0 if blocked else len(frames),
        slots=0,
        speed=0.0,
        vtime=tx.board.job_floor(by),
        sound_state=SoundState.WANTED if sound else SoundState.NONE,
        sound_failures=0,
        stitch_claims=0,
        keep=False,
    )
    tx.changed_jobs[job.id] = job
    if request.after:
        dependencies.insert_dependencies(tx.conn, job.id, sorted(set(request.after)))
    chunk_state = ChunkState.HELD if blocked else ChunkState.PENDING
    check_chunk(tx, job, NEW, chunk_state)
    chunks.insert_chunk(tx.conn, job, Span(frames.first, frames.last, len(frames)), chunk_state)
    tell(tx, job, "submitted", f"Submitted by {by}: {len(frames)} frames ({frames}).", {"by": by, "state": state})
    for warning in warnings:
        tell(tx, job, "warning", warning)
    tx.notify(Notice(kind="job", id=job.id))
    if not blocked:
        tx.notify(WORK)
    return job_view(tx, job.id)


def rerender(tx: Transaction, job_id: int, request: RerenderRequest, by: str) -> JobView:
    """Create a job of a former one's pack, with what the request names done differently, and return it.

    Raises:
        Refused: as :func:`submit`; FILES_GONE.
    """
    job = known_job(tx, job_id)
    if job.files_swept_at is not None and (not packs.hold(tx.conn, job.pack_id) or packs.missing(tx.conn, job.pack_id)):
        raise Refused(
            ErrorCode.FILES_GONE,
            f"the scene of job {job_id} was removed on {job.files_swept_at:%Y-%m-%d}, with the job's other files:"
            " open it in Blender and submit it again",
        )
    was = _request_of(job)
    changes = {
        name: value for name in RerenderRequest.__struct_fields__ if (value := getattr(request, name)) is not UNSET
    }
    asked = msgspec.structs.replace(was, **changes)
    if request.output is UNSET and _size_of(asked.render) != _size_of(was.render):
        # How large the frames will be only the scene can tell.
        asked = msgspec.structs.replace(asked, output=msgspec.structs.replace(was.output, width=None, height=None))
    if request.sound is UNSET and not asked.video:
        asked = msgspec.structs.replace(asked, sound=False)
    return submit(tx, asked, by)


def with_sandbox(needs: NeedsRequest, render: RenderSpec) -> NeedsRequest:
    """Return the needs of a job that renders so: what runs a stranger's Python must be shut in."""
    return msgspec.structs.replace(needs, sandbox=True) if render.allow_scripts else needs


def check_needs(needs: NeedsRequest, min_blender: int) -> None:
    """Refuse what no agent could ever meet.

    Raises:
        Refused: INVALID.
    """
    if needs.max_blender is not None and blender_number(*needs.max_blender) < min_blender:
        problem = (
            f"the newest Blender that may render it is {_dotted(needs.max_blender)},"
            f" and the file was saved by {_dotted(blender_version(min_blender))}, which older ones cannot open"
        )
        raise Refused(ErrorCode.INVALID, problem, {"needs.max_blender": problem})


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
    if (problem := too_new(tx, request.blender)) is not None:
        wrong["blender"] = problem
    if wrong or frames is None:
        raise Refused(ErrorCode.INVALID, "; ".join(str(problem) for problem in wrong.values()), wrong)
    check_needs(request.needs, blender_number(*request.blender))
    return frames


def _check_scripts(tx: Transaction, request: JobRequest, by: str) -> None:
    if not request.render.allow_scripts:
        return
    user = users.get(tx.conn, by)
    if user is None or not user.scripts:
        problem = (
            f"jobs of {by} may not run the Python in their files; submit it without allow_scripts,"
            f" or have whoever runs the farm allow it (renderfarm allow-scripts {by})"
        )
        raise Refused(ErrorCode.INVALID, problem, {"render.allow_scripts": problem})


def _main_file(tx: Transaction, pack_id: str) -> str:
    """Return the name of the file that is rendered, without its folders."""
    manifest = packs.manifest(tx.conn, pack_id)
    return "" if manifest is None else msgspec.json.decode(manifest, type=_MainFile).main.rpartition("/")[2]


def _sound(request: JobRequest, frames: FrameRange, warnings: list[str]) -> bool:
    """Tell whether sound is mixed; where it was asked for in vain, a warning says why there is none."""
    if not request.sound:
        return False
    if not request.video:
        warnings.append(_NO_VIDEO)
        return False
    if not frames.consecutive:
        warnings.append(_GAPS)
        return False
    return True


def _expected_costs(tx: Transaction, request: JobRequest, output: OutputSpec, frame_count: int, by: str) -> CostProfile:
    """Return what the frames are expected to cost, by those of a job before."""
    nothing_known = CostProfile.empty(frame_count)
    before = jobs.rendered_before(tx.conn, request.pack, by)
    if before is None:
        return nothing_known
    scale = 1.0
    if before.width and before.height and output.width and output.height:
        scale *= (output.width * output.height) / (before.width * before.height)
    samples = msgspec.json.decode(before.render, type=RenderSpec).samples
    if samples and request.render.samples:
        scale *= request.render.samples / samples
    return nothing_known.with_prior(CostProfile.decode(before.costs), scale)


def _output(request: JobRequest) -> OutputSpec:
    # ffmpeg cannot know the scene's view transform: a video of OpenEXR frames is made of what Blender shows of them.
    if request.video and request.output.format.is_exr:
        return msgspec.structs.replace(request.output, display=True)
    return request.output


def _request_of(job: Job) -> JobRequest:
    """Return the request that would make such a job; it waits for no other one.

    It warns of what its scene and its agents were warned of; what is warned of here is looked at again.
    """
    return JobRequest(
        name=job.name,
        pack=job.pack_id,
        frames=job.frames,
        blender=blender_version(job.min_blender),
        render=msgspec.json.decode(job.render, type=RenderSpec),
        output=msgspec.json.decode(job.output, type=OutputSpec),
        priority=job.priority,
        needs=msgspec.json.decode(job.needs, type=NeedsRequest),
        max_slots=job.max_slots,
        chunk_frames=job.chunk_frames,
        target_seconds=job.target_seconds,
        hedge=job.hedge,
        first_look=job.first_look,
        stop_after=job.stop_after,
        stop_on_missing=job.stop_on_missing,
        cpu_fallback=job.cpu_fallback,
        video=job.video,
        sound=job.sound_state != SoundState.NONE,
        max_retries=job.max_retries,
        notify=list(job.notify),
        warnings=[it for it in once_served(job.warnings) if it not in (_NO_VIDEO, _GAPS)],
    )


def _size_of(render: RenderSpec) -> tuple[object, object]:
    return render.resolution, render.percentage


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
