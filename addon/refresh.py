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

#: What the window was last drawn from.
_shown: tuple[object, ...] = ()


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
    global _shown  # noqa: PLW0603 - Blender's timers are plain functions: what they remember lives in the module
    context = bpy.context
    now = state.current()
    areas = list(_areas_that_show_us(context.window_manager))
    if areas:
        with suppress(FarmError):  # the panel says so itself
            now.feed.follow(chosen_connection(context))
    heard = now.feed.latest()
    busy = now.is_sending or now.is_downloading
    shows = (heard, *(work.progress() for work in (now.sending, now.download) if work is not None))
    if shows != _shown:
        _shown = shows
        _list_jobs(context.window_manager.renderfarm, heard.jobs)
        for area in areas:
            area.tag_redraw()
    if busy:
        return BUSY_SECONDS
    return WATCH_SECONDS if areas else None


def _areas_that_show_us(window_manager: bpy.types.WindowManager) -> Iterator[bpy.types.Area]:
    for window in window_manager.windows:
        for area in window.screen.areas:
            space = area.spaces.active
            if (area.type == "PROPERTIES" and space.context == "OUTPUT") or area.type == "PREFERENCES":
                yield area


def _list_jobs(shown: bpy.types.PropertyGroup, jobs: tuple[FarmJob, ...]) -> None:
    """Fill the list widget's items, keeping the artist's choice when newer jobs push it down."""
    chosen = shown.jobs[shown.active].job_id if 0 <= shown.active < len(shown.jobs) else None
    shown.jobs.clear()
    for position, job in enumerate(jobs):
        item = shown.jobs.add()
        item.name = job.name
        item.job_id = str(job.id)
        if item.job_id == chosen:
            shown.active = position
