"""Where the farm is: its address and token in Blender's preferences, and how it is shown whether it answers."""

import bpy
from bpy.props import StringProperty

from . import refresh, state
from .chosen_farm import chosen_connection
from .client import FarmError
from .connection import OFFLINE
from .drawing import draw_text, draw_trouble
from .wording import counted


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
        description="An admin token of the farm (rf_admin_…); Connect… gets one for this Blender",
        subtype="PASSWORD",
    )
    # Here and not in the scene: it is the artist's own, and colleagues open the file too.
    email: StringProperty(
        name="E-Mail at the End",
        description="Where you are written to when a job that you submit ends or needs a look; empty: nowhere",
        maxlen=254,
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the fields, and whether the farm answers."""
        refresh.watch()
        draw_set_up(self.layout, context)
        if self.token:
            draw_connection(self.layout, context)


def draw_set_up(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw all that it takes to choose a farm and be let in."""
    preferences = context.preferences.addons[__package__].preferences
    column = layout.column()
    column.use_property_split = True
    column.use_property_decorate = False
    row = column.row(align=True)
    row.prop(preferences, "address")
    if preferences.token:
        row.operator("renderfarm.find_farms", text="", icon="VIEWZOOM")
    _draw_search(layout, context)
    if not preferences.token and draw_approval(layout, context):
        return
    column.prop(preferences, "token", placeholder="or press Connect…")
    if preferences.token:
        return
    if not bpy.app.online_access:
        _draw_offline(layout, context)
    row = layout.row()
    row.scale_y = 1.4
    row.operator("renderfarm.find_farms", text="Find a Farm", icon="VIEWZOOM")
    row.operator("renderfarm.connect", icon="LINKED")


def _draw_search(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    finding = state.current().finding
    if finding is None:
        return
    search = finding.progress()
    box = layout.box()
    draw_text(box, context, search.message, icon="INFO" if search.done else "SORTTIME")
    for farm in search.farms:
        row = box.row()
        row.label(text=f"{farm.name}  ({farm.address})", icon="NETWORK_DRIVE")
        row.operator("renderfarm.use_farm").address = farm.address


def draw_approval(layout: bpy.types.UILayout, context: bpy.types.Context) -> bool:
    """Draw the code that is to be typed in the browser; tell whether one is awaited."""
    connecting = state.current().connecting
    if connecting is None:
        return False
    approval = connecting.progress()
    if approval.failed:
        draw_trouble(layout, context, approval.message)
        return False
    box = layout.box()
    draw_text(box, context, approval.message, icon="LOCKED" if approval.code else "SORTTIME")
    if approval.code:
        row = box.row()
        row.alignment = "CENTER"
        row.scale_y = 1.8
        row.label(text=approval.code)
    row = box.row(align=True)
    row.operator("renderfarm.open_approval", icon="URL")
    row.operator("renderfarm.cancel_connect", text="", icon="X")
    return True


def draw_connection(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Draw whether the farm answers and, when it does not, why and what to do."""
    if draw_approval(layout, context):
        return
    try:
        farm = chosen_connection(context)
    except FarmError as error:
        _draw_no_farm(layout, context, str(error), offline=error.code == OFFLINE)
        return
    heard = state.current().feed.latest()
    if heard.farm != farm or not heard.answered:
        layout.label(text=f"Asking {farm.host} …", icon="SORTTIME")
    elif heard.problem:
        _draw_no_farm(layout, context, heard.problem, turned_away=heard.turned_away)
    else:
        agents = heard.facts.agents
        known = counted(agents, "agent") if agents else "no agents yet"
        layout.label(text=f"Connected to {farm.host}: {known}", icon="CHECKMARK")


def _draw_no_farm(
    layout: bpy.types.UILayout,
    context: bpy.types.Context,
    sentence: str,
    *,
    offline: bool = False,
    turned_away: bool = False,
) -> None:
    box = layout.box()
    draw_text(box, context, sentence, icon="ERROR", alert=True)
    row = box.row(align=True)
    if turned_away:
        row.operator("renderfarm.connect", icon="LINKED")
    elif not offline:
        row.operator("renderfarm.test_connection", icon="FILE_REFRESH")
    else:
        _draw_allow_online(row)
    if context.area.type != "PREFERENCES":
        row.operator("renderfarm.open_preferences", icon="PREFERENCES")
    row.operator("renderfarm.copy_details", text="", icon="COPYDOWN").text = sentence


def _draw_offline(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    box = layout.box()
    draw_text(box, context, "Blender may not use the network: it reaches a farm on this computer only.", icon="INFO")
    if bpy.app.online_access_override:
        draw_text(box, context, "Start Blender without --offline-mode.", icon="BLANK1")
    _draw_allow_online(box)


def _draw_allow_online(layout: bpy.types.UILayout) -> None:
    if not bpy.app.online_access_override:
        # Blender's own; it has no name to be shown.
        layout.operator("extensions.userpref_allow_online", text="Allow Online Access", icon="INTERNET")


CLASSES = (RenderFarmPreferences,)
