"""What the farm keeps, from the terminal: look at it, keep jobs, delete them, limit what users' jobs take."""

import re
import sys
from typing import Any

import click

from .terminal import Terminal, farm_command

_NONE = "none"
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)b?", re.IGNORECASE)
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def size_of(text: str) -> int:
    """Return a number of bytes as people write it, such as 200GB.

    Raises:
        click.BadParameter: it is none.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise click.BadParameter(f"“{text}” is no size; write for example 200GB, or {_NONE} for no limit.")
    return int(float(match[1]) * _UNITS[match[2].lower()])


def shown(size: int) -> str:
    """Return a number of bytes for people."""
    for unit, name in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size / 1000:.0f} kB" if size >= 1000 else f"{size} bytes"


def _quota(_context: click.Context, _option: click.Parameter, text: str) -> int | None:
    return None if text == _NONE else size_of(text)


@farm_command
@click.argument("job_ids", metavar="JOB...", type=int, nargs=-1, required=True)
@click.option("--files-only", is_flag=True, help="Keep the record of the jobs: what they were and how they went.")
@click.option("--yes", is_flag=True, help="Do not ask first.")
def delete(terminal: Terminal, job_ids: tuple[int, ...], files_only: bool, yes: bool) -> None:
    """Delete jobs that have ended, with all their files."""
    what = "the files of " if files_only else ""
    if not (yes or terminal.as_json) and sys.stdin.isatty():
        freed = sum(terminal.client.job_storage(job_id)["freed_bytes"] for job_id in job_ids)
        names = ", ".join(map(str, job_ids))
        click.confirm(f"Delete {what}job {names}? That frees {shown(freed)} and cannot be undone.", abort=True)
    items: list[dict[str, Any]] = []
    for job_id in job_ids:
        freed = terminal.client.delete_job(job_id, files_only=files_only)["freed_bytes"]
        items.append({"id": job_id, "freed_bytes": freed})
        if not terminal.as_json:
            click.echo(f"Job {job_id}: {'its files are' if files_only else 'it is'} deleted, {shown(freed)} are freed.")
    if terminal.as_json:
        terminal.answer({"items": items}, "")


@farm_command
@click.argument("job_ids", metavar="JOB...", type=int, nargs=-1, required=True)
@click.option("--off", is_flag=True, help="Let the files go when they are old.")
def keep(terminal: Terminal, job_ids: tuple[int, ...], off: bool) -> None:
    """Keep the files of jobs, however old they are and whatever their owner's quota."""
    items = [terminal.client.change(job_id, {"keep": not off}) for job_id in job_ids]
    told = "is not kept any more" if off else "is kept"
    terminal.answer({"items": items}, "\n".join(f"Job {job['id']} {told}." for job in items))


@farm_command
@click.option("--limit", type=click.IntRange(0, 100), default=10, show_default=True, help="How many of the jobs.")
def storage(terminal: Terminal, limit: int) -> None:
    """Show what the farm's disk holds, and for whom."""
    view = terminal.client.storage(limit)
    lines = []
    if view["disk_total_bytes"] is not None:
        lines.append(f"{shown(view['disk_free_bytes'])} of {shown(view['disk_total_bytes'])} are free.")
    lines.append(f"{shown(view['blob_bytes'])} are in the store; a sweep frees {shown(view['sweep_bytes'])}.")
    if view["keep_days"] is not None:
        lines.append(f"The files of jobs are removed {view['keep_days']:g} days after they have ended.")
    lines += ["", f"{'takes':>10}  {'quota':>10}  {'jobs':>6}  user"]
    for user in view["users"]:
        quota = "–" if user["quota_bytes"] is None else shown(user["quota_bytes"])
        lines.append(f"{shown(user['bytes']):>10}  {quota:>10}  {user['jobs']:>6}  {user['name']}")
    lines += ["", f"{'takes':>10}  {'frees':>10}  {'job':>6}  name"]
    for job in view["jobs"]:
        kept = ", kept" if job["keep"] else ""
        sizes = f"{shown(job['bytes']):>10}  {shown(job['freed_bytes']):>10}"
        lines.append(f"{sizes}  {job['id']:>6}  {job['name']} ({job['user']}, {job['state']}{kept})")
    terminal.answer(view, "\n".join(lines))


@farm_command
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
def sweep(terminal: Terminal, dry_run: bool) -> None:
    """Remove now what nobody needs any more, old jobs' files, and what is over a quota."""
    view = terminal.client.sweep(dry_run=dry_run)
    lines = [f"Job {job['id']} ({job['name']}, {job['user']}): {job['reason']}" for job in view["jobs"]]
    lines.append(f"{shown(view['freed_bytes'])} {'would be' if dry_run else 'are being'} freed.")
    terminal.answer(view, "\n".join(lines))


@farm_command
@click.argument("user")
@click.argument("size", callback=_quota, metavar="SIZE|none")
def quota(terminal: Terminal, user: str, size: int | None) -> None:
    """Let the jobs of USER take no more than SIZE, such as 200GB; the oldest lose their files first."""
    view = terminal.client.limit_storage(user, size)
    most = "as much as there is room for" if view["quota_bytes"] is None else shown(view["quota_bytes"])
    terminal.answer(view, f"The jobs of {view['name']} may take {most}.")


COMMANDS: list[click.Command] = [delete, keep, storage, sweep, quota]
