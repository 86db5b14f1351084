"""What can be set for a job: what is rendered, what comes out, and who renders it.

Each shows what the scene says, greyed, until the artist wants something else for the farm.
"""

import bpy

from . import state
from .chosen_farm import preferences_of
from .frame_range import format_frames
from .panels import OutputPanel
from .wording import counted


class _SettingsPanel(OutputPanel):
    bl_parent_id = "RENDERFARM_PT_panel"

    def _column(self) -> bpy.types.UILayout:
        column = self.layout.column()  # type: ignore[attr-defined]  # Blender's panels have one
        column.use_property_split = True
        column.use_property_decorate = False
        return column


class RENDERFARM_PT_scene(_SettingsPanel, bpy.types.Panel):
    """What is rendered."""

    bl_label = "What Is Rendered"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the scene's values, and those for the farm."""
        scene = context.scene
        settings, render = scene.renderfarm, scene.render
        column = self._column()
        column.prop(
            settings, "job_name", placeholder=bpy.path.display_name_from_filepath(bpy.data.filepath) or "Untitled"
        )
        column.prop(settings, "frames", placeholder=format_frames(scene.frame_start, scene.frame_end, scene.frame_step))
        column.prop(settings, "cameras")
        if settings.cameras == "ONE":
            column.prop(settings, "camera", text=" ", icon="CAMERA_DATA")
        elif settings.cameras == "EACH":
            count = sum(item.type == "CAMERA" for item in scene.objects)
            note = column.row()
            note.alignment = "RIGHT"
            note.label(text=counted(count, "job"))
        if len(scene.view_layers) > 1 or settings.use_view_layers:
            _draw_view_layers(column, scene)
        _draw_override(column, settings, "resolution", render, ("resolution_x", "resolution_y"))
        _draw_override(column, settings, "percentage", render, ("resolution_percentage",))
        _draw_override(column, settings, "engine", render, ("engine",))
        engine = settings.engine if settings.use_engine else render.engine
        if engine == "CYCLES":
            _draw_override(column, settings, "samples", getattr(scene, "cycles", None), ("samples",))
        elif "EEVEE" in engine:
            _draw_override(column, settings, "samples", scene.eevee, ("taa_render_samples",))


class RENDERFARM_PT_result(_SettingsPanel, bpy.types.Panel):
    """What comes out."""

    bl_label = "Result"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the format of the frames, and the video."""
        settings = context.scene.renderfarm
        column = self._column()
        column.prop(settings, "file_format")
        column.prop(settings, "video")
        row = column.row()
        row.enabled = settings.video
        row.prop(settings, "sound")


class RENDERFARM_PT_farm(_SettingsPanel, bpy.types.Panel):
    """Who renders it, and when."""

    bl_label = "Farm"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012 - Blender reads it from the class

    def draw(self, context: bpy.types.Context) -> None:
        """Draw what the farm is asked for."""
        settings = context.scene.renderfarm
        facts = state.current().feed.latest().facts
        column = self._column()
        column.prop(settings, "priority", slider=True)
        column.prop(settings, "device")
        if facts.pools or settings.pool:
            column.prop(settings, "pool", placeholder="All Agents")
        if facts.tags or settings.tags:
            column.prop(settings, "tags", placeholder=", ".join(facts.tags) or "None")
        column.prop(settings, "max_slots", text="Slots at Most" if settings.max_slots else "Slots at Most (Any)")
        column.prop(settings, "first_look")
        preferences = preferences_of(context)
        if facts.sends_mail or preferences.email:
            row = column.row()
            row.enabled = facts.sends_mail
            row.prop(preferences, "email", placeholder="Nobody")
        if facts.may_run_scripts or settings.scripts:
            column.prop(settings, "scripts")


class RENDERFARM_PT_advanced(_SettingsPanel, bpy.types.Panel):
    """What few need."""

    bl_label = "Advanced"
    bl_parent_id = "RENDERFARM_PT_farm"
    bl_options = {"DEFAULT_CLOSED"}  # noqa: RUF012 - Blender reads it from the class

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the rest."""
        settings = context.scene.renderfarm
        column = self._column()
        row = column.row(heading="Frames at Once")
        row.prop(settings, "use_chunk", text="")
        value = row.row()
        value.enabled = settings.use_chunk
        value.prop(settings, "chunk_frames", text="")
        row = column.row()
        row.enabled = not settings.use_chunk
        row.prop(settings, "target_seconds")
        column.prop(settings, "vram_gb")
        column.prop(settings, "max_retries")
        column.prop(settings, "hedge")
        column.prop(settings, "cpu_fallback")
        column.prop(settings, "stop_on_missing")
        column.prop(settings, "persistent_data")


def _draw_view_layers(layout: bpy.types.UILayout, scene: bpy.types.Scene) -> None:
    settings = scene.renderfarm
    row = layout.row(heading="View Layers")
    row.prop(settings, "use_view_layers", text="")
    value = row.column(align=True)
    value.use_property_split = False
    value.enabled = settings.use_view_layers
    if settings.use_view_layers:
        for layer in scene.view_layers:
            value.prop(layer.renderfarm, "wanted", text=layer.name, toggle=True, translate=False)
    else:
        names = ", ".join(layer.name for layer in scene.view_layers if layer.use)
        value.label(text=names or "None", translate=not names)


def _draw_override(
    layout: bpy.types.UILayout,
    settings: bpy.types.PropertyGroup,
    name: str,
    scene_owner: object,
    scene_names: tuple[str, ...],
) -> None:
    """Draw a tick box, and beside it the farm's own value where it is ticked, else the scene's, greyed."""
    wanted = f"use_{name}"
    row = layout.row(heading=settings.bl_rna.properties[wanted].name)
    row.prop(settings, wanted, text="")
    value = row.row(align=True)
    value.enabled = getattr(settings, wanted)
    if value.enabled or scene_owner is None:
        value.prop(settings, name, text="")
    else:
        for scene_name in scene_names:
            value.prop(scene_owner, scene_name, text="")


CLASSES = (RENDERFARM_PT_scene, RENDERFARM_PT_result, RENDERFARM_PT_farm, RENDERFARM_PT_advanced)
