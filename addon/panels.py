"""What the artist sees in Properties → Output: the farm, the button, what was found; and two lines in the Render menu.

Drawing only reads: it may happen many times a second.
"""

import bpy

from . import refresh, state
from .chosen_farm import preferences_of
from .drawing import draw_problems, draw_progress, draw_text, draw_trouble
from .preferences import draw_connection, draw_set_up
from .preflight import Severity
from .uploader import Stage
from .wording import counted

#: The button is taller than others, for it is what the panel is about.
_BUTTON_SCALE = 1.6


class OutputPanel:
    """Where the panels live; all but the first one are of no use without a farm."""

    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "output"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There is a farm."""
        return bool(preferences_of(context).token)


class RENDERFARM_PT_panel(bpy.types.Panel):
    """Submitting the open scene."""

    bl_label = "Render Farm"
    bl_space_type = OutputPanel.bl_space_type
    bl_region_type = OutputPanel.bl_region_type
    bl_context = OutputPanel.bl_context

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the farm's state and the button."""
        refresh.watch()
        preferences = preferences_of(context)
        if not preferences.token:
            draw_text(
                self.layout,
                context,
                "Render this scene on many machines.  Which farm is yours?",
                icon="INFO",
            )
            draw_set_up(self.layout, context)
            return
        draw_connection(self.layout, context)
        _draw_submit(self.layout, context)


class RENDERFARM_PT_checks(OutputPanel, bpy.types.Panel):
    """What was found in the scene."""

    bl_label = "Checks"
    bl_parent_id = "RENDERFARM_PT_panel"

    def draw_header_preset(self, _context: bpy.types.Context) -> None:
        """Draw the button that looks at the scene."""
        if state.current().checked is not None:
            self.layout.operator("renderfarm.check_scene", text="", icon="FILE_REFRESH", emboss=False)

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the findings, each with what mends it."""
        now = state.current()
        if now.is_preparing and now.preparing is not None:
            self.layout.label(text=f"{now.preparing.message} …", icon="SORTTIME")
            return
        checked = now.checked
        if checked is None or not checked.is_about(context.scene):
            self.layout.label(text="The scene is checked when it is submitted", icon="INFO")
            self.layout.operator("renderfarm.check_scene", text="Check Now", icon="VIEWZOOM")
        elif checked.problems:
            draw_problems(self.layout, context, checked.problems, fixes=True)
        else:
            self.layout.label(text="The scene is ready for the farm", icon="CHECKMARK")


def draw_render_menu(menu: bpy.types.Menu, _context: bpy.types.Context) -> None:
    """Add the farm to the Render menu."""
    layout = menu.layout
    layout.separator()
    # So that the operator asks about warnings, wherever this menu is shown.
    layout.operator_context = "INVOKE_DEFAULT"
    layout.operator("renderfarm.submit", text="Render Image on Farm", icon="RENDER_STILL").still = True
    layout.operator("renderfarm.submit", text="Render Animation on Farm", icon="RENDER_ANIMATION").still = False


def draw_status_bar(header: bpy.types.Header, _context: bpy.types.Context) -> None:
    """Show what is being sent, and what has ended, at the foot of the window."""
    now, layout = state.current(), header.layout
    if now.is_preparing and now.preparing is not None:
        layout.label(text=f"Render Farm: {now.preparing.message} …", icon="RENDER_ANIMATION")
    elif now.is_sending and now.sending is not None:
        progress = now.sending.progress()
        row = layout.row()
        row.scale_x = 1.5
        # There is little room: the panel says more.
        row.progress(factor=progress.fraction, text=f"Sending to the farm {progress.fraction:.0%}")
    elif now.notice:
        row = layout.row()
        row.alert = now.notice_is_bad
        row.operator(
            "renderfarm.dismiss", text=now.notice, icon="ERROR" if now.notice_is_bad else "CHECKMARK", emboss=False
        )


def _draw_submit(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    now = state.current()
    if now.is_preparing and now.preparing is not None:
        if now.preparing.asking:
            layout.label(text="Submit in spite of the warnings?", icon="QUESTION")
        draw_progress(layout, now.preparing.message, 0.0, "renderfarm.cancel_submission", scale=_BUTTON_SCALE)
        return
    if now.is_sending and now.sending is not None:
        progress = now.sending.progress()
        share = f" {progress.fraction:.0%}" if progress.total_bytes else ""
        draw_progress(
            layout,
            f"{progress.message}{share}",
            progress.fraction,
            "renderfarm.cancel_submission",
            scale=_BUTTON_SCALE,
        )
        return
    column = layout.column()
    column.scale_y = _BUTTON_SCALE
    errors = _errors(context)
    column.operator_context = "INVOKE_DEFAULT"
    column.operator("renderfarm.submit", icon="ERROR" if errors else "RENDER_ANIMATION")
    if now.trouble and not errors:
        draw_trouble(layout, context, now.trouble)
    elif errors:
        draw_text(layout, context, f"{counted(len(errors), 'problem')}: see Checks", icon="BLANK1")
    elif now.sending is not None:
        progress = now.sending.progress()
        if progress.stage is Stage.FAILED:
            draw_trouble(layout, context, progress.message)
        else:
            count = len(now.sending.jobs)
            text = f"{count} jobs submitted" if count > 1 else progress.message
            layout.label(text=text, icon="CHECKMARK" if progress.stage is Stage.DONE else "INFO")


def _errors(context: bpy.types.Context) -> list[object]:
    checked = state.current().checked
    if checked is None or not checked.is_about(context.scene):
        return []
    return list(checked.problems_of(Severity.ERROR))
