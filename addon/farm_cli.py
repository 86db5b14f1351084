"""Steering the farm from the terminal: look at jobs, pause, requeue and change them; users."""

import json
import secrets
import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import click

from .terminal import FAILED, Failure, Terminal, failure_line, farm_command, time_left

DEVICES = click.Choice(["GPU", "CPU", "CUDA", "OPTIX", "HIP", "ONEAPI", "METAL"], case_sensitive=False)

#: What takes a limit or a need away.
_NONE = "none"


def _limit(_context: click.Context, _option: click.Parameter, text: str | None) -> int | str | None:
    if text is None or text == _NONE:
        return text
    if text.isdecimal() and 1 <= int(text) <= 1_000_000:
        return int(text)
    raise click.BadParameter(
        f"“{text}” is no number of slots; write for example 4, or {_NONE} for as many as there are."
    )


@farm_command
@click.option("--state", "states", multiple=True, help="Only jobs in this state; may be repeated.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="At most this many.")
def jobs(terminal: Terminal, states: tuple[str, ...], limit: int) -> None:
    """List the newest jobs."""
    items = terminal.client.jobs(states=states, limit=limit)
    lines = [f"{'job':>6}  {'state':<10}  {'frames':>13}  {'left':>8}  name"]
    for job in items:
        frames = f"{job['finished']}/{job['frame_count']}"
        lines.append(f"{job['id']:>6}  {job['state']:<10}  {frames:>13}  {time_left(job) or '':>8}  {job['name']}")
    terminal.answer({"items": items}, "\n".join(lines) if items else "There are no jobs.")


def _frame_line(frame: Mapping[str, Any]) -> str:
    doubt = f"  {frame['doubt']}" if frame.get("doubt") else ""
    return f"{frame['frame']:>8}  {frame['state']}  {frame['filename'] or frame['reason']}{doubt}"


def _cost_line(cost: Mapping[str, Any]) -> str:
    seconds, on_cards = (timedelta(seconds=round(cost[name])) for name in ("seconds", "gpu_seconds"))
    line = f"{cost['frames']} frames took {seconds}, {on_cards} of it on graphics cards"
    if not cost["energy_frames"]:
        return line
    return f"{line}, which used {cost['energy_joules'] / 3_600_000:.3g} kWh for {cost['energy_frames']} of the frames"


@farm_command
@click.argument("job_id", metavar="JOB", type=int)
@click.option("--frames", "with_frames", is_flag=True, help="List the frames that have ended too.")
@click.option("--cost", "with_cost", is_flag=True, help="Tell what its frames took: time, and energy of cards.")
def show(terminal: Terminal, job_id: int, with_frames: bool, with_cost: bool) -> None:
    """Show how a job is doing."""
    job = terminal.client.job(job_id)
    more: dict[str, Any] = {"frames": list(terminal.client.frames(job_id))} if with_frames else {}
    if with_cost:
        more["cost"] = terminal.client.cost(job_id)
    left = time_left(job)
    lines = [
        f"Job {job['id']}: {job['name']}",
        f"{job['state']}{f', {left} left' if left else ''}; {job['finished']} of {job['frame_count']} frames finished",
        *(sentence for sentence in (job["reason"], job.get("waiting")) if sentence),
        *(f"Warning: {warning}" for warning in job["warnings"]),
        *(f"Look at frame {doubt['frame']}: {doubt['doubt']}" for doubt in job["doubts"]),
        *(failure_line(failure) for failure in job["failures"]),
        *(f"{slot['agent']}/{slot['slot']}: {slot['stage']} frame {slot['frame']}" for slot in job["slots"]),
        *([_cost_line(more["cost"])] if with_cost else []),
        *map(_frame_line, more.get("frames", ())),
    ]
    terminal.answer({**job, **more}, "\n".join(lines))


@farm_command
@click.argument("job_id", metavar="JOB", type=int)
def cancel(terminal: Terminal, job_id: int) -> None:
    """Cancel a job; its finished frames are kept."""
    job = terminal.client.cancel(job_id)
    terminal.answer(job, f"Job {job_id} is cancelled.")


@farm_command
@click.argument("job_id", metavar="JOB", type=int)
def pause(terminal: Terminal, job_id: int) -> None:
    """Pause a job: the frames being rendered are finished, and no other one is begun."""
    job = terminal.client.pause(job_id)
    terminal.answer(job, f"Job {job_id} is {job['state']}; to have it go on: renderfarm resume {job_id}")


@farm_command
@click.argument("job_id", metavar="JOB", type=int)
def resume(terminal: Terminal, job_id: int) -> None:
    """Have a paused job go on."""
    terminal.answer(terminal.client.resume(job_id), f"Job {job_id} goes on.")


@farm_command
@click.argument("job_id", metavar="JOB", type=int)
@click.option("--frames", help="Such as 1-10 or 1,3,5-9.")
@click.option("--failed", is_flag=True, help="All that failed [default].")
def requeue(terminal: Terminal, job_id: int, frames: str | None, failed: bool) -> None:
    """Render frames of a job again; a job that has ended goes on."""
    if failed and frames is not None:
        raise click.UsageError("Name frames with --frames, or choose all that failed with --failed, not both.")
    job = terminal.client.requeue(job_id, frames)
    open_frames = job["frame_count"] - job["finished"] - job["failed"]
    terminal.answer(
        job, f"Job {job_id} is {job['state']}, with {open_frames} of {job['frame_count']} frames to render."
    )


@farm_command
@click.argument("job_id", metavar="JOB", type=int)
@click.option("--name", help="Another name.")
@click.option("--priority", type=click.IntRange(0, 100), help="Higher first.")
@click.option("--frames", help="The frames it shall have: add some, or cut some off.")
@click.option("--max-slots", callback=_limit, metavar="N|none", help="No more slots at once.")
@click.option("--hedge/--no-hedge", default=None, help="Whether a second slot may render a frame that takes too long.")
@click.option("--tag", "tags", multiple=True, metavar="TAG|none", help="Only agents with these tags; may be repeated.")
@click.option("--pool", metavar="POOL|none", help="Only agents of this pool.")
@click.option("--device", metavar="DEVICE|none", help="What renders it: GPU, CPU, CUDA, OPTIX, HIP, ONEAPI or METAL.")
def set_(
    terminal: Terminal, job_id: int, tags: tuple[str, ...], pool: str | None, device: str | None, **others: Any
) -> None:
    """Change a job while it goes on; “none” takes a limit or a need away."""
    changes = {name: value for name, value in others.items() if value is not None}
    if changes.get("max_slots") == _NONE:
        changes["max_slots"] = None
    needs: dict[str, Any] = {}
    if tags:
        needs["tags"] = [tag for tag in tags if tag != _NONE]
    if pool is not None:
        needs["pool"] = None if pool == _NONE else pool
    if device is not None:
        needs["device"] = None if device == _NONE else device.upper()
    if needs:
        changes["needs"] = terminal.client.job(job_id)["needs"] | needs
    if not changes:
        raise click.UsageError("There is nothing to change: say what with one of the options (see --help).")
    job = terminal.client.change(job_id, changes)
    terminal.answer(job, f"Job {job_id} is changed: {job['frames']}, priority {job['priority']}, {job['state']}.")


@farm_command
@click.argument("job_id", metavar="JOB", type=int)
@click.option("--name", help="The new job's name, if not the old one's.")
@click.option("--frames", help="Such as 1-10 or 1,3,5-9, if not those of the old job.")
@click.option("--samples", type=click.IntRange(1, 1_000_000), help="Samples a pixel.")
@click.option("--percent", "percentage", type=click.IntRange(1, 1000), help="Percentage of the resolution.")
@click.option("--engine", help="CYCLES, EEVEE or WORKBENCH.")
@click.option("--camera", help="The camera to render through.")
@click.option("--priority", type=click.IntRange(0, 100), help="Higher first.")
@click.option("--video/--no-video", default=None, help="Make an MP4.")
@click.option("--sound/--no-sound", default=None, help="Give the video the scene's sound.")
@click.option("--scripts/--no-scripts", default=None, help="Run the Python in the file.")
def rerender(
    terminal: Terminal,
    job_id: int,
    samples: int | None,
    percentage: int | None,
    engine: str | None,
    camera: str | None,
    scripts: bool | None,
    **others: Any,
) -> None:
    """Submit a job's scene again without uploading it; what is not named is as it was."""
    changes = {name: value for name, value in others.items() if value is not None}
    render = {
        "samples": samples,
        "percentage": percentage,
        "engine": engine and engine.upper(),
        "camera": camera,
        "allow_scripts": scripts,
    }
    chosen = {name: value for name, value in render.items() if value is not None}
    if chosen:
        changes["render"] = terminal.client.job(job_id)["render"] | chosen
    job = terminal.client.rerender(job_id, changes | {"submission": secrets.token_hex(16)})
    for warning in job["warnings"]:
        terminal.say(f"Warning: {warning}")
    terminal.answer(job, f"Submitted “{job['name']}” as job {job['id']}; follow it: renderfarm wait {job['id']}")


@farm_command
def users(terminal: Terminal) -> None:
    """List those who have submitted jobs, with their limits."""
    items = terminal.client.users()
    lines = [f"{'slots':>6}  {'limit':>6}  name"]
    lines += [f"{user['slots']:>6}  {user['max_slots'] or '–':>6}  {user['name']}" for user in items]
    terminal.answer({"items": items}, "\n".join(lines) if items else "No one has submitted a job yet.")


@farm_command
@click.argument("user")
@click.argument("slots", callback=_limit, metavar="N|none")
def limit(terminal: Terminal, user: str, slots: int | str) -> None:
    """Let no more than N slots work for USER at once."""
    view = terminal.client.limit_user(user, None if slots == _NONE else int(slots))
    most = "as many slots as there are" if view["max_slots"] is None else f"{view['max_slots']} slots at most"
    terminal.answer(view, f"{view['name']} may have {most}.")


@farm_command
@click.argument("user")
@click.option("--no", "forbidden", is_flag=True, help="Take the leave back.")
def allow_scripts(terminal: Terminal, user: str, forbidden: bool) -> None:
    """Let jobs of USER that ask for it run the Python in their files, on agents with a sandbox."""
    view = terminal.client.allow_scripts(user, allowed=not forbidden)
    may = "may run the Python in their files" if view["scripts"] else "may not run the Python in their files"
    terminal.answer(view, f"Jobs of {view['name']} {may}.")


@farm_command
@click.argument("address", required=False)
def notify_test(terminal: Terminal, address: str | None) -> None:
    """Send a test message now: an e-mail to ADDRESS, or, without one, a message to all webhooks of the farm.

    Ends with 0 only when all of it arrived.
    """
    if address is None and not terminal.client.notifications().get("webhooks"):
        raise Failure(
            "The farm has no webhooks (RENDERFARM_WEBHOOK_URLS); to try an e-mail: renderfarm notify-test ADDRESS"
        )
    result = terminal.client.test_notification(address)
    if result["problems"]:
        if terminal.as_json:
            click.echo(json.dumps(result))
        terminal.say("\n".join(result["problems"]))
        sys.exit(FAILED)
    to = address or ("the webhook" if result["delivered"] == 1 else f"all {result['delivered']} webhooks")
    terminal.answer(result, f"The message was delivered to {to}.")


JOBS: list[click.Command] = [jobs, show, pause, resume, cancel, requeue, set_, rerender]
USERS: list[click.Command] = [users, limit, allow_scripts, notify_test]
