"""The one timer: brings news from the threads into the window, as long as someone can see them or waits for an end.

A timer, not a modal operator: those hold up Blender's automatic saving, take the Esc key from whatever else the artist
does, and end when another file is opened, which is no reason to give up an upload.
"""

from collections.abc import Iterator
from contextlib import suppress

import bpy

from . import latest_frame, state, submitting, thumbnails
from .chosen_farm import chosen_connection, preferences_of
from .client import FarmError
from .farm_job import FarmJob

#: Seconds between two looks at the threads: while the scene is looked at, while something is sent or fetched, while
#: only jobs are shown, and while nothing is shown but jobs of this session have not ended.
PREPARE_SECONDS, BUSY_SECONDS, WATCH_SECONDS, UNSEEN_SECONDS = 0.0, 0.1, 0.5, 3.0


def watch() -> None:
    """Keep the window fresh from now on; called whenever something of ours is drawn or begun."""
    if not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=0.0, persistent=True)


def hurry() -> None:
    """Look at the threads now, not when the next look is due."""
    stop()
    watch()


def stop() -> None:
    """End the timer."""
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)


def _tick() -> float | None:
    """Redraw what has changed; return the seconds until the next look, or None when no one looks any longer."""
    context = bpy.context
    now = state.current()
    if now.is_preparing and now.preparing is not None and not now.preparing.asking:
        _prepare(context, now)
    areas = list(_areas_that_show_us(context.window_manager))
    if areas or now.watched:
        with suppress(FarmError):  # the panel says so itself
            now.feed.follow(chosen_connection(context))
    if now.unlisted_job is not None:
        now.feed.ask_now()
    _take_token(context, now)
    heard = now.feed.latest()
    preparing = (now.preparing.message, now.preparing.active) if now.preparing is not None else None
    now.forget_old_notice()
    shows = (heard, preparing, now.trouble, now.notice, *(work.progress() for work in now.works()))
    listed = context.window_manager.renderfarm
    # Opening another file empties the list.
    if shows != now.shown or len(listed.jobs) != len(heard.jobs):
        now.shown = shows
        thumbnails.show(heard.pictures)
        _list_jobs(listed, now, heard.jobs)
        _tell_endings(now, heard.jobs)
        latest_frame.show(heard.latest_frame)
        for area in areas:
            area.tag_redraw()
        _redraw_status_bars(context.window_manager)
    if now.is_preparing and now.preparing is not None and not now.preparing.asking:
        return PREPARE_SECONDS
    if any(not work.wait(0) for work in now.works()):
        return BUSY_SECONDS
    if areas or now.is_preparing:
        return WATCH_SECONDS
    return UNSEEN_SECONDS if now.watched or now.notice else None


def _prepare(context: bpy.types.Context, now: state.State) -> None:
    """Take a few steps towards a submission, and its last one when they are done."""
    preparing = now.preparing
    assert preparing is not None  # noqa: S101 - the caller has looked
    # Blender's operators want a window to work in.
    with context.temp_override(window=context.window or context.window_manager.windows[0]):
        preparing.advance()
        now.checked = preparing.checked or now.checked
        if preparing.asking:
            bpy.ops.renderfarm.confirm("INVOKE_DEFAULT")
        elif not preparing.active:
            submitting.begin_sending()


def _take_token(context: bpy.types.Context, now: state.State) -> None:
    """Open the browser for the approval, and keep the token once it is good."""
    connecting = now.connecting
    if connecting is not None and connecting.progress().code and not connecting.shown:
        connecting.shown = True
        with context.temp_override(window=context.window or context.window_manager.windows[0]):
            bpy.ops.renderfarm.open_approval()
    if connecting is None or not connecting.approved:
        return
    now.connecting = None
    preferences = preferences_of(context)
    preferences.address, preferences.token = connecting.farm.address, connecting.farm.token
    context.preferences.is_dirty = True  # so that Blender saves it with its preferences


def _areas_that_show_us(window_manager: bpy.types.WindowManager) -> Iterator[bpy.types.Area]:
    for window in window_manager.windows:
        for area in window.screen.areas:
            space = area.spaces.active
            if (area.type == "PROPERTIES" and space.context == "OUTPUT") or area.type == "PREFERENCES":
                yield area


def _redraw_status_bars(window_manager: bpy.types.WindowManager) -> None:
    """Have the status bars drawn: Blender hides them from scripts, but draws them when the words in them may change.

    Not while the artist is in the midst of something that has words there.
    """
    for window in window_manager.windows:
        if not window.modal_operators:
            with bpy.context.temp_override(window=window):
                window.workspace.status_text_set_internal(None)


def _list_jobs(listed: bpy.types.PropertyGroup, now: state.State, jobs: tuple[FarmJob, ...]) -> None:
    """Fill the list widget's items.

    The artist's choice stays when newer jobs push it down; a job that was just submitted becomes the choice.
    """
    chosen = listed.jobs[listed.active].job_id if 0 <= listed.active < len(listed.jobs) else None
    if any(job.id == now.unlisted_job for job in jobs) and now.sending is not None:
        chosen = str(now.unlisted_job)
        now.listed = now.sending
        now.watched.update(int(job["id"]) for job in now.sending.jobs)
    if [item.job_id for item in listed.jobs] == [str(job.id) for job in jobs]:
        names = zip(listed.jobs, jobs, strict=True)
        for item, job in names:
            if item.name != job.name:
                item.name = job.name
    else:
        listed.jobs.clear()
        for job in jobs:
            item = listed.jobs.add()
            item.name = job.name
            item.job_id = str(job.id)
    for position, item in enumerate(listed.jobs):
        if item.job_id == chosen and listed.active != position:
            listed.active = position


def _tell_endings(now: state.State, jobs: tuple[FarmJob, ...]) -> None:
    """Tell the artist of jobs of this session that have ended."""
    for job in jobs:
        if job.id in now.watched and not job.under_way:
            now.watched.discard(job.id)
            now.tell(job.ending, bad=job.state == "failed")
