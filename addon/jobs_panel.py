"""The jobs on the farm: the list, what can be done with the one that is chosen, and what became of it."""

import bpy

from . import latest_frame, state, thumbnails
from .drawing import draw_progress, draw_text, draw_trouble
from .farm_job import PAUSABLE, FarmJob
from .job_operators import chosen_job
from .jobs_feed import Heard
from .panels import OutputPanel
from .wording import counted

_JOB_ICONS = {
    "blocked": "TIME",
    "queued": "SORTTIME",
    "running": "RENDER_ANIMATION",
    "paused": "PAUSE",
    "stitching": "FILE_MOVIE",
    "completed": "CHECKMARK",
    "failed": "ERROR",
    "cancelled": "X",
}

#: Characters of a name beyond which the list is likely to cut it off.
_LONG_NAME = 22

#: How large the picture of the chosen job is, in units of the interface.
_PICTURE_SCALE = 5.0


class RENDERFARM_UL_jobs(bpy.types.UIList):
    """The jobs on the farm, newest first."""

    def draw_item(
        self,
        _context: bpy.types.Context,
        layout: bpy.types.UILayout,
        _data: bpy.types.PropertyGroup,
        item: bpy.types.PropertyGroup,
        _icon: int,
        _active_data: bpy.types.PropertyGroup,
        _active_property: str,
    ) -> None:
        """Draw one job: its latest picture or its state, its name, and how far it is."""
        job = state.current().job(int(item.job_id))
        if job is None:
            return
        split = layout.split(factor=0.58)
        name = split.row(align=True)
        name.alert = job.state == "failed"
        picture = thumbnails.icon_of(job.id)
        name.label(text="", icon=_JOB_ICONS.get(job.state, "QUESTION"))
        if picture:
            name.label(text=job.name, icon_value=picture)
        else:
            name.label(text=job.name)
        if job.state == "running":
            split.progress(factor=job.progress, text=job.detail)
        else:
            outcome = split.row()
            outcome.alignment = "RIGHT"
            outcome.label(text=job.detail)


class RENDERFARM_PT_jobs(OutputPanel, bpy.types.Panel):
    """The jobs on the farm."""

    bl_label = "Jobs"
    bl_parent_id = "RENDERFARM_PT_panel"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the list, and what can be done with the chosen job."""
        layout = self.layout
        listed = context.window_manager.renderfarm
        heard = state.current().feed.latest()
        if not listed.jobs:
            layout.label(text=_nothing(heard), icon="INFO")
            return
        row = layout.row()
        row.template_list("RENDERFARM_UL_jobs", "", listed, "jobs", listed, "active", rows=4)
        job = chosen_job(context)
        _draw_actions(row.column(align=True), job)
        if heard.refusal:
            draw_trouble(layout, context, heard.refusal)
        if job is not None:
            _draw_job(layout, context, job)


def _nothing(heard: Heard) -> str:
    if not heard.answered:
        return "The farm has not answered yet"
    return "Jobs are shown once the farm is reached" if heard.problem else "No jobs on the farm yet"


def _draw_actions(column: bpy.types.UILayout, job: FarmJob | None) -> None:
    if job is not None and job.state == "paused":
        column.operator("renderfarm.resume_job", text="", icon="PLAY")
    elif job is None or job.state in PAUSABLE:
        column.operator("renderfarm.pause_job", text="", icon="PAUSE")
    else:
        column.operator("renderfarm.retry_job", text="", icon="FILE_REFRESH")
    column.operator("renderfarm.cancel_job", text="", icon="X")
    column.operator("renderfarm.job_priority", text="", icon="SORT_DESC")
    column.separator()
    column.operator("renderfarm.open_job", text="", icon="URL")


def _draw_job(layout: bpy.types.UILayout, context: bpy.types.Context, job: FarmJob) -> None:
    now = state.current()
    picture = thumbnails.icon_of(job.id)
    if picture:
        layout.template_icon(picture, scale=_PICTURE_SCALE)
    if len(job.name) > _LONG_NAME:
        draw_text(layout, context, job.name, icon="BLANK1")
    facts = layout.row()
    facts.enabled = False
    facts.label(text=_facts(job))
    if job.reason:
        draw_trouble(layout, context, job.reason, details=job.details)
    elif job.waiting:
        draw_text(layout, context, job.waiting, icon="INFO")
    if job.failed and job.state != "failed":
        draw_text(layout, context, f"{counted(job.failed, 'frame')} failed.", icon="ERROR", alert=True)
    if job.failed or job.state in ("failed", "cancelled"):
        layout.operator("renderfarm.retry_job", icon="FILE_REFRESH")
    if job.doubtful:
        doubts = f"{counted(job.doubtful, 'frame')} may be wrong: have a look in the browser."
        draw_text(layout, context, doubts, icon="QUESTION")
    if job.finished:
        column = layout.column(align=True)
        shown = now.feed.shown_job == job.id
        column.operator("renderfarm.follow_frames", icon="IMAGE_DATA", depress=shown)
        row = column.row(align=True)
        row.operator("renderfarm.download_here", icon="IMPORT")
        row.operator("renderfarm.download", text="", icon="FILE_FOLDER")
        if shown and latest_frame.words():
            draw_text(layout, context, f"In the image editor: {latest_frame.words()}", icon="BLANK1")
    _draw_download(layout, context)


def _facts(job: FarmJob) -> str:
    words = [f"Job {job.id}", f"{job.finished} of {counted(job.frame_count, 'frame')}", f"priority {job.priority}"]
    if job.user:
        words.append(job.user)
    return "  ·  ".join(words)


def _draw_download(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    now = state.current()
    if now.download is None:
        return
    progress = now.download.progress()
    if now.is_downloading:
        draw_progress(layout, progress.message, progress.fraction, "renderfarm.cancel_download")
        return
    if now.download.error is not None:
        draw_trouble(layout, context, progress.message)
        return
    draw_text(layout, context, progress.message, icon="CHECKMARK")
    row = layout.row(align=True)
    if now.download.frames:
        row.operator("renderfarm.add_strip", text="Frames as Strip", icon="SEQUENCE").what = "FRAMES"
    if now.download.video is not None:
        row.operator("renderfarm.add_strip", text="Video as Strip", icon="FILE_MOVIE").what = "VIDEO"


CLASSES = (RENDERFARM_UL_jobs, RENDERFARM_PT_jobs)
