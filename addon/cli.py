"""The terminal's commands: submit, follow and fetch jobs here.

Jobs and users are steered in :mod:`addon.farm_cli`, the machines in
:mod:`addon.agents_cli`, and what the farm keeps in :mod:`addon.storage_cli`.

They are a client of the public API like the add-on, and submit with the add-on's own code.
"""

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import agents_cli, farm_cli, storage_cli
from .digest_cache import usual_place
from .farm_cli import DEVICES
from .submission import FORMATS, Overrides
from .terminal import (
    FAILED,
    INTERRUPTED,
    Failure,
    Terminal,
    failure_line,
    farm_command,
    progress_bar,
    spinner,
    time_left,
)
from .wording import counted

# Every command of renderfarm waits for this module: what takes time to import is imported where it is needed.
if TYPE_CHECKING:
    from .uploader import Submission

#: Seconds between two looks at a job, and how long the coordinator may be away while one is waited for.
LOOK_SECONDS, PATIENCE_SECONDS = 0.5, 600.0

_ENDED = ("completed", "failed", "cancelled")
_FORMAT_NAMES = {"JPG": "JPEG", "EXR": "OPEN_EXR", "OPENEXR": "OPEN_EXR", "MULTILAYER": "OPEN_EXR_MULTILAYER"}


def _resolution(_context: click.Context, _option: click.Parameter, text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    width, _, height = text.lower().partition("x")
    if width.isdecimal() and height.isdecimal() and 1 <= int(width) <= 65536 and 1 <= int(height) <= 65536:
        return int(width), int(height)
    raise click.BadParameter(f"“{text}” is no resolution; write for example 640x360.")


def _format(_context: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    if text is None:
        return None
    chosen = _FORMAT_NAMES.get(text.upper(), text.upper())
    if chosen not in FORMATS:
        raise click.BadParameter(f"the farm does not write {text}; choose one of {', '.join(FORMATS)}.")
    return chosen


@farm_command
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--scene", help="The scene to render, if not the active one.")
@click.option("--frames", help="Such as 1-10, 1,3,5-9 or 1-100:5, if not the scene's own range.")
@click.option("--samples", type=click.IntRange(1, 1_000_000), help="Samples a pixel.")
@click.option("--resolution", callback=_resolution, metavar="WIDTHxHEIGHT", help="Pixels, before the percentage.")
@click.option("--percent", type=click.IntRange(1, 1000), help="Percentage of the resolution.")
@click.option("--engine", help="CYCLES, EEVEE or WORKBENCH.")
@click.option("--format", "file_format", callback=_format, metavar="|".join(FORMATS), help="File format of the frames.")
@click.option("--video/--no-video", default=None, help="Make an MP4 [default: of more than one frame].")
@click.option("--sound/--no-sound", default=None, help="Give the video the scene's sound [default: if it has any].")
@click.option("--camera", help="The camera to render through, if not the scene's own.")
@click.option("--scripts", "allow_scripts", is_flag=True, help="Run the Python in the file; you must be allowed to.")
@click.option("--priority", type=click.IntRange(0, 100), default=50, show_default=True, help="Higher first.")
@click.option("--name", help="The job's name, if not the file's.")
@click.option("--tag", "tags", multiple=True, help="Only agents with this tag; may be repeated.")
@click.option("--pool", help="Only agents of this pool.")
@click.option("--device", type=DEVICES, help="What renders it; GPU is any graphics card.")
@click.option("--max-slots", type=click.IntRange(1), help="No more slots at once.")
@click.option("--chunk", "chunk_frames", type=click.IntRange(1, 10_000), help="Frames to a lease [default: fitted].")
@click.option("--first-look", is_flag=True, help="Begin with the first, the middle and the last frame.")
@click.option("--stop-on-missing", is_flag=True, help="Give up when files are missing instead of going on without.")
@click.option("--cpu-fallback", is_flag=True, help="Render on processors what fits into no graphics card.")
@click.option(
    "--after", type=int, multiple=True, metavar="JOB", help="Begin when this job is completed; may be repeated."
)
@click.option(
    "--notify", multiple=True, metavar="ADDRESS", help="E-mail this person when the job has ended; may be repeated."
)
@click.option("--blender", envvar="RENDERFARM_BLENDER", help="The Blender that reads the file: a path, or bpy.")
@click.option("--wait", is_flag=True, help="Wait until the job has ended.")
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), help="Wait, and fetch the result to here.")
def submit(
    terminal: Terminal,
    file: Path,
    scene: str | None,
    percent: int | None,
    engine: str | None,
    file_format: str | None,
    tags: tuple[str, ...],
    pool: str | None,
    device: str | None,
    max_slots: int | None,
    chunk_frames: int | None,
    first_look: bool,
    stop_on_missing: bool,
    cpu_fallback: bool,
    after: tuple[int, ...],
    notify: tuple[str, ...],
    blender: str | None,
    wait: bool,
    output: Path | None,
    **choices: Any,
) -> None:
    """Submit FILE (a .blend) to the farm.

    Ends with 0 when the job was submitted; with --wait, only when it completed.
    """
    schedule = {
        "needs": {"tags": tags, "pool": pool, "device": device},
        "max_slots": max_slots,
        "chunk_frames": chunk_frames,
        "first_look": first_look,
        "stop_on_missing": stop_on_missing,
        "cpu_fallback": cpu_fallback,
        "after": after,
        "notify": notify,
    }
    overrides = Overrides(
        percentage=percent, engine=engine.upper() if engine else None, format=file_format, farm=schedule, **choices
    )
    job = _send(terminal, file, scene, overrides, blender)
    if wait or output is not None:
        terminal.say(f"Submitted “{job['name']}” as job {job['id']}.")
        _finish(terminal, job["id"], output)
    else:
        terminal.answer(job, f"Submitted “{job['name']}” as job {job['id']}; follow it: renderfarm wait {job['id']}")


