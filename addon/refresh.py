"""The one timer: brings news from the threads into the window, as long as someone can see them.

A timer, not a modal operator: those hold up Blender's automatic saving, take the Esc key from whatever else the artist
does, and end when another file is opened, which is no reason to give up an upload.
"""

from collections.abc import Iterator
from contextlib import suppress

import bpy

from . import state
from .chosen_farm import chosen_connection
from .client import FarmError
from .farm_job import FarmJob

#: Seconds between two looks at the threads: while something is sent or fetched, and while only jobs are shown.
BUSY_SECONDS, WATCH_SECONDS = 0.1, 0.5


def watch() -> None:
    """Keep the window fresh from now on; called whenever something of ours is drawn or begun."""
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=0.0, persistent=True)


def stop() -> None:
    """End the timer."""
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)


def _tick() -> float | None:
    """Redraw what has changed; return the seconds until the next look, or None when no one looks any longer."""
    context = bpy.context
    now = state.current()
    areas = list(_areas_that_show_us(context.window_manager))
    if areas:
        with suppress(FarmError):  # the panel says so itself
            now.feed.follow(chosen_connection(context))
    if now.unlisted_job is not None:
        now.feed.ask_now()
    heard = now.feed.latest()
    shows = (heard, *(work.progress() for work in (now.sending, now.download) if work is not None))
    listed = context.window_manager.renderfarm
    # Opening another file empties the list.
    if shows != now.shown or len(listed.jobs) != len(heard.jobs):
        now.shown = shows
        _list_jobs(listed, now, heard.jobs)
        for area in areas:
            area.tag_redraw()
    if now.is_sending or now.is_downloading:
        return BUSY_SECONDS
    return WATCH_SECONDS if areas else None


def _areas_that_show_us(window_manager: bpy.types.WindowManager) -> Iterator[bpy.types.Area]:
    for window in window_manager.windows:
        for area in window.screen.areas:
            space = area.spaces.active
            if (area.type == "PROPERTIES" and space.context == "OUTPUT") or area.type == "PREFERENCES":
                yield area


def _list_jobs(listed: bpy.types.PropertyGroup, now: state.State, jobs: tuple[FarmJob, ...]) -> None:
    """Fill the list widget's items.

    The artist's choice stays when newer jobs push it down; a job that was just submitted becomes the choice.
    """
    chosen = listed.jobs[listed.active].job_id if 0 <= listed.active < len(listed.jobs) else None
    if any(job.id == now.unlisted_job for job in jobs):
        chosen = str(now.unlisted_job)
        now.listed = now.sending
    listed.jobs.clear()
    for position, job in enumerate(jobs):
        item = listed.jobs.add()
        item.name = job.name
        item.job_id = str(job.id)
        if item.job_id == chosen:
            listed.active = position
