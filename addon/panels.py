"""What the artist sees: the panel in Properties → Output, the list of jobs, and two lines in the Render menu.

Drawing only reads: it may happen many times a second.
"""

import bpy

from . import refresh, state
from .chosen_farm import preferences_of
from .drawing import draw_problems, draw_text
from .frame_range import format_frames
from .operators import chosen_job
from .preferences import draw_connection, draw_fields
from .uploader import Stage

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
        """Draw one job: its state, its name, and how far it is."""
        job = state.current().job(int(item.job_id))
        if job is None:
            return
        split = layout.split(factor=0.6)
        name = split.row()
        name.alert = job.state == "failed"
        name.label(text=job.name, icon=_JOB_ICONS.get(job.state, "QUESTION"))
        if job.state == "running":
            split.progress(factor=job.progress, text=job.detail)
        else:
            outcome = split.row()
            outcome.alignment = "RIGHT"
            outcome.label(text=job.detail)


class _OutputPanel:
    """Where the panels live."""

    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "output"


class RENDERFARM_PT_panel(_OutputPanel, bpy.types.Panel):
    """Submitting the open scene."""

    bl_label = "Render Farm"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the farm's state, what to render, what stands in the way, and the button."""
        refresh.watch()
        preferences = preferences_of(context)
        if not preferences.token:
            draw_text(
                self.layout,
                context,
                "Which farm?  Enter its address and a token; whoever runs the farm has both.",
                icon="INFO",
            )
            draw_fields(self.layout, preferences)
            return
        draw_connection(self.layout, context)
        _draw_settings(self.layout, context.scene)
        _draw_checks(self.layout, context)
        _draw_submit(self.layout, context)


class RENDERFARM_PT_jobs(_OutputPanel, bpy.types.Panel):
    """The jobs on the farm."""

    bl_label = "Jobs"
    bl_parent_id = "RENDERFARM_PT_panel"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There is a farm to have jobs on."""
        return bool(preferences_of(context).token)

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the list, and what can be done with the chosen job."""
        layout = self.layout
        listed = context.window_manager.renderfarm
        heard = state.current().feed.latest()
        if not listed.jobs:
            known = heard.answered and not heard.problem
            layout.label(text="No jobs on the farm" if known else "The farm has not answered yet")
            return
        layout.template_list("RENDERFARM_UL_jobs", "", listed, "jobs", listed, "active", rows=4)
        job = chosen_job(context)
        if job is not None and job.reason:
            draw_text(layout, context, job.reason, icon="ERROR", alert=True)
        elif job is not None and job.waiting:
            draw_text(layout, context, job.waiting, icon="INFO")
        if heard.refusal:
            draw_text(layout, context, heard.refusal, icon="INFO")
        row = layout.row(align=True)
        row.operator("renderfarm.open_job", icon="URL")
        row.operator("renderfarm.download", icon="IMPORT")
        row.operator("renderfarm.cancel_job", icon="X")
        _draw_download(layout, context)


def draw_render_menu(menu: bpy.types.Menu, _context: bpy.types.Context) -> None:
    """Add the farm to the Render menu."""
    layout = menu.layout
    layout.separator()
    # So that the operator asks about warnings, wherever this menu is shown.
    layout.operator_context = "INVOKE_DEFAULT"
    layout.operator("renderfarm.submit", text="Render Image on Farm", icon="RENDER_STILL").still = True
    layout.operator("renderfarm.submit", text="Render Animation on Farm", icon="RENDER_ANIMATION").still = False


def _draw_settings(layout: bpy.types.UILayout, scene: bpy.types.Scene) -> None:
    settings = scene.renderfarm
    column = layout.column()
    column.use_property_split = True
    column.use_property_decorate = False
    column.prop(settings, "job_name", placeholder=bpy.path.display_name_from_filepath(bpy.data.filepath) or "Untitled")
    column.prop(settings, "frames", placeholder=format_frames(scene.frame_start, scene.frame_end, scene.frame_step))
    _draw_override(column, settings, "percentage", scene.render, "resolution_percentage")
    if scene.render.engine == "CYCLES":
        _draw_override(column, settings, "samples", scene.cycles, "samples")
    elif scene.render.engine.startswith("BLENDER_EEVEE"):
        _draw_override(column, settings, "samples", scene.eevee, "taa_render_samples")
    column.prop(settings, "priority", slider=True)
    column.prop(settings, "video")


def _draw_override(
    layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup, name: str, scene_owner: object, scene_name: str
) -> None:
    """Draw a tick box, and beside it the farm's own value where it is ticked, else the scene's, greyed."""
    wanted = f"use_{name}"
    row = layout.row(heading=settings.bl_rna.properties[wanted].name)
    row.prop(settings, wanted, text="")
    value = row.row()
    value.enabled = getattr(settings, wanted)
    owner, prop = (settings, name) if value.enabled else (scene_owner, scene_name)
    value.prop(owner, prop, text="")


def _draw_checks(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    checked = state.current().checked
    if checked is None or not checked.is_about(context.scene):
        return
    if checked.problems:
        draw_problems(layout.box(), context, checked.problems)
    else:
        layout.label(text="The scene is ready for the farm", icon="CHECKMARK")


def _draw_submit(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    now = state.current()
    if now.sending is not None:
        progress = now.sending.progress()
        if now.is_sending:
            row = layout.row(align=True)
            row.scale_y = 1.6
            share = f" {progress.fraction:.0%}" if progress.total_bytes else ""
            row.progress(factor=progress.fraction, text=f"{progress.message}{share}")
            row.operator("renderfarm.cancel_submission", text="", icon="X")
            return
        if progress.stage is Stage.FAILED:
            draw_text(layout.box(), context, progress.message, icon="CANCEL", alert=True)
        else:
            layout.label(text=progress.message, icon="CHECKMARK" if progress.stage is Stage.DONE else "INFO")
    row = layout.row(align=True)
    row.scale_y = 1.6
    row.operator("renderfarm.submit", icon="RENDER_ANIMATION")
    row.operator("renderfarm.check_scene", text="", icon="VIEWZOOM")


def _draw_download(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    now = state.current()
    if now.download is None:
        return
    progress = now.download.progress()
    if now.is_downloading:
        row = layout.row(align=True)
        row.progress(factor=progress.fraction, text=progress.message)
        row.operator("renderfarm.cancel_download", text="", icon="X")
    else:
        failed = now.download.error is not None
        draw_text(layout, context, progress.message, icon="CANCEL" if failed else "CHECKMARK", alert=failed)


CLASSES = (RENDERFARM_UL_jobs, RENDERFARM_PT_panel, RENDERFARM_PT_jobs)
