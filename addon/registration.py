"""What the extension adds to Blender, in order, and how all of it is taken back."""

from contextlib import ExitStack

import bpy

from . import (
    command_line,
    farm_operators,
    fixes,
    job_operators,
    jobs_panel,
    keys,
    operators,
    panels,
    preferences,
    properties,
    refresh,
    result_operators,
    settings_panels,
    state,
    thumbnails,
    translations,
)

CLASSES = (
    *properties.CLASSES,
    *preferences.CLASSES,
    *farm_operators.CLASSES,
    *operators.CLASSES,
    *fixes.CLASSES,
    *job_operators.CLASSES,
    *result_operators.CLASSES,
    panels.RENDERFARM_PT_panel,  # the others are its sub-panels, shown in this order
    *settings_panels.CLASSES,
    panels.RENDERFARM_PT_checks,
    *jobs_panel.CLASSES,
)

#: Undoes what register() did, last things first.
_undo = ExitStack()


def register() -> None:
    """Add everything; when something fails, what was added before is taken back."""
    global _undo  # noqa: PLW0603 - Blender calls plain functions: what they share can only live in the module
    with ExitStack() as undo:
        for cls in CLASSES:
            bpy.utils.register_class(cls)
            undo.callback(bpy.utils.unregister_class, cls)
        for owner, kind in (
            (bpy.types.ViewLayer, properties.LayerSettings),
            (bpy.types.Scene, properties.JobSettings),
            (bpy.types.WindowManager, properties.JobList),
        ):
            owner.renderfarm = bpy.props.PointerProperty(type=kind)
            undo.callback(delattr, owner, "renderfarm")
        state.start()
        undo.callback(state.stop)
        undo.callback(refresh.stop)
        thumbnails.start()
        undo.callback(thumbnails.stop)
        for place, draw in (
            (bpy.types.TOPBAR_MT_render, panels.draw_render_menu),
            (bpy.types.STATUSBAR_HT_header, panels.draw_status_bar),
        ):
            place.append(draw)
            undo.callback(place.remove, draw)
        keys.add()
        undo.callback(keys.remove)
        translations.add()
        undo.callback(translations.remove)
        command = bpy.utils.register_cli_command("farm_submit", command_line.submit)
        undo.callback(bpy.utils.unregister_cli_command, command)
        _undo = undo.pop_all()


def unregister() -> None:
    """Take everything back, and end the threads."""
    _undo.close()
