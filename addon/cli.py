"""The terminal's side of the farm: submit, follow, fetch and cancel jobs.

It is a client of the public API like the add-on, and submits with the add-on's own code.  What people read goes to
standard error; with ``--json`` standard output carries one JSON object.
"""

import functools
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .submission import FORMATS, Overrides

# Every command of renderfarm waits for this module: what takes time to import is imported where it is needed.
if TYPE_CHECKING:
    from rich.progress import Progress
    from rich.status import Status

    from .client import FarmClient
    from .uploader import Submission

#: Exit codes beside 0 and click's own (2 for a misused command line).
FAILED, INTERRUPTED = 1, 130

#: Seconds between two looks at a job, and how long the coordinator may be away while one is waited for.
LOOK_SECONDS, PATIENCE_SECONDS = 0.5, 600.0

_ENDED = ("completed", "failed", "cancelled")
_FORMAT_NAMES = {"JPG": "JPEG", "EXR": "OPEN_EXR", "OPENEXR": "OPEN_EXR"}


@dataclass(frozen=True)
class Terminal:
    """What every command needs: the farm, and where to print."""

    client: "FarmClient"
    as_json: bool

    def say(self, text: str) -> None:
        """Print for a person."""
        click.echo(text, err=True)

    def answer(self, result: Mapping[str, Any], text: str) -> None:
        """Print the command's result."""
        click.echo(json.dumps(result) if self.as_json else text)


class Failure(click.ClickException):
    """The command failed; the message is for people."""

    exit_code = FAILED


def farm_command(function: Callable[..., None]) -> click.Command:
    """Make a command that talks to the farm: with its address and token, ``--json``, and errors in sentences."""

    @click.option(
        "--coordinator",
        envvar="RENDERFARM_COORDINATOR",
        default="http://127.0.0.1:8420",
        show_default=True,
        help="The coordinator's address.",
    )
    @click.option("--token", envvar="RENDERFARM_TOKEN", default="", help="An admin token (rf_admin_…).")
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
    @functools.wraps(function)
    def command(coordinator: str, token: str, as_json: bool, **arguments: Any) -> None:
        from .client import FarmClient

        with _explaining(as_json):
            if not token.strip():
                raise Failure("There is no token: set RENDERFARM_TOKEN or --token to an admin token of the farm.")
            with FarmClient(coordinator, token) as client:
                function(Terminal(client, as_json), **arguments)

    return click.command()(command)


@contextmanager
def _explaining(as_json: bool) -> Iterator[None]:
    """Turn what went wrong into one message and an exit code, with ``--json`` on standard output too."""
    from .blend_header import NotABlendError
    from .client import FarmError
    from .inspection import InspectionError
    from .pack_plan import PackError

    try:
        yield
    except KeyboardInterrupt:
        click.echo("Interrupted.", err=True)
        sys.exit(INTERRUPTED)
    except (FarmError, NotABlendError, InspectionError, PackError, Failure) as error:
        message = error.message if isinstance(error, Failure) else _with_fields(error)
        if as_json:
            code = getattr(error, "code", "failed")
            click.echo(json.dumps({"error": {"code": code, "message": message}}))
        raise Failure(message) from error


def _with_fields(error: Exception) -> str:
    """Return an error's text with the refused fields that it does not name itself."""
    text = str(error)
    fields = getattr(error, "fields", {}) if getattr(error, "code", "") == "invalid" else {}
    reasons = {name: reason for name, reason in fields.items() if isinstance(reason, str)}
    return " ".join(
        [text, *(f"{name}: {reason}" for name, reason in reasons.items() if reason.lower() not in text.lower())]
    )


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
@click.option("--priority", type=click.IntRange(0, 100), default=50, show_default=True, help="Higher first.")
@click.option("--name", help="The job's name, if not the file's.")
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
    blender: str | None,
    wait: bool,
    output: Path | None,
    **choices: Any,
) -> None:
    """Submit FILE (a .blend) to the farm.

    Ends with 0 when the job was submitted; with --wait, only when it completed.
    """
    overrides = Overrides(percentage=percent, engine=engine.upper() if engine else None, format=file_format, **choices)
    job = _send(terminal, file, scene, overrides, blender)
    if wait or output is not None:
        terminal.say(f"Submitted “{job['name']}” as job {job['id']}.")
        _finish(terminal, job["id"], output)
    else:
        terminal.answer(job, f"Submitted “{job['name']}” as job {job['id']}; follow it: renderfarm wait {job['id']}")