def _send(
    terminal: Terminal,
    file: Path,
    scene: str | None,
    overrides: Overrides,
    blender: str | None,
) -> dict[str, Any]:
    """Submit the file; cheap checks first, so that a slip costs no waiting."""
    from . import blend_header, farm_facts, inspection, pack_plan, preflight, submission, uploader

    header = blend_header.read_header(file)
    farm = farm_facts.read_facts(terminal.client)
    if overrides.farm.get("notify") and not farm.sends_mail:
        raise Failure(
            "This farm sends no e-mail, so --notify is of no use; whoever runs it can set RENDERFARM_SMTP_HOST."
        )
    with spinner(f"Reading {file.name}"):
        found = inspection.inspect(file, header, scene, inspection.find_blender(blender))
    snapshot = found.snapshot
    problems = preflight.check(snapshot, found.dependencies, overrides, farm)
    errors = [problem for problem in problems if problem.severity is preflight.Severity.ERROR]
    if errors:
        raise Failure("\n".join(map(str, errors)))
    for problem in problems:
        terminal.say(f"{problem.severity.capitalize()}: {problem}")
    request = submission.build_request(
        snapshot,
        overrides,
        blender=snapshot.file_version,
        warnings=[str(problem) for problem in problems if problem.severity is preflight.Severity.WARNING],
    )
    # Nothing has to be changed in the file, so it is sent as it is, whatever Blender saved it.
    plan = pack_plan.plan_pack(snapshot.blend_path, snapshot.blend_path, found.dependencies)
    sending = uploader.Submission(terminal.client, plan, request, digests=usual_place())
    sending.start()
    try:
        _show_upload(sending)
    except KeyboardInterrupt:
        sending.cancel()
        sending.wait()
        if sending.job is None and sending.error is None:
            terminal.say("No job was made; submitting again goes on where this stopped.")
            sys.exit(INTERRUPTED)
    if sending.error is not None:
        raise sending.error
    if sending.job is None:
        raise Failure("The submission was cancelled.")
    for warning in sending.job["warnings"]:
        if warning not in request["warnings"]:
            terminal.say(f"Warning: {warning}")
    return sending.job


