"""Where the farm is: its address and token in Blender's preferences, and how it is shown whether it answers."""

import bpy
from bpy.props import StringProperty

from . import refresh, state
from .chosen_farm import chosen_connection
from .client import FarmError
from .connection import OFFLINE
from .drawing import draw_text


class RenderFarmPreferences(bpy.types.AddonPreferences):
    """The extension's page in Preferences → Add-ons."""

    bl_idname = __package__

    address: StringProperty(
        name="Farm Address",
        description="Where the coordinator listens; whoever runs the farm knows it",
        default="http://127.0.0.1:8420",
    )
    token: StringProperty(
        name="Token",
        description="An admin token of the farm (rf_admin_…); the coordinator shows one at its first start",
        subtype="PASSWORD",
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the fields, and whether the farm answers."""
        refresh.watch()
        draw_fields(self.layout, self)
        if self.token:
            draw_connection(self.layout, context)


def draw_fields(layout: bpy.types.UILayout, preferences: RenderFarmPreferences) -> None:
    """Draw the address and the token."""
    column = layout.column()
    column.use_property_split = True
    column.use_property_decorate = False
    column.prop(preferences, "address")
    column.prop(preferences, "token")


def draw_connection(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw whether the farm answers and, when it does not, why and what to do."""
    try:
        farm = chosen_connection(context)
    except FarmError as error:
        _draw_trouble(layout, context, str(error), offline=error.code == OFFLINE)
        return
    heard = state.current().feed.latest()
    if heard.farm != farm or not heard.answered:
        layout.label(text=f"Asking {farm.host} …", icon="SORTTIME")
    elif heard.problem:
        _draw_trouble(layout, context, heard.problem)
    else:
        layout.label(text=f"Connected to {farm.host}", icon="CHECKMARK")


def _draw_trouble(
    layout: bpy.types.UILayout, context: bpy.types.Context, sentence: str, *, offline: bool = False
) -> None:
    box = layout.box()
    draw_text(box, context, sentence, icon="ERROR", alert=True)
    row = box.row(align=True)
    if not offline:
        row.operator("renderfarm.test_connection", icon="FILE_REFRESH")
    elif not bpy.app.online_access_override:
        # Blender's own; it has no name to be shown.
        row.operator("extensions.userpref_allow_online", text="Allow Online Access", icon="INTERNET")
    if context.area.type != "PREFERENCES":
        row.operator("renderfarm.open_preferences", icon="PREFERENCES")


CLASSES = (RenderFarmPreferences,)