def _send(
    terminal: Terminal, file: Path, scene: str | None, overrides: Overrides, blender: str | None
) -> dict[str, Any]:
    """Submit the file; the cheap checks come first, so that a slip costs no waiting."""
    from . import blend_header, inspection, pack_plan, preflight, submission, uploader

    header = blend_header.read_header(file)
    terminal.client.check()
    with _spinner(f"Reading {file.name}"):
        found = inspection.inspect(file, header, scene, inspection.find_blender(blender))
    snapshot = found.snapshot
    problems = preflight.check(snapshot, found.dependencies, overrides)
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
    sending = uploader.Submission(terminal.client, plan, request)
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
@click.option("--state", "states", multiple=True, help="Only jobs in this state; may be repeated.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="At most this many.")
def jobs(terminal: Terminal, states: tuple[str, ...], limit: int) -> None:
    """List the newest jobs."""
    items = terminal.client.jobs(states=states, limit=limit)
    lines = [f"{'job':>6}  {'state':<10}  {'frames':>13}  {'left':>8}  name"]
    for job in items:
        frames = f"{job['finished']}/{job['frame_count']}"
        lines.append(f"{job['id']:>6}  {job['state']:<10}  {frames:>13}  {_left(job) or '':>8}  {job['name']}")
    terminal.answer({"items": items}, "\n".join(lines) if items else "There are no jobs.")


@farm_command
@click.argument("job_id", metavar="JOB", type=int)
@click.option("--frames", "with_frames", is_flag=True, help="List the frames that have ended too.")
def show(terminal: Terminal, job_id: int, with_frames: bool) -> None:
    """Show how a job is doing."""
    job = terminal.client.job(job_id)
    frames = list(terminal.client.frames(job_id)) if with_frames else None
    left = _left(job)
    lines = [
        f"Job {job['id']}: {job['name']}",
        f"{job['state']}{f', {left} left' if left else ''}; {job['finished']} of {job['frame_count']} frames finished",
        *([job["reason"]] if job["reason"] else []),
        *(f"Warning: {warning}" for warning in job["warnings"]),
        *(_failure_line(failure) for failure in job["failures"]),
        *(f"{slot['agent']}/{slot['slot']}: {slot['stage']} frame {slot['frame']}" for slot in job["slots"]),
        *(f"{frame['frame']:>8}  {frame['state']}  {frame['filename'] or frame['reason']}" for frame in frames or ()),
    ]
    terminal.answer(job if frames is None else {**job, "frames": frames}, "\n".join(lines))


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
    terminal.answer({"job": job_id, "output": str(folder), "files": count}, f"{folder} has the job's {count} files.")


@farm_command
@click.argument("job_id", metavar="JOB", type=int)
def cancel(terminal: Terminal, job_id: int) -> None:
    """Cancel a job; its finished frames are kept."""
    job = terminal.client.cancel(job_id)
    terminal.answer(job, f"Job {job_id} is cancelled.")


COMMANDS: list[click.Command] = [submit, jobs, show, wait, download, cancel]


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
    failures = [_failure_line(failure) for failure in job["failures"][:10]]
    reason = f": {job['reason']}" if job["reason"] else "."
    terminal.say("\n".join([f"Job {job_id} is {job['state']}{reason}", *failures]))
    sys.exit(FAILED)


def _follow(terminal: Terminal, job_id: int) -> dict[str, Any]:
    """Show a job's progress until it has ended; return it."""
    from .client import FarmError

    job = terminal.client.job(job_id)
    with _bar() as bar:
        task = bar.add_task(_state_of(job), total=1.0, detail="")
        last_answer = time.monotonic()
        while True:
            left = _left(job)
            detail = f"{job['finished']}/{job['frame_count']} frames{f', {left} left' if left else ''}"
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

    with _bar() as bar:
        task = bar.add_task("Fetching", total=1.0, detail="")
        return fetch_job(
            terminal.client,
            job_id,
            folder,
            lambda message, fraction: bar.update(task, completed=fraction, description=message),
        )


def _show_upload(sending: "Submission") -> None:
    """Show a submission's progress until it has ended."""
    with _bar() as bar:
        task = bar.add_task("Reading", total=1.0, detail="")
        while not sending.wait(0.1):
            progress = sending.progress()
            size = (
                f"{progress.done_bytes / 1e6:.1f}/{progress.total_bytes / 1e6:.1f} MB" if progress.total_bytes else ""
            )
            bar.update(task, completed=progress.fraction, description=progress.message, detail=size)


def _bar() -> "Progress":
    """Return a progress bar on standard error; where that is no terminal it shows nothing."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[detail]}", markup=False),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


def _spinner(text: str) -> "Status":
    from rich.console import Console
    from rich.text import Text

    return Console(stderr=True).status(Text(text))


def _state_of(job: Mapping[str, Any]) -> str:
    return f"Job {job['id']} is {job['state']}"


def _left(job: Mapping[str, Any]) -> str | None:
    """Return the time a job will still take, as people say it."""
    seconds = job["eta_seconds"]
    return None if seconds is None else str(timedelta(seconds=round(seconds)))


def _failure_line(failure: Mapping[str, Any]) -> str:
    what = "The job" if failure["frame"] is None else f"Frame {failure['frame']}"
    return f"{what} failed {failure['attempts']} times: {failure['reason']}"