@farm_command
@click.argument("job_id", metavar="JOB", type=int)
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), help="Fetch the result to this folder.")
def wait(terminal: Terminal, job_id: int, output: Path | None) -> None:
    """Wait until a job has ended; ends with 0 only if it completed."""
    _finish(terminal, job_id, output)


@farm_command
@click.argument("job_id", metavar="JOB", type=int)
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False), help="The folder to fetch to  [default: job-JOB]."
)
def download(terminal: Terminal, job_id: int, output: Path | None) -> None:
    """Fetch a job's finished frames and its video; what is there already is not fetched again."""
    folder = output or Path(f"job-{job_id}")
    count = _fetch(terminal, job_id, folder)
    answer = {"job": job_id, "output": str(folder), "files": count}
    terminal.answer(answer, f"{folder} has the job's {counted(count, 'file')}.")


COMMANDS: dict[str, list[click.Command]] = {
    "Jobs": [submit, wait, download, *farm_cli.JOBS],
    "Agents": agents_cli.COMMANDS,
    "Users": farm_cli.USERS,
    "Storage": storage_cli.COMMANDS,
}


def _finish(terminal: Terminal, job_id: int, output: Path | None) -> None:
    """Wait for a job's end, fetch what it made if asked to, and fail unless it completed."""
    try:
        job = _follow(terminal, job_id)
        if output is not None:
            _fetch(terminal, job_id, output)
    except KeyboardInterrupt:
        terminal.say(f"Job {job_id} goes on without you; to stop it: renderfarm cancel {job_id}")
        sys.exit(INTERRUPTED)
    if job["state"] == "completed":
        where = f"; its files are in {output}" if output is not None else ""
        terminal.answer(job, f"Job {job_id} is completed{where}.")
        return
    if terminal.as_json:
        click.echo(json.dumps(job))
    failures = [failure_line(failure) for failure in job["failures"][:10]]
    reason = f": {job['reason']}" if job["reason"] else "."
    terminal.say("\n".join([f"Job {job_id} is {job['state']}{reason}", *failures]))
    sys.exit(FAILED)


def _follow(terminal: Terminal, job_id: int) -> dict[str, Any]:
    """Show a job's progress until it has ended; return it."""
    from .client import FarmError

    job = terminal.client.job(job_id)
    with progress_bar() as bar:
        task = bar.add_task(_state_of(job), total=1.0, detail="")
        last_answer = time.monotonic()
        while True:
            left = time_left(job)
            detail = f"{job['finished']}/{job['frame_count']} frames{f', {left} left' if left else ''}"
            if waiting := job.get("waiting"):
                detail += f"; {waiting}"
            bar.update(task, completed=job["progress"], description=_state_of(job), detail=detail)
            if job["state"] in _ENDED:
                return job
            time.sleep(LOOK_SECONDS)
            try:
                job = terminal.client.job(job_id)
                last_answer = time.monotonic()
            except FarmError as error:
                # The farm renders on while the coordinator is started again.
                if not error.passing or time.monotonic() - last_answer > PATIENCE_SECONDS:
                    raise
                bar.update(task, description="The coordinator does not answer")


def _fetch(terminal: Terminal, job_id: int, folder: Path) -> int:
    """Fetch a job's files, showing how far it is; return how many they are."""
    from .results import fetch_job

    with progress_bar() as bar:
        task = bar.add_task("Fetching", total=1.0, detail="")
        return fetch_job(
            terminal.client,
            job_id,
            folder,
            lambda message, fraction: bar.update(task, completed=fraction, description=message),
        )


def _show_upload(sending: "Submission") -> None:
    """Show a submission's progress until it has ended."""
    with progress_bar() as bar:
        task = bar.add_task("Reading", total=1.0, detail="")
        while not sending.wait(0.1):
            progress = sending.progress()
            size = (
                f"{progress.done_bytes / 1e6:.1f}/{progress.total_bytes / 1e6:.1f} MB" if progress.total_bytes else ""
            )
            bar.update(task, completed=progress.fraction, description=progress.message, detail=size)


def _state_of(job: Mapping[str, Any]) -> str:
    return f"Job {job['id']} is {job['state']}"
